//! Sessions: opening one, asking what comes next, and calling it off. Steps are in [`super::steps`], the end-user's way
//! back from a provider in [`super::callbacks`].

use app::domain::ids::{SessionId, StepId};
use app::domain::problem::Code;
use app::domain::session::{Awaiting, EndedBy, Progress, SessionEvent, SessionStatus};
use app::domain::skill::SkillName;
use chrono::{DateTime, Duration, Utc};
use serde_json::Value;

use super::one_time_tokens::{self, TtlStart};
use super::standing::{ended, in_flight, open_state, owned, progress_at, skill_named, status_at};
use super::transition;
use crate::aad;
use crate::services::access::catalog::unpublished;
use crate::services::access::keys::Client;
use crate::services::consents::end_user::user_digest;
use crate::services::consents::provider_access::open_ref;
use crate::services::consents::{self, payments};
use crate::services::refusal::{ApiError, FieldProblem, Refusal};
use crate::skills::PublishedSkill;
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::sessions::SessionRow;
use crate::storage::steps::StepRow;

/// Fields of a request to open a session.
pub struct NewSession {
    pub skill: String,
    /// The end-user, as the tenant knows them.
    pub tenant_user_id: Option<String>,
    /// PKCE (RFC 7636), S256: base64url of the SHA-256 of the verifier.
    pub code_challenge: Option<String>,
    /// Value of the caller's own, handed back on its redirect link.
    pub state: Option<String>,
}

/// A session that may be opened.
pub struct CheckedSession {
    new: NewSession,
    skill: PublishedSkill,
}

/// A session just opened.
pub struct OpenedSession {
    pub session_id: SessionId,
    pub nonce: String,
    pub status: SessionStatus,
    pub next_step: String,
    pub expires_at: DateTime<Utc>,
    /// The `state` it was opened with, unchanged.
    pub state: Option<String>,
}

/// A session that was called off.
#[derive(Debug)]
pub struct CancelledSession {
    pub status: SessionStatus,
    /// The `state` the session was opened with.
    pub state: Option<String>,
}

/// Proof that a caller may learn the next step of a session.
pub enum SessionProof<'a> {
    /// The nonce used last, or the one to be used next.
    Nonce(&'a str),
    /// The caller showed its `client_secret`.
    Secret,
    /// It showed both: the nonce is checked, but adds nothing.
    Both(&'a str),
    None,
}

/// Extent to which a caller may learn of a session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Disclosure {
    /// Its status.
    Status,
    /// Its status, and the `state` it was opened with: the caller opened it, but the end-user has been away since.
    Own,
    /// Everything, with what comes next.
    All,
}

/// State of a session as the API reports it; without proof the optional fields are `None`.
pub struct SessionState {
    pub session_id: SessionId,
    pub status: SessionStatus,
    pub next_step: Option<String>,
    pub nonce: Option<String>,
    pub temp_token: Option<String>,
    /// The step submitted last: its files name it.
    pub step_id: Option<StepId>,
    /// The answer to the step submitted last, brought up to date with what came of it.
    pub data: Option<Value>,
    pub expires_at: DateTime<Utc>,
    /// The `state` the session was opened with.
    pub state: Option<String>,
}

/// Opens a session of a skill that the client's whitelist names.
pub async fn create(
    state: &AppState,
    client: &Client,
    new: NewSession,
) -> Result<OpenedSession, ApiError> {
    let checked = check(state, client, new)?;
    let mut tx = state.db.write().await?;
    let opened = open(state, &mut tx, client, checked).await?;
    tx.commit().await?;
    Ok(opened)
}

/// Checks everything that can be refused without reading the database.
pub fn check(
    state: &AppState,
    client: &Client,
    new: NewSession,
) -> Result<CheckedSession, ApiError> {
    check_challenge(new.code_challenge.as_deref())?;
    check_length("state", new.state.as_deref(), 1024)?;
    check_length("tenant_user_id", new.tenant_user_id.as_deref(), 256)?;
    let skill = skill_named(state, &new.skill)?;
    if skill.published {
        allowed(client, &skill)?;
    }
    Ok(CheckedSession { new, skill })
}

/// Opens a session in the caller's transaction.
pub async fn open(
    state: &AppState,
    tx: &mut Tx,
    client: &Client,
    CheckedSession { new, skill }: CheckedSession,
) -> Result<OpenedSession, ApiError> {
    if tx
        .skill_terms(client.tenant(), &skill.name)
        .await?
        .is_none()
    {
        return Err(if skill.published {
            not_whitelisted(&skill.name)
        } else {
            unpublished(&skill.name)
        }
        .into());
    }
    let state = &state.for_tenant(tx, client.tenant()).await?;
    let own = new.state.clone();
    let row = new_row(state, client, &skill, new)?;
    tx.insert_session(&row).await?;
    let nonce =
        one_time_tokens::issue_nonce(state, tx, &row, row.position, TtlStart::OnIssue).await?;
    Ok(OpenedSession {
        session_id: row.id,
        nonce: nonce.text,
        status: row.status,
        next_step: row.next_step.unwrap_or_default(),
        expires_at: row.expires_at,
        state: own,
    })
}

