//! Renewing a consent: a session for the same end-user and skill, whose exchange gives the same `credentials_id` a new
//! token, a new way into the bank and a new end. Until then the old token works; from then on it is nobody's.

use app::domain::ids::{CredentialsId, SessionId};
use app::domain::problem::Code;
use app::domain::skill::SkillType;

use super::lifecycle::{self, NewSession, OpenedSession};
use crate::jobs::fetch_data::FetchData;
use crate::services::access::keys::Client;
use crate::services::consents::grants;
use crate::services::consents::{self, Credentials};
use crate::services::refusal::ApiError;
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::consents::{ConsentRow, Opening};
use crate::storage::renewals::{Renewal, RenewalRow};

/// Fields of a request to renew a consent.
pub struct NewRenewal {
    /// PKCE, as for any session.
    pub code_challenge: Option<String>,
    /// The caller's own, handed back on its redirect link.
    pub state: Option<String>,
}

/// Opens the session that renews a consent. The consent has to be alive; an end-user who was named stays the same.
pub async fn begin(
    state: &AppState,
    client: &Client,
    credentials: &Credentials,
    new: NewRenewal,
) -> Result<OpenedSession, ApiError> {
    let mut tx = state.db.write().await?;
    let consent = consents::authorise(state, &mut tx, client, credentials).await?;
    consents::require_user(&consent, credentials)?;
    consents::require_kind(state, &consent, SkillType::AccountInformation)?;
    let user = consent.tenant_user.as_ref();
    let session = NewSession {
        skill: consent.skill.to_string(),
        tenant_user_id: user.and(credentials.tenant_user_id.clone()),
        code_challenge: new.code_challenge,
        state: new.state,
    };
    let checked = lifecycle::check(state, client, session)?;
    let opened = lifecycle::open(state, &mut tx, client, checked).await?;
    tx.insert_renewal(opened.session_id, consent.id).await?;
    tx.commit().await?;
    Ok(opened)
}

/// Lets a consent go on with what its renewal's session brought, in the transaction of the exchange.
pub async fn complete(
    state: &AppState,
    tx: &mut Tx,
    renewal: &RenewalRow,
    brought: &ConsentRow,
    opening: Opening<'_>,
) -> Result<CredentialsId, ApiError> {
    let now = opening.now;
    let old = tx.consent(renewal.consent_id).await?;
    let old = old.ok_or_else(|| ApiError::broken("a renewal without its consent"))?;
    let state = &state.for_tenant(tx, brought.tenant_id).await?;
    let grant = grants::open(state, brought)?.ok_or(Code::InactiveCredentials)?;
    let renewed = Renewal {
        opening,
        bank_grant: &grants::seal(state, &old, &grant)?,
        valid_until: brought.valid_until,
    };
    if !tx.renew_consent(old.id, &renewed).await? {
        return Err(Code::InactiveCredentials.into());
    }
    let former = grants::open(state, &old)?;
    if former.is_none_or(|former| former.0.expose() != grant.0.expose()) {
        consents::revoke_at_provider(state, tx, &old).await?;
    }
    tx.finish_renewal(renewal.session_id, now).await?;
    let job = FetchData {
        consent: old.id,
        again: Some(now),
    };
    state.queue.add(tx, &job).await?;
    Ok(old.id)
}

/// The consent that the exchange of a session's token opened.
pub async fn opened_by(tx: &mut Tx, session: SessionId) -> Result<Option<ConsentRow>, ApiError> {
    Ok(match tx.renewal(session).await? {
        Some(renewal) => tx.consent(renewal.consent_id).await?,
        None => tx.consent_of(session).await?,
    })
}
