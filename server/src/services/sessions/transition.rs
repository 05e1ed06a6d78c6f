//! State transitions of a session: the writes of each, in the transaction of its caller. Submitting a step, coming
//! back from a provider and the end of a verification all end here, under the claim they hold.
//!
//! [`Progress::after`] decides which transitions are possible; of two that race one is written and the other is told so.

use app::domain::ids::{SessionId, StepId};
use app::domain::session::{Awaiting, Follows, Progress, SessionEvent, SessionStatus};
use serde_json::{Map, Value, json};

use super::one_time_tokens::{self, TtlStart};
use super::standing::skill_named;
use super::uploads;
use crate::aad;
use crate::jobs::resume_session::ResumeSession;
use crate::jobs::stop_session::StopSession;
use crate::scope;
use crate::services::consents::provider_access::{delay, seal_ref};
use crate::services::consents::{self, grants};
use crate::services::lease::LEASE;
use crate::services::refusal::ApiError;
use crate::skills::{Next, Opaque};
use crate::state::AppState;
use crate::storage::sessions::{SessionAdvance, SessionRow};
use crate::storage::{DbError, Tx, is_busy};

/// A success that a session goes on from.
#[derive(Clone, Copy)]
pub struct Success<'a> {
    pub next: &'a Next,
    /// The step that it came of. The session ends once that step has its files.
    pub of: &'a str,
    /// What happened, for the state machine.
    pub event: fn(Follows) -> SessionEvent,
    pub delivery: Delivery,
}

/// Returns the data that the caller is answered when a session goes on: an object.
pub fn answer_data(next: &Next) -> Value {
    match next {
        Next::Redirect { url, .. } => json!({ "method": "GET", "url": url, "headers": {} }),
        Next::Pending {
            poll_after, data, ..
        } => {
            let mut fields = Map::new();
            fields.insert("poll_after".into(), delay(*poll_after).num_seconds().into());
            if let Value::Object(more) = data {
                fields.extend(more.clone());
            }
            Value::Object(fields)
        }
        Next::Step { data, .. } | Next::Done { data, .. } if data.is_null() => json!({}),
        Next::Step { data, .. } | Next::Done { data, .. } => data.clone(),
    }
}

/// Delivery of the nonce or token that a transition issues to its owner.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// With the answer to the step.
    InAnswer,
    /// On the tenant's link, to the browser that showed the provider's code.
    OnLink,
    /// It waits to be asked for, by whoever shows the `client_secret`.
    OnRequest,
}

impl Delivery {
    /// Returns the start of the lifetime of a nonce that is handed out in this way.
    fn nonce_ttl(self) -> TtlStart {
        match self {
            Self::InAnswer | Self::OnLink => TtlStart::OnIssue,
            Self::OnRequest => TtlStart::OnDelivery,
        }
    }
}

/// Result of a transition: the new progress, and the nonce or token issued.
pub struct Applied {
    pub to: Progress,
    pub nonce: Option<String>,
    pub temp_token: Option<String>,
}

/// A session with the claim under which it is worked on.
#[derive(Clone, Copy)]
pub struct ClaimedSession<'a> {
    pub session: &'a SessionRow,
    pub claim: StepId,
}

/// Wait before a claim that could not be released is tried again.
const RELEASE_RETRY: std::time::Duration = std::time::Duration::from_secs(1);

async fn release_claim(state: &AppState, session: SessionId, claim: StepId) -> Result<(), DbError> {
    let mut tx = state.db.write().await?;
    tx.release_claim(session, claim).await?;
    tx.commit().await
}