/// Returns the state of a session and, with proof, what comes next: the same nonce or token until it is used. Once the
/// end-user was sent away, the nonce used last proves no more than who opened the session: what a consent brings goes
/// to the tenant's link or to its server, because whoever opened the session may not be the one who consented.
pub async fn get(
    state: &AppState,
    client: &Client,
    id: SessionId,
    proof: SessionProof<'_>,
) -> Result<SessionState, ApiError> {
    let mut tx = state.db.read().await?;
    let row = owned(&mut tx, client.tenant(), id).await?;
    let state = &state.for_tenant(&mut tx, row.tenant_id).await?;
    let known = disclosure(state, &mut tx, &row, &proof).await?;
    let now = state.now_of(row.tenant_id);
    let status = status_at(&row, now);
    let mut standing = SessionState {
        session_id: id,
        status,
        next_step: None,
        nonce: None,
        temp_token: None,
        step_id: None,
        data: None,
        expires_at: row.ends_at(now),
        state: None,
    };
    if known != Disclosure::Status {
        standing.state = open_state(state, &row)?;
    }
    if known != Disclosure::All {
        return Ok(standing);
    }
    if let Some(step) = tx.last_step(id).await? {
        standing.step_id = Some(step.id);
        standing.data = Some(answer(state, &row, &step)?);
    }
    if matches!(row.awaiting, Awaiting::Redirect | Awaiting::Provider) {
        return Ok(standing);
    }
    if row.progress().lacks_uploads() && !status.is_final() {
        let token = one_time_tokens::undelivered_temp_token(state, &mut tx, &row).await?;
        standing.temp_token = token.map(|token| token.text);
        return Ok(standing);
    }
    drop(tx);
    let mut tx = state.db.write().await?;
    if row.awaiting == Awaiting::Step && !status.is_final() {
        let nonce = one_time_tokens::redeliver_nonce(state, &mut tx, &row, row.position).await?;
        standing.next_step = nonce.is_some().then_some(row.next_step).flatten();
        standing.nonce = nonce.map(|nonce| nonce.text);
    } else if status == SessionStatus::Completed {
        let token = one_time_tokens::redeliver_temp_token(state, &mut tx, &row).await?;
        standing.temp_token = token.map(|token| token.text);
    }
    tx.commit().await?;
    Ok(standing)
}

/// Cancels a session for good, unless its token was exchanged. The provider is told to drop what it had under way.
/// Cancelling again changes nothing.
pub async fn cancel(
    state: &AppState,
    client: &Client,
    id: SessionId,
    proof: SessionProof<'_>,
) -> Result<CancelledSession, ApiError> {
    let mut tx = state.db.write().await?;
    let row = owned(&mut tx, client.tenant(), id).await?;
    let state = &state.for_tenant(&mut tx, row.tenant_id).await?;
    if disclosure(state, &mut tx, &row, &proof).await? == Disclosure::Status {
        let path = FieldProblem::new(
            "nonce",
            Code::MissingFields,
            "is required here, or client_secret",
        );
        return Err(Refusal::new(Code::MissingFields)
            .says("Calling a session off needs the nonce used last, or the client_secret.")
            .at(vec![path])
            .into());
    }
    let now = state.now_of(row.tenant_id);
    let off = CancelledSession {
        status: SessionStatus::Cancelled,
        state: open_state(state, &row)?,
    };
    let from = progress_at(&row, now);
    if from.status == off.status {
        return Ok(off);
    }
    let Some(to) = from.after(SessionEvent::Cancelled) else {
        return Err(ended(from.status).into());
    };
    // The session's row before the token's, as everywhere: nobody waits in a circle.
    let ends = row.ends_at(now);
    if !tx.end_session(id, row.progress(), to, ends, now).await? {
        return Err(in_flight().into());
    }
    // Exchange and repeated return wait for the session's row, too: whoever has it goes on.
    let killed = tx.kill_temp_tokens(id, now).await?;
    if from.status == SessionStatus::Completed && !killed {
        return Err(ended(from.status).into());
    }
    let kept = open_ref(state, &row)?;
    transition::stop_at_provider(state, &mut tx, &row, kept.as_ref()).await?;
    if let Some(consent) = tx.consent_of(id).await?
        && tx
            .end_consent(consent.id, now, now, EndedBy::Tenant)
            .await?
    {
        consents::revoke_at_provider(state, &mut tx, &consent).await?;
    }
    payments::on_session_ended(state, &mut tx, id).await?;
    tx.commit().await?;
    Ok(off)
}

