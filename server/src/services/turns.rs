//! The moves of a session: what each of them writes down, in the transaction of whoever makes it. Submitting a step,
//! coming back from a provider and the end of a verification all end here, under the claim they hold.
//!
//! Which move is possible is [`Progress::after`]'s to say; of two that race one is written and the other is told so.

use app::domain::ids::StepId;
use app::domain::session::{Awaiting, Event, Follows, Progress, SessionStatus};
use serde_json::{Value, json};

use super::issue::{self, Life};
use super::providers::{delay, seal_ref};
use super::refusal::Failure;
use super::sessions::{answer_place, skill_named};
use super::{consents, grants, uploads};
use crate::jobs::resume_session::ResumeSession;
use crate::jobs::stop_session::StopSession;
use crate::skills::{Granted, Opaque};
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::sessions::{Advance, SessionRow};

/// What comes after something that went well, with what it needs.
pub enum After {
    Step {
        name: String,
        bank_ref: Option<Opaque>,
    },
    Redirect {
        bank_ref: Opaque,
    },
    Verification {
        poll_after: std::time::Duration,
        bank_ref: Opaque,
    },
    /// The end, once the step `of` has its files.
    End {
        granted: Granted,
        of: String,
    },
}

impl After {
    /// The end that a step brought.
    pub fn end(granted: Granted, of: &str) -> Self {
        let of = of.to_owned();
        Self::End { granted, of }
    }

    fn next_step(&self) -> Option<&str> {
        match self {
            Self::Step { name, .. } => Some(name),
            _ => None,
        }
    }

    /// What the connector asked to have kept.
    pub fn bank_ref(&self) -> Option<&Opaque> {
        match self {
            Self::Step { bank_ref, .. } => bank_ref.as_ref(),
            Self::Redirect { bank_ref } | Self::Verification { bank_ref, .. } => Some(bank_ref),
            Self::End { .. } => None,
        }
    }
}

/// How what a move issues reaches its owner.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Handed {
    /// With the answer to the step.
    InAnswer,
    /// On the tenant's link, to the browser that showed the provider's code.
    OnLink,
    /// It waits to be asked for, by whoever shows the `client_secret`.
    WhenAsked,
}

impl Handed {
    /// When the life of a nonce handed out so begins.
    fn nonce_life(self) -> Life {
        match self {
            Self::InAnswer | Self::OnLink => Life::Now,
            Self::WhenAsked => Life::Later,
        }
    }
}

/// What a move brought.
pub struct Moved {
    pub to: Progress,
    pub nonce: Option<String>,
    pub temp_token: Option<String>,
}

/// A session and the claim it is worked on under.
#[derive(Clone, Copy)]
pub struct Turn<'a> {
    pub session: &'a SessionRow,
    pub claim: StepId,
}

