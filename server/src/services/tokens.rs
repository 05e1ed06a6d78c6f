//! The exchange of a `temp_token` for the pair `credentials_id` + `access_token`: once, by the tenant that opened the
//! session (`api.md`, section 3).

use app::domain::ids::{AuditId, CredentialsId};
use app::domain::problem::Code;
use app::domain::session::EndedBy;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::consents::access_digest;
use super::issue::temp_token_digest;
use super::keys::Client;
use super::refusal::{Failure, FieldProblem, Refusal};
use super::sessions::{progress_at, user_digest};
use super::{reminders, renewals, uploads};
use crate::crypto::Digest;
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::audit::AuditRow;
use crate::storage::consents::Opening;
use crate::storage::sessions::SessionRow;
use crate::storage::temp_tokens::TempTokenRow;

/// Deep links fire twice: a second use this soon is refused and nothing more.
const GRACE: Duration = Duration::seconds(10);

/// What a token is exchanged with.
pub struct Exchange {
    pub temp_token: SecretString,
    /// PKCE (RFC 7636, section 4.5): needed if the session was opened with a challenge.
    pub code_verifier: Option<SecretString>,
    pub tenant_user_id: Option<String>,
}

/// What the exchange gives. The token is in here and nowhere else, once.
pub struct Exchanged {
    pub credentials_id: CredentialsId,
    pub access_token: SecretString,
    pub consent_exp: DateTime<Utc>,
    pub max_data_retention: DateTime<Utc>,
}

/// Exchanges a token. A refusal leaves it as it was, but for a late second use, which ends what the first one opened.
pub async fn exchange(
    state: &AppState,
    client: &Client,
    exchange: Exchange,
) -> Result<Exchanged, Failure> {
    let digest = temp_token_digest(state, exchange.temp_token.expose_secret());
    let mut tx = state.db.read().await?;
    let row = known(&mut tx, client, &digest).await?;
    if row.exchanged_at.is_some() {
        drop(tx);
        return Err(used(state, client, &row).await?);
    }
    let session = tx.session(row.session_id).await?;
    let session = session.ok_or_else(|| Failure::Broken("a token without its session".into()))?;
    let row = waited_for(state, &mut tx, client, &session, row).await?;
    alive(&row, state.clock.now())?;
    check_verifier(&session, exchange.code_verifier.as_ref())?;
    check_user(state, client, &session, exchange.tenant_user_id.as_deref())?;
    drop(tx);
    open(state, client, &digest, &session).await
}

async fn open(
    state: &AppState,
    client: &Client,
    digest: &Digest,
    session: &SessionRow,
) -> Result<Exchanged, Failure> {
    let now = state.clock.now();
    let mut tx = state.db.write().await?;
    if !tx.exchange_temp_token(digest, client.tenant(), now).await? {
        let row = known(&mut tx, client, digest).await?;
        drop(tx);
        if row.exchanged_at.is_some() {
            return Err(used(state, client, &row).await?);
        }
        alive(&row, now)?;
        return Err(Failure::Broken(
            "a token that is alive could not be exchanged".into(),
        ));
    }
    let terms = tx.skill_terms(client.tenant(), &session.skill).await?;
    let terms = terms.ok_or_else(|| {
        Refusal::new(Code::UnauthorizedTenant).says(format!(
            "{} is no longer on this tenant's whitelist.",
            session.skill
        ))
    })?;
    let consent = tx.consent_of(session.id).await?;
    let consent = consent.ok_or_else(|| Failure::Broken("a token without its consent".into()))?;
    let asked = now + Duration::minutes(terms.consent_duration);
    // The provider may end it earlier than was asked.
    let expires_at = consent.valid_until.map_or(asked, |until| until.min(asked));
    let access_token = state.clock.token();
    let opening = Opening {
        access_token: &access_digest(state, &access_token),
        now,
        expires_at,
        data_until: now + Duration::minutes(terms.cache_max_data_retention),
        reminded: reminders::told_by_itself(state, expires_at - now),
    };
    let mut exchanged = Exchanged {
        credentials_id: consent.id,
        access_token: access_token.into(),
        consent_exp: opening.expires_at,
        max_data_retention: opening.data_until,
    };
    if let Some(renewal) = tx.renewal(session.id).await? {
        exchanged.credentials_id =
            renewals::complete(state, &mut tx, &renewal, &consent, opening).await?;
    } else if !tx.open_consent(session.id, &opening).await? {
        return Err(Code::InactiveCredentials.into());
    }
    tx.commit().await?;
    state.queue.wake();
    Ok(exchanged)
}