impl ClaimedSession<'_> {
    /// Advances the session; `None` if the claim was lost, and then nothing may be committed.
    pub async fn advance(
        self,
        state: &AppState,
        tx: &mut Tx,
        success: Success<'_>,
    ) -> Result<Option<Applied>, ApiError> {
        let (session, next, delivery) = (self.session, success.next, success.delivery);
        let follows = self.follows(state, tx, success).await?;
        let to = self.progress_after((success.event)(follows))?;
        let next_step = match next {
            Next::Step { name, .. } => Some(name.as_str()),
            _ => None,
        };
        if let Some(name) = next_step {
            check_step_exists(state, session, name)?;
        }
        let bank_ref = next.bank_ref();
        let sealed = bank_ref.map(|kept| seal_ref(state, session, kept));
        let mut sealed = sealed.transpose()?;
        if session.awaiting == Awaiting::Redirect && delivery == Delivery::OnRequest {
            // The browser may still come with its code, which only the provider can tell from a made-up one.
            sealed = sealed.or_else(|| session.bank_ref.clone());
        }
        let advance = self.row_change(state, to, next_step, sealed.as_deref());
        if !tx.advance_session(session.id, self.claim, &advance).await? {
            return Ok(None);
        }
        let mut applied = Applied {
            to,
            nonce: None,
            temp_token: None,
        };
        match next {
            Next::Step { .. } => {
                let ttl = delivery.nonce_ttl();
                let nonce =
                    one_time_tokens::issue_nonce(state, tx, session, to.position, ttl).await?;
                applied.nonce = Some(nonce.text);
            }
            Next::Redirect { .. } => {}
            Next::Pending { poll_after, .. } => {
                let due = state.clock.now() + delay(*poll_after);
                let ask = ResumeSession::first(session.id, to.position);
                state.queue.add_at(tx, &ask, due).await?;
            }
            Next::Done { granted, .. } => {
                grants::store(state, tx, session, granted).await?;
                let ttl = match delivery {
                    Delivery::InAnswer | Delivery::OnLink => TtlStart::at(follows),
                    Delivery::OnRequest => TtlStart::OnDelivery,
                };
                let token = one_time_tokens::issue_temp_token(state, tx, session, ttl).await?;
                applied.temp_token = Some(token.text);
                if delivery != Delivery::InAnswer {
                    // The last file may have come in this very moment; from here on the session is held.
                    uploads::settle(state, tx, session.id).await?;
                }
            }
        }
        Ok(Some(applied))
    }

    /// Returns what follows for the state machine. The last step waits for its files unless they were all sent: those
    /// of a step that is only being submitted never were.
    async fn follows(
        self,
        state: &AppState,
        tx: &mut Tx,
        success: Success<'_>,
    ) -> Result<Follows, ApiError> {
        match success.next {
            Next::Step { .. } => return Ok(Follows::Step),
            Next::Redirect { .. } => return Ok(Follows::Redirect),
            Next::Pending { .. } => return Ok(Follows::Verification),
            Next::Done { .. } => {}
        }
        let skill = skill_named(state, self.session.skill.as_str())?;
        let ending = uploads::ending(&skill, success.of);
        let waits = ending == Follows::Uploads
            && (success.delivery == Delivery::InAnswer
                || !uploads::missing(state, tx, self.session).await?.is_empty());
        Ok(if waits { ending } else { Follows::End })
    }

    /// Ends the attempt: the step `name` may be tried again with this nonce. `None` if the claim was lost.
    pub async fn retry_step(
        self,
        state: &AppState,
        tx: &mut Tx,
        name: &str,
        reason: &str,
        delivery: Delivery,
    ) -> Result<Option<String>, ApiError> {
        let session = self.session;
        let to = self.progress_after(SessionEvent::Refused)?;
        let advance = self.row_change(state, to, Some(name), session.bank_ref.as_deref());
        if !tx.advance_session(session.id, self.claim, &advance).await? {
            return Ok(None);
        }
        let ttl = delivery.nonce_ttl();
        let nonce = one_time_tokens::issue_nonce(state, tx, session, to.position, ttl).await?;
        update_answer(state, tx, session, json!({ "reason": reason })).await?;
        tx.refuse_step(session.id, session.position - 1).await?;
        Ok(Some(nonce.text))
    }

    /// Ends the session without a result; `false` if the claim was lost.
    pub async fn fail(self, state: &AppState, tx: &mut Tx, reason: &str) -> Result<bool, ApiError> {
        let to = self.progress_after(SessionEvent::Failed)?;
        let advance = self.row_change(state, to, None, None);
        if !tx
            .advance_session(self.session.id, self.claim, &advance)
            .await?
        {
            return Ok(false);
        }
        update_answer(state, tx, self.session, json!({ "reason": reason })).await?;
        Ok(true)
    }

    /// Releases the claim: nothing happened. Where the database cannot be written to just now, that is tried again until
    /// the claim would have ended by itself: nobody waits a minute because the disk was full for a second.
    pub async fn release(self, state: &AppState) -> Result<(), ApiError> {
        let (session, claim) = (self.session.id, self.claim);
        let released = release_claim(state, session, claim).await;
        if released.as_ref().is_err_and(is_busy) {
            let state = state.clone();
            scope::spawn(async move {
                for _ in 0..LEASE.num_seconds() {
                    tokio::time::sleep(RELEASE_RETRY).await;
                    match release_claim(&state, session, claim).await {
                        Err(error) if is_busy(&error) => {}
                        _ => return,
                    }
                }
            });
        }
        Ok(released?)
    }

    fn progress_after(self, event: SessionEvent) -> Result<Progress, ApiError> {
        let to = self.session.progress().after(event);
        to.ok_or_else(|| ApiError::Broken(format!("{event:?} out of turn")))
    }

    fn row_change<'a>(
        &self,
        state: &AppState,
        to: Progress,
        next_step: Option<&'a str>,
        bank_ref: Option<&'a [u8]>,
    ) -> SessionAdvance<'a> {
        let now = state.now_of(self.session.tenant_id);
        SessionAdvance {
            from: self.session.progress(),
            to,
            next_step,
            bank_ref,
            expires_at: self.session.ends_at(now),
            pending_since: (to.status == SessionStatus::Pending).then_some(now),
            now,
        }
    }
}

