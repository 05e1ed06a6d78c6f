//! What the engine needs around a provider: what speaks to it, how an end-user finds back from it, what it asked to have
//! kept, and its failures in the catalogue's words.

use std::sync::Arc;

use app::domain::ids::SessionId;
use app::domain::problem::Code;
use app::domain::skill::{SkillName, SkillType};

use super::refusal::{Failure, Refusal};
use crate::crypto::Digest;
use crate::skills::{Connector, ConnectorError, Opaque, Skill};
use crate::state::AppState;
use crate::storage::sessions::SessionRow;

/// What runs a skill. A skill that is no longer known is our fault: sessions and consents of it may be left.
pub fn connector(state: &AppState, skill: &SkillName) -> Result<Arc<dyn Connector>, Failure> {
    let known = state.skills.get(skill);
    let connector = known.and_then(|skill| state.skills.connector(&skill.manifest));
    connector.ok_or_else(|| Failure::Broken(format!("{skill} is no longer known")))
}

/// The digest a provider's `state` is known by.
pub fn return_digest(state: &AppState, token: &str) -> Digest {
    state.pepper.digest("return_state", token)
}

/// Where a tenant's link is sealed.
pub fn link_place(session: SessionId, position: i64) -> String {
    format!("bank_returns.link/{session}/{position}")
}

/// Our own address for a skill's end-users to come back to.
pub fn callback(state: &AppState, skill: &Skill) -> String {
    let kind = match skill.manifest.kind {
        SkillType::AccountInformation => "aisp",
        SkillType::PaymentInitiation => "pisp",
        SkillType::Marketplace | SkillType::CustomerCare | SkillType::ResourceManagement => {
            "partner"
        }
    };
    format!("{}/v1/redirects/{kind}", state.public_url)
}

/// What a connector asked to have kept with the session.
pub fn open_ref(state: &AppState, row: &SessionRow) -> Result<Option<Opaque>, Failure> {
    let Some(sealed) = &row.bank_ref else {
        return Ok(None);
    };
    let plain = state.vault.open(&ref_place(row), sealed)?;
    Ok(Some(Opaque::new(plain.to_vec())))
}

/// Seals what a connector asked to have kept with the session.
pub fn seal_ref(state: &AppState, row: &SessionRow, kept: &Opaque) -> Result<Vec<u8>, Failure> {
    Ok(state
        .vault
        .seal(&state.clock, &ref_place(row), kept.expose())?)
}

fn ref_place(row: &SessionRow) -> String {
    format!("sessions.bank_ref/{}/{}", row.tenant_id, row.id)
}

/// A wait that a provider asks for: at least a second, at most an hour.
pub fn delay(wait: std::time::Duration) -> chrono::Duration {
    let seconds = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
    chrono::Duration::seconds(seconds.clamp(1, 3600))
}

/// A provider's failure in the catalogue's words: what the provider itself said stays out of it.
pub fn provider_refusal(skill: &SkillName, error: &ConnectorError) -> Refusal {
    let (code, after) = match error {
        ConnectorError::Unreachable | ConnectorError::Timeout => {
            (Code::ExternalApiConnectionError, None)
        }
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