/// A token of this client's; another tenant's is an unknown one.
async fn known(tx: &mut Tx, client: &Client, digest: &Digest) -> Result<TempTokenRow, Failure> {
    let row = tx.temp_token(digest).await?;
    row.filter(|row| row.tenant_id == client.tenant())
        .ok_or_else(|| Code::InvalidTempToken.into())
}

/// A token whose life may begin: while its session's last step lacks uploads it is refused for that alone.
async fn waited_for(
    state: &AppState,
    tx: &mut Tx,
    client: &Client,
    session: &SessionRow,
    row: TempTokenRow,
) -> Result<TempTokenRow, Failure> {
    let lacks = progress_at(session, state.clock.now()).lacks_uploads();
    if row.died_at.is_some() || row.expires_at.is_some() || !lacks {
        return Ok(row);
    }
    uploads::none_missing(state, tx, session).await?;
    // The last one came in this very moment.
    known(tx, client, &row.digest).await
}

fn alive(row: &TempTokenRow, now: DateTime<Utc>) -> Result<(), Failure> {
    if row.died_at.is_some() {
        return Err(Refusal::new(Code::TempTokenExpired)
            .says("This temp_token was replaced by a later one, or its session was called off.")
            .into());
    }
    match row.expires_at {
        Some(end) if end > now => Ok(()),
        _ => Err(Code::TempTokenExpired.into()),
    }
}

/// The refusal of a second use; a late one ends what the first opened, and the security log says so.
async fn used(state: &AppState, client: &Client, row: &TempTokenRow) -> Result<Failure, Failure> {
    let now = state.clock.now();
    if row.exchanged_at.is_none_or(|at| now - at <= GRACE) {
        return Ok(Code::TempTokenUsed.into());
    }
    let mut tx = state.db.write().await?;
    let consent = renewals::opened_by(&mut tx, row.session_id).await?;
    if let Some(consent) = consent
        && tx
            .end_consent(consent.id, now, now, EndedBy::Tenant)
            .await?
    {
        super::consents::revoke_at_provider(state, &mut tx, &consent).await?;
        tx.audit(&AuditRow {
            id: AuditId(state.clock.id()),
            at: now,
            person: None,
            actor: "server".into(),
            servicer: Some(client.servicer()),
            action: "consent.revoked",
            target: consent.id.to_string(),
            detail: json!({ "why": "temp_token used again", "session_id": row.session_id, "tenant_id": client.tenant() }),
            ip: String::new(),
        })
        .await?;
        tx.commit().await?;
        state.queue.wake();
        tracing::warn!(tenant = %client.tenant(), session = %row.session_id, "a temp_token was used again: its consent was ended");
    }
    Ok(Refusal::new(Code::TempTokenUsed)
        .says(
            "This temp_token was used before; what its first use opened has been ended for safety.",
        )
        .into())
}

fn check_verifier(session: &SessionRow, verifier: Option<&SecretString>) -> Result<(), Failure> {
    match (&session.code_challenge, verifier) {
        (None, None) => Ok(()),
        // A verifier nobody asked for hides a challenge that was lost on the way (RFC 9700, section 2.1.1).
        (None, Some(_)) => Err(Refusal::new(Code::InvalidCodeVerifier)
            .says("The session was opened without a code_challenge.")
            .into()),
        (Some(_), None) => Err(missing(
            "code_verifier",
            "is required: the session has a code_challenge",
        )
        .into()),
        (Some(challenge), Some(verifier)) => {
            let hash = Sha256::digest(verifier.expose_secret().as_bytes());
            let made = URL_SAFE_NO_PAD.encode(hash);
            if made.as_bytes().ct_eq(challenge.as_bytes()).into() {
                Ok(())
            } else {
                Err(Code::InvalidCodeVerifier.into())
            }
        }
    }
}

fn check_user(
    state: &AppState,
    client: &Client,
    session: &SessionRow,
    given: Option<&str>,
) -> Result<(), Failure> {
    let Some(bound) = &session.tenant_user else {
        return Ok(());
    };
    let given = given.ok_or_else(|| {
        missing(
            "tenant_user_id",
            "is required: the session was opened with it",
        )
    })?;
    if user_digest(state, client.tenant(), given) == *bound {
        Ok(())
    } else {
        Err(Code::InvalidTenantUserId.into())
    }
}

fn missing(name: &str, why: &str) -> Refusal {
    let field = FieldProblem::new(name, Code::MissingFields, why);
    Refusal::new(Code::MissingFields)
        .says(format!("Missing: {name}."))
        .at(vec![field])
}
