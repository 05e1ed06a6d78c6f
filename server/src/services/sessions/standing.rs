//! The standing of a session: found for its tenant, its progress at a time, and the refusals that follow from it. It is the
//! ground of this area: every file may use it, and it uses none of them.

use app::domain::ids::{SessionId, TenantId};
use app::domain::problem::Code;
use app::domain::session::{Progress, SessionEvent, SessionStatus};
use app::domain::skill::SkillName;
use chrono::{DateTime, Utc};
use kernel::crypto::named_uuid;

use crate::aad;
use crate::services::refusal::{ApiError, Refusal};
use crate::skills::PublishedSkill;
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::sessions::SessionRow;

/// A session of this tenant's; a foreign one is an unknown one.
pub async fn owned(tx: &mut Tx, tenant: TenantId, id: SessionId) -> Result<SessionRow, ApiError> {
    let row = tx.session(id).await?;
    row.filter(|row| row.tenant_id == tenant)
        .ok_or_else(|| Code::InvalidSessionId.into())
}

/// Returns the progress of a session at a time: as stored, or expired.
pub fn progress_at(row: &SessionRow, now: DateTime<Utc>) -> Progress {
    let stored = row.progress();
    if row.expires_at > now {
        return stored;
    }
    stored.after(SessionEvent::Expired).unwrap_or(stored)
}

/// The status at a time.
pub fn status_at(row: &SessionRow, now: DateTime<Utc>) -> SessionStatus {
    progress_at(row, now).status
}

/// The refusal of anything that a session which is over cannot take.
pub fn ended(status: SessionStatus) -> Refusal {
    Refusal::new(Code::SessionEnded).says(format!("The session is over: it is {status}."))
}

/// The refusal while another request works on the session.
pub fn in_flight() -> Refusal {
    Refusal::new(Code::StepInFlight).after(1)
}

/// The skill of a name, published or not: what a session that is under way goes on with.
pub fn skill_named(state: &AppState, name: &str) -> Result<PublishedSkill, ApiError> {
    let name = SkillName::parse(name).map_err(|error| {
        let refusal =
            Refusal::new(Code::InvalidSkillName).says(format!("Not a skill's name: {error}."));
        match name {
            _ if name.contains("%23") => refusal
                .hints("The # is percent-encoded in URLs alone: in JSON it is written as it is."),
            _ if name.trim() != name => {
                refusal.hints("There is a blank at one end: send the name without it.")
            }
            _ => refusal,
        }
    })?;
    let skill = state.skills.get(&name).cloned();
    skill.ok_or_else(|| {
        Refusal::new(Code::InvalidSkillName)
            .says(format!("No published skill is called {name}."))
            .into()
    })
}

/// The `state` that a session was opened with.
pub fn open_state(state: &AppState, row: &SessionRow) -> Result<Option<String>, ApiError> {
    let Some(sealed) = &row.client_state else {
        return Ok(None);
    };
    let plain = state.vault.open(&aad::client_state(row.id), sealed)?;
    Ok(Some(String::from_utf8_lossy(&plain).into_owned()))
}

/// Returns the id that the provider receives with a step. It is the same for every try, so that a retry after a crash
/// is no second order.
pub fn request_id(session: SessionId, position: i64) -> uuid::Uuid {
    named_uuid(&format!("step/{session}/{position}"))
}
