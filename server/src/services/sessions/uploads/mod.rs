//! Files sent along with steps (docs/API.md, "Uploads"): who may send one, and what its arrival means for the session.
//!
//! Nonce *n* authorises files for step *n* from when the step was accepted until step *n+1* is, or the session ends.
//! How a file comes in is in [`incoming`], how it is read again in [`stored`].

mod forward;
mod incoming;
mod scan;
mod stored;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

use app::domain::ids::{SessionId, StepId, UploadId};
use app::domain::problem::Code;
use app::domain::session::{Follows, SessionEvent, SessionStatus};
use app::domain::skill::SkillStep;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};

pub use forward::forward;
pub use incoming::Incoming;
pub use stored::{StoredFile, open};

use super::one_time_tokens;
use crate::services::access::keys::NamedTenant;
use crate::services::consents::end_user::check_user;
use crate::services::refusal::{ApiError, FieldProblem, Refusal};
use crate::services::sessions::standing::{ended, owned, skill_named, status_at};
use crate::skills::PublishedSkill;
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::sessions::SessionRow;
use crate::storage::steps::StepRow;

/// A file that somebody wants to send.
pub struct UploadRequest {
    /// Given if the path named it.
    pub session_id: Option<SessionId>,
    pub step_id: StepId,
    /// The one that the step was submitted with.
    pub nonce: SecretString,
    pub kind: String,
    /// Checked if given.
    pub tenant_user_id: Option<String>,
}

/// A file that is kept: the first of its kind and content.
pub struct AcceptedUpload {
    pub upload_id: UploadId,
    pub kind: String,
    /// Bytes.
    pub size: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
    /// Status of the session after the file arrived.
    pub status: SessionStatus,
}

/// Checks everything that can be refused before the first byte of the file.
pub async fn begin(
    state: &AppState,
    client: &NamedTenant,
    new: UploadRequest,
) -> Result<Incoming, ApiError> {
    let mut tx = state.db.read().await?;
    let (session, step) = find(&mut tx, client, &new).await?;
    let digest = one_time_tokens::nonce_digest(state, new.nonce.expose_secret());
    let nonce = tx.nonce(&digest).await?;
    let says = |text: &str| ApiError::from(Refusal::new(Code::InvalidNonce).says(text));
    let nonce = nonce.ok_or_else(|| says("No nonce like this was issued."))?;
    if nonce.session_id != session.id {
        return Err(says("The nonce belongs to another session."));
    }
    if nonce.position != step.position {
        return Err(says(
            "The nonce belongs to another step: a file is sent with the nonce its step was submitted with.",
        ));
    }
    let (bound, user) = (session.tenant_user.as_ref(), new.tenant_user_id.as_deref());
    check_user(state, session.tenant_id, bound, user)?;
    let skill = skill_named(state, session.skill.as_str())?;
    let known = skill.manifest.step(&step.step);
    let takes = known.ok_or_else(|| ApiError::broken("a step its manifest lacks"))?;
    let rule = takes.upload(&new.kind).ok_or_else(|| no_such_kind(takes))?;
    let kept = tx.uploads_of(step.id).await?;
    // The answer to a file may be lost, and the file be sent again though everything was there: that is told only by
    // reading it. Nobody else's bytes are read in vain.
    let comes_again = kept.iter().any(|row| row.kind == new.kind);
    let full = kept.len() >= takes.max_uploads as usize;
    match closed(&session, &step, state.now_of(session.tenant_id)) {
        Some((SessionStatus::Completed, _)) if comes_again => {}
        Some((_, refusal)) => return Err(refusal.into()),
        None if full && !comes_again => return Err(too_many(takes).into()),
        None => {}
    }
    let state = &state.for_tenant(&mut tx, session.tenant_id).await?;
    Ok(Incoming::new(state, session, step, takes, rule))
}

/// A step of this tenant's; a foreign one is an unknown one.
async fn find(
    tx: &mut Tx,
    client: &NamedTenant,
    new: &UploadRequest,
) -> Result<(SessionRow, StepRow), ApiError> {
    if let Some(id) = new.session_id {
        owned(tx, client.tenant(), id).await?;
    }
    let step = tx.step(new.step_id).await?.ok_or_else(no_such_step)?;
    if new.session_id.is_some_and(|id| id != step.session_id) {
        return Err(no_such_step().into());
    }
    let session = tx.session(step.session_id).await?;
    let session = session.filter(|row| row.tenant_id == client.tenant());
    Ok((session.ok_or_else(no_such_step)?, step))
}