fn new_row(
    state: &AppState,
    client: &Client,
    skill: &PublishedSkill,
    new: NewSession,
) -> Result<SessionRow, ApiError> {
    let now = state.now_of(client.tenant());
    let id = SessionId(state.clock.id());
    let seal = |text: String| {
        state
            .vault
            .seal(&state.clock, &aad::client_state(id), text.as_bytes())
    };
    let user = new.tenant_user_id.as_deref();
    Ok(SessionRow {
        id,
        tenant_id: client.tenant(),
        skill: skill.name.clone(),
        status: Progress::NEW.status,
        awaiting: Progress::NEW.awaiting,
        position: Progress::NEW.position,
        next_step: skill.manifest.first_step().map(|step| step.name.clone()),
        tenant_user: user.map(|user| user_digest(state, client.tenant(), user)),
        code_challenge: new.code_challenge,
        client_state: new.state.map(seal).transpose()?,
        bank_ref: None,
        claim_until: None,
        created_at: now,
        updated_at: now,
        expires_at: now + Duration::minutes(skill.manifest.session_minutes),
        pending_since: None,
        asked: 0,
    })
}

fn allowed(client: &Client, skill: &PublishedSkill) -> Result<(), ApiError> {
    let flavour = skill.environment();
    if flavour == client.environment() {
        return Ok(());
    }
    Err(Refusal::new(Code::UnauthorizedTenant)
        .says(format!(
            "{} is a {flavour} skill, and this is a {} tenant.",
            skill.name,
            client.environment()
        ))
        .hints(format!(
            "Use a {} skill, or a {flavour} tenant.",
            client.environment()
        ))
        .into())
}

fn not_whitelisted(skill: &SkillName) -> Refusal {
    Refusal::new(Code::UnauthorizedTenant)
        .says(format!("{skill} is not on this tenant's whitelist."))
        .hints("Add it on the tenant's Skills page in the portal.")
}

fn check_challenge(challenge: Option<&str>) -> Result<(), ApiError> {
    let Some(challenge) = challenge else {
        return Ok(());
    };
    let url_safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if challenge.len() == 43 && challenge.bytes().all(url_safe) {
        return Ok(());
    }
    let expected =
        "must be the base64url SHA-256 of the code_verifier, 43 characters (RFC 7636, S256)";
    let field = FieldProblem::new("code_challenge", Code::InvalidField, expected);
    Err(Refusal::new(Code::InvalidField).at(vec![field]).into())
}

fn check_length(name: &str, text: Option<&str>, longest: usize) -> Result<(), ApiError> {
    if text.is_none_or(|text| (1..=longest).contains(&text.chars().count())) {
        return Ok(());
    }
    let expected = format!("must have 1 to {longest} characters");
    let field = FieldProblem::new(name, Code::InvalidField, expected);
    Err(Refusal::new(Code::InvalidField).at(vec![field]).into())
}

/// Returns the extent to which a caller may learn of a session; a nonce that proves nothing is refused rather than
/// ignored.
async fn disclosure(
    state: &AppState,
    tx: &mut Tx,
    row: &SessionRow,
    proof: &SessionProof<'_>,
) -> Result<Disclosure, ApiError> {
    let nonce = match proof {
        SessionProof::Secret => return Ok(Disclosure::All),
        SessionProof::None => return Ok(Disclosure::Status),
        SessionProof::Nonce(nonce) | SessionProof::Both(nonce) => nonce,
    };
    let found = tx
        .nonce(&one_time_tokens::nonce_digest(state, nonce))
        .await?;
    // The nonce of the next step, or the one before it; and with nothing to come, the last there is.
    let recent = found
        .filter(|nonce| nonce.session_id == row.id)
        .filter(|nonce| nonce.position + 1 >= row.position);
    let recent = recent.ok_or_else(|| {
        let says = if nonce.trim().is_empty() {
            "The nonce is empty: the answer it should come from was not kept."
        } else {
            "This is not the nonce used last in this session."
        };
        Refusal::new(Code::InvalidNonce).says(says)
    })?;
    let server = matches!(proof, SessionProof::Both(_));
    if server || recent.used_at.is_none() || !tx.was_redirected(row.id).await? {
        return Ok(Disclosure::All);
    }
    Ok(Disclosure::Own)
}

/// A step's kept answer.
fn answer(state: &AppState, row: &SessionRow, step: &StepRow) -> Result<Value, ApiError> {
    let place = aad::step_answer(row.id, step.position);
    let plain = state.vault.open(&place, &step.answer)?;
    serde_json::from_slice(&plain)
        .map_err(|_| ApiError::broken("a step's kept answer cannot be read"))
}
