//! Access to a provider: its connector, the callback of its end-users, the data it asked to have kept, and its failures
//! as codes of the catalogue.

use std::sync::Arc;

use app::domain::problem::Code;
use app::domain::skill::{SkillName, SkillType};
use kernel::crypto::Digest;

use crate::aad;
use crate::services::refusal::{ApiError, Refusal};
use crate::skills::{Connector, ConnectorError, Opaque, PublishedSkill};
use crate::state::AppState;
use crate::storage::sessions::SessionRow;

/// Returns the connector of a skill. Fails with [`ApiError::Broken`] if the skill is no longer known: sessions and
/// consents of it may be left.
pub fn connector(state: &AppState, skill: &SkillName) -> Result<Arc<dyn Connector>, ApiError> {
    let known = state.skills.get(skill);
    let connector = known.and_then(|skill| state.skills.connector(&skill.manifest));
    connector.ok_or_else(|| ApiError::Broken(format!("{skill} is no longer known")))
}

/// The digest a provider's `state` is known by.
pub fn callback_digest(state: &AppState, token: &str) -> Digest {
    state.pepper.digest("return_state", token)
}

/// Returns this server's redirect URI for the end-users of a skill.
pub fn callback_url(state: &AppState, skill: &PublishedSkill) -> String {
    let kind = match skill.manifest.kind {
        SkillType::AccountInformation => "aisp",
        SkillType::PaymentInitiation => "pisp",
        SkillType::Marketplace | SkillType::CustomerCare | SkillType::ResourceManagement => {
            "partner"
        }
    };
    format!("{}/v1/redirects/{kind}", state.public_url)
}

/// Opens the data that a connector asked to have kept with the session; `None` if it asked for none.
pub fn open_ref(state: &AppState, row: &SessionRow) -> Result<Option<Opaque>, ApiError> {
    let Some(sealed) = &row.bank_ref else {
        return Ok(None);
    };
    let plain = state
        .vault
        .open(&aad::session_bank_ref(row.tenant_id, row.id), sealed)?;
    Ok(Some(Opaque::new(plain.to_vec())))
}

/// Seals what a connector asked to have kept with the session.
pub fn seal_ref(state: &AppState, row: &SessionRow, kept: &Opaque) -> Result<Vec<u8>, ApiError> {
    Ok(state.vault.seal(
        &state.clock,
        &aad::session_bank_ref(row.tenant_id, row.id),
        kept.expose(),
    )?)
}

/// Bounds a wait that a provider asks for: at least a second, at most an hour.
pub fn delay(wait: std::time::Duration) -> chrono::Duration {
    let seconds = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
    chrono::Duration::seconds(seconds.clamp(1, 3600))
}

/// Maps a provider's failure to a code of the catalogue; the provider's own message stays out of it.
pub fn provider_refusal(skill: &SkillName, error: &ConnectorError) -> Refusal {
    let (code, after) = match error {
        ConnectorError::Unreachable | ConnectorError::Timeout => {
            (Code::ExternalApiConnectionError, None)
        }
        ConnectorError::Unavailable { retry_after } => (
            Code::ExternalApiConnectionError,
            retry_after.map(|wait| wait.as_secs()),
        ),
        ConnectorError::TooManyRequests { retry_after } => (
            Code::ExternalApiTooManyRequests,
            retry_after.map(|wait| wait.as_secs()),
        ),
        ConnectorError::Unauthorized => (Code::ExternalApiUnauthorized, None),
        ConnectorError::Forbidden => (Code::ExternalApiForbidden, None),
        ConnectorError::Rejected { .. } | ConnectorError::BadAnswer(_) => {
            (Code::ExternalApiError, None)
        }
    };
    tracing::warn!(%skill, %error, "a provider did not do what it was asked");
    let mut refusal = Refusal::new(code).says(format!("{skill}: {error}."));
    refusal.retry_after = after;
    refusal
}