/// The refusal of a `step_id` that is unknown, another tenant's or no id at all.
pub fn no_such_step() -> Refusal {
    Refusal::new(Code::NotFound).says("No step of this tenant has this id.")
}

/// Returns the reason why a step takes no more files, with the status of its session; `None` if it still takes them.
fn closed(
    session: &SessionRow,
    step: &StepRow,
    now: DateTime<Utc>,
) -> Option<(SessionStatus, Refusal)> {
    let status = status_at(session, now);
    if session.position != step.position + 1 {
        let refusal = Refusal::new(Code::InvalidNonce)
            .says("The next step was submitted: this one takes no more files.");
        return Some((SessionStatus::InProgress, refusal));
    }
    status.is_final().then(|| (status, ended(status)))
}

fn no_such_kind(step: &SkillStep) -> Refusal {
    let kinds: Vec<&str> = step.uploads.iter().map(|rule| rule.kind.as_str()).collect();
    let expected = if kinds.is_empty() {
        format!("is of no use: step {} takes no files", step.name)
    } else {
        format!("must be one of {}", kinds.join(", "))
    };
    Refusal::new(Code::InvalidField)
        .says(format!("The kind {expected}."))
        .at(vec![FieldProblem::new(
            "kind",
            Code::InvalidField,
            expected,
        )])
}

fn too_many(step: &SkillStep) -> Refusal {
    Refusal::new(Code::TooManyUploads).says(format!(
        "Step {} takes {} files, and has them.",
        step.name, step.max_uploads
    ))
}

/// The required kinds that the step submitted last still lacks. An attempt that was refused lacks nothing.
pub async fn missing(
    state: &AppState,
    tx: &mut Tx,
    session: &SessionRow,
) -> Result<Vec<String>, ApiError> {
    let Some(step) = tx.last_step(session.id).await? else {
        return Ok(Vec::new());
    };
    let skill = skill_named(state, session.skill.as_str())?;
    let rules = skill.manifest.step(&step.step);
    let Some(rules) = rules.filter(|rules| rules.requires_uploads()) else {
        return Ok(Vec::new());
    };
    if tx.was_refused(session.id, step.position).await? {
        return Ok(Vec::new());
    }
    let kept = tx.uploads_of(step.id).await?;
    let there = |kind: &str| kept.iter().any(|row| row.kind == kind);
    let required = rules.uploads.iter().filter(|rule| rule.required);
    Ok(required
        .filter(|rule| !there(&rule.kind))
        .map(|rule| rule.kind.clone())
        .collect())
}

/// Refuses whatever has to wait until the step submitted last has its files.
pub async fn none_missing(
    state: &AppState,
    tx: &mut Tx,
    session: &SessionRow,
) -> Result<(), ApiError> {
    let kinds = missing(state, tx, session).await?;
    if kinds.is_empty() {
        return Ok(());
    }
    let field = |kind: &String| {
        FieldProblem::new(
            format!("uploads.{kind}"),
            Code::MissingFields,
            "is required by the step submitted last",
        )
    };
    Err(Refusal::new(Code::UploadsMissing)
        .says(format!(
            "The step submitted last still lacks required uploads: {}.",
            kinds.join(", ")
        ))
        .at(kinds.iter().map(field).collect())
        .into())
}

/// Returns what follows the last step of a session: its required files if it has any, which [`settle`] checks.
pub fn ending(skill: &PublishedSkill, step: &str) -> Follows {
    let step = skill.manifest.step(step);
    if step.is_some_and(SkillStep::requires_uploads) {
        Follows::Uploads
    } else {
        Follows::End
    }
}

/// Completes a session that lacks its last step's files no more: the life of its `temp_token` begins. Any other session
/// stays as it is. The transaction holds the session: it changed its row before.
pub async fn settle(
    state: &AppState,
    tx: &mut Tx,
    session: SessionId,
) -> Result<SessionStatus, ApiError> {
    let row = tx.session(session).await?;
    let row = row.ok_or_else(|| ApiError::broken("a session that was held is gone"))?;
    let from = row.progress();
    if !from.lacks_uploads() || !missing(state, tx, &row).await?.is_empty() {
        return Ok(from.status);
    }
    let to = from.after(SessionEvent::Uploaded);
    let to = to.ok_or_else(|| ApiError::broken("a file came out of turn"))?;
    let now = state.now_of(row.tenant_id);
    if !tx
        .end_session(session, from, to, row.ends_at(now), now)
        .await?
    {
        return Err(ApiError::broken("a session moved while it was held"));
    }
    let state = &state.for_tenant(tx, row.tenant_id).await?;
    one_time_tokens::redeliver_temp_token(state, tx, &row).await?;
    Ok(to.status)
}