/// Updates the answer to the last step, which asking the session returns from now on.
pub async fn update_answer(
    state: &AppState,
    tx: &mut Tx,
    session: &SessionRow,
    data: Value,
) -> Result<(), ApiError> {
    // The number rose when the step was taken.
    let position = session.position - 1;
    let aad = aad::step_answer(session.id, position);
    let sealed = state
        .vault
        .seal(&state.clock, &aad, data.to_string().as_bytes())?;
    Ok(tx.answer_step(session.id, position, &sealed).await?)
}

/// Takes back at the provider what took effect there for a session that was called off meanwhile. Nothing is taken
/// back where somebody else went on: what they go on with may be the same.
pub async fn undo_at_provider(
    state: &AppState,
    session: &SessionRow,
    next: &Next,
) -> Result<(), ApiError> {
    let mut tx = state.db.write().await?;
    let stands = tx.session(session.id).await?;
    if stands.is_none_or(|row| row.status != SessionStatus::Cancelled) {
        return Ok(());
    }
    match next {
        Next::Done { granted, .. } => {
            consents::revoke(state, &mut tx, &session.skill, &granted.grant).await?;
        }
        other => stop_at_provider(state, &mut tx, session, other.bank_ref()).await?,
    }
    tx.commit().await?;
    Ok(())
}

/// Tells the provider, in a job of this transaction, that what it had under way is called off.
pub async fn stop_at_provider(
    state: &AppState,
    tx: &mut Tx,
    session: &SessionRow,
    bank_ref: Option<&Opaque>,
) -> Result<(), ApiError> {
    if let Some(bank_ref) = bank_ref {
        let job = StopSession::new(&session.skill, bank_ref.expose());
        state.queue.add(tx, &job).await?;
    }
    Ok(())
}

/// A step that a connector names has to be one of its manifest's.
fn check_step_exists(state: &AppState, session: &SessionRow, name: &str) -> Result<(), ApiError> {
    let skill = state.skills.get(&session.skill);
    if skill.is_some_and(|skill| skill.manifest.step(name).is_some()) {
        return Ok(());
    }
    Err(ApiError::Broken(format!(
        "the connector of {} named a step that its manifest lacks",
        session.skill
    )))
}
