//! What a provider granted: kept sealed as a consent nobody can read yet, with the fetch of its data on its way.

use std::sync::Arc;

use app::domain::ids::{CredentialsId, SessionId, TenantId};
use app::domain::moment::within_years;
use app::domain::problem::Code;
use app::domain::session::ConsentStatus;
use app::domain::skill::SkillType;

use super::provider_access;
use crate::aad;
use crate::jobs::fetch_data::FetchData;
use crate::services::refusal::ApiError;
use crate::skills::{Connector, Grant, Granted, Opaque};
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::consents::ConsentRow;
use crate::storage::sessions::SessionRow;

/// Keeps the grant that a session ended with; the data of accounts is fetched at once.
///
/// What is never exchanged is erased when its session would have ended.
pub async fn store(
    state: &AppState,
    tx: &mut Tx,
    session: &SessionRow,
    granted: &Granted,
) -> Result<(), ApiError> {
    let now = state.now_of(session.tenant_id);
    let before = tx.consent_of(session.id).await?;
    let id = before.map_or_else(|| CredentialsId(state.clock.id()), |row| row.id);
    tx.put_consent(&ConsentRow {
        ended_by: None,
        id,
        tenant_id: session.tenant_id,
        session_id: session.id,
        skill: session.skill.clone(),
        status: ConsentStatus::Active,
        access_token: None,
        tenant_user: session.tenant_user.clone(),
        bank_grant: Some(sealed(
            state,
            session.tenant_id,
            session.id,
            &granted.grant,
        )?),
        // A consent without an end is one of the year 9999, to the last day.
        valid_until: granted.valid_until.map(within_years),
        created_at: now,
        updated_at: now,
        exchanged_at: None,
        expires_at: None,
        data_until: session.ends_at(now),
        fetched_at: None,
        fetch_until: None,
        bank_calls: None,
        quiet_until: None,
        suspect_since: None,
        unreadable: 0,
        erased_at: None,
    })
    .await?;
    // A payment has no data to fetch: a job of its own follows it. What renews a consent is fetched for that consent, once
    // it is exchanged.
    tx.grant_payment(session.id, id).await?;
    let skill = state.skills.get(&session.skill);
    let accounts = skill.is_some_and(|skill| skill.manifest.kind == SkillType::AccountInformation);
    if accounts && tx.renewal(session.id).await?.is_none() {
        let job = FetchData {
            consent: id,
            again: None,
        };
        state.queue.add(tx, &job).await?;
    }
    Ok(())
}

/// The grant of a consent; `None` once it was erased.
pub fn open(state: &AppState, consent: &ConsentRow) -> Result<Option<Grant>, ApiError> {
    let Some(sealed) = &consent.bank_grant else {
        return Ok(None);
    };
    let aad = aad::bank_grant(consent.tenant_id, consent.session_id);
    let plain = state.vault.open(&aad, sealed)?;
    Ok(Some(Grant(Opaque::new(plain.to_vec()))))
}

/// Returns the connector of a consent's provider and the grant to call it with; fails with `InactiveCredentials` once
/// the grant was erased.
pub fn open_access(
    state: &AppState,
    consent: &ConsentRow,
) -> Result<(Arc<dyn Connector>, Grant), ApiError> {
    let connector = provider_access::connector(state, &consent.skill)?;
    let grant = open(state, consent)?.ok_or(Code::InactiveCredentials)?;
    Ok((connector, grant))
}

/// Seals a grant for a consent.
pub fn seal(state: &AppState, consent: &ConsentRow, grant: &Grant) -> Result<Vec<u8>, ApiError> {
    sealed(state, consent.tenant_id, consent.session_id, grant)
}

fn sealed(
    state: &AppState,
    tenant: TenantId,
    session: SessionId,
    grant: &Grant,
) -> Result<Vec<u8>, ApiError> {
    let place = aad::bank_grant(tenant, session);
    Ok(state.vault.seal(&state.clock, &place, grant.0.expose())?)
}