impl Turn<'_> {
    /// Moves the session on; `None` if the claim was lost, and then nothing may be committed.
    pub async fn go_on(
        self,
        state: &AppState,
        tx: &mut Tx,
        event: fn(Follows) -> Event,
        after: &After,
        handed: Handed,
    ) -> Result<Option<Moved>, Failure> {
        let session = self.session;
        let follows = self.follows(state, tx, after, handed).await?;
        let to = self.to(event(follows))?;
        if let Some(name) = after.next_step() {
            known(state, session, name)?;
        }
        let bank_ref = after.bank_ref();
        let sealed = bank_ref.map(|kept| seal_ref(state, session, kept));
        let mut sealed = sealed.transpose()?;
        if session.awaiting == Awaiting::Redirect && handed == Handed::WhenAsked {
            // The browser may still come with its code, which only the provider can tell from a made-up one.
            sealed = sealed.or_else(|| session.bank_ref.clone());
        }
        let advance = self.advance(state, to, after.next_step(), sealed.as_deref());
        if !tx.advance_session(session.id, self.claim, &advance).await? {
            return Ok(None);
        }
        let mut moved = Moved {
            to,
            nonce: None,
            temp_token: None,
        };
        match after {
            After::Step { .. } => {
                let life = handed.nonce_life();
                let nonce = issue::nonce(state, tx, session.id, to.position, life).await?;
                moved.nonce = Some(nonce.text);
            }
            After::Redirect { .. } => {}
            After::Verification { poll_after, .. } => {
                let due = state.clock.now() + delay(*poll_after);
                let ask = ResumeSession::first(session.id, to.position);
                state.queue.add_at(tx, &ask, due).await?;
            }
            After::End { granted, .. } => {
                grants::keep(state, tx, session, granted).await?;
                let life = match handed {
                    Handed::InAnswer | Handed::OnLink => Life::at(follows),
                    Handed::WhenAsked => Life::Later,
                };
                let token = issue::temp_token(state, tx, session, life).await?;
                moved.temp_token = Some(token.text);
                if handed != Handed::InAnswer {
                    // The last file may have come in this very moment; from here on the session is held.
                    uploads::settle(state, tx, session.id).await?;
                }
            }
        }
        Ok(Some(moved))
    }

    /// What follows for the state machine. A step that was the last waits for its files, unless they are there: those of
    /// a step that is only being submitted never are.
    async fn follows(
        self,
        state: &AppState,
        tx: &mut Tx,
        after: &After,
        handed: Handed,
    ) -> Result<Follows, Failure> {
        let of = match after {
            After::Step { .. } => return Ok(Follows::Step),
            After::Redirect { .. } => return Ok(Follows::Redirect),
            After::Verification { .. } => return Ok(Follows::Verification),
            After::End { of, .. } => of,
        };
        let ending = uploads::ending(&skill_named(state, self.session.skill.as_str())?, of);
        let waits = ending == Follows::Uploads
            && (handed == Handed::InAnswer
                || !uploads::missing(state, tx, self.session).await?.is_empty());
        Ok(if waits { ending } else { Follows::End })
    }

    /// Ends the attempt: the step `name` may be tried again with this nonce. `None` if the claim was lost.
    pub async fn again(
        self,
        state: &AppState,
        tx: &mut Tx,
        name: &str,
        reason: &str,
        handed: Handed,
    ) -> Result<Option<String>, Failure> {
        let session = self.session;
        let to = self.to(Event::Refused)?;
        let advance = self.advance(state, to, Some(name), session.bank_ref.as_deref());
        if !tx.advance_session(session.id, self.claim, &advance).await? {
            return Ok(None);
        }
        let life = handed.nonce_life();
        let nonce = issue::nonce(state, tx, session.id, to.position, life).await?;
        answer(state, tx, session, json!({ "reason": reason })).await?;
        tx.refuse_step(session.id, session.position - 1).await?;
        Ok(Some(nonce.text))
    }

    /// Ends the session without a result; `false` if the claim was lost.
    pub async fn fail(self, state: &AppState, tx: &mut Tx, reason: &str) -> Result<bool, Failure> {
        let to = self.to(Event::Failed)?;
        let advance = self.advance(state, to, None, None);
        if !tx
            .advance_session(self.session.id, self.claim, &advance)
            .await?
        {
            return Ok(false);
        }
        answer(state, tx, self.session, json!({ "reason": reason })).await?;
        Ok(true)
    }

    /// Lets the claim go: nothing happened.
    pub async fn release(self, state: &AppState) -> Result<(), Failure> {
        let mut tx = state.db.write().await?;
        tx.release_claim(self.session.id, self.claim).await?;
        tx.commit().await?;
        Ok(())
    }

    fn to(self, event: Event) -> Result<Progress, Failure> {
        let to = self.session.progress().after(event);
        to.ok_or_else(|| Failure::Broken(format!("{event:?} out of turn")))
    }

    fn advance<'a>(
        &self,
        state: &AppState,
        to: Progress,
        next_step: Option<&'a str>,
        bank_ref: Option<&'a [u8]>,
    ) -> Advance<'a> {
        let now = state.clock.now();
        Advance {
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

/// Brings the answer to the last step up to date with what came of it: what asking the session tells from now on.
pub async fn answer(
    state: &AppState,
    tx: &mut Tx,
    session: &SessionRow,
    data: Value,
) -> Result<(), Failure> {
    // The number rose when the step was taken.
    let position = session.position - 1;
    let place = answer_place(session.id, position);
    let sealed = state
        .vault
        .seal(&state.clock, &place, data.to_string().as_bytes())?;
    Ok(tx.answer_step(session.id, position, &sealed).await?)
}

/// Takes back at the provider what took effect there for a session that was called off meanwhile. Nothing is taken
/// back where somebody else went on: what they go on with may be the same.
pub async fn undo(state: &AppState, session: &SessionRow, after: &After) -> Result<(), Failure> {
    let mut tx = state.db.write().await?;
    let stands = tx.session(session.id).await?;
    if stands.is_none_or(|row| row.status != SessionStatus::Cancelled) {
        return Ok(());
    }
    match after {
        After::End { granted, .. } => {
            consents::revoke(state, &mut tx, &session.skill, &granted.grant).await?;
        }
        other => stop(state, &mut tx, session, other.bank_ref()).await?,
    }
    tx.commit().await?;
    state.queue.wake();
    Ok(())
}

/// Tells the provider, in a job of this transaction, that what it had under way is called off.
pub async fn stop(
    state: &AppState,
    tx: &mut Tx,
    session: &SessionRow,
    bank_ref: Option<&Opaque>,
) -> Result<(), Failure> {
    if let Some(bank_ref) = bank_ref {
        let job = StopSession::new(&session.skill, bank_ref);
        state.queue.add(tx, &job).await?;
    }
    Ok(())
}

/// A step that a connector names has to be one of its manifest's.
fn known(state: &AppState, session: &SessionRow, name: &str) -> Result<(), Failure> {
    let skill = state.skills.get(&session.skill);
    if skill.is_some_and(|skill| skill.manifest.step(name).is_some()) {
        return Ok(());
    }
    Err(Failure::Broken(format!(
        "the connector of {} named a step that its manifest lacks",
        session.skill
    )))
}
