//! Offline verifications: the provider is asked again and again what it decided, until the session can go on.
//!
//! Asking is claimed like a step: the claim is committed before the provider is asked and lasts 60 seconds, and no
//! transaction is open meanwhile. Each asking has a number, so that two workers, a crash or a repeated job ask it once.

use std::sync::Arc;

use app::domain::ids::{SessionId, StepId};
use app::domain::person::Permission;
use app::domain::session::{Awaiting, Decision, Event};
use app::portal::verifications::{Verification, Verifications};
use app::portal::{Actor, Answered, Source, Trouble};
use async_trait::async_trait;
use chrono::Duration;
use serde_json::{Value, json};

use super::Services;
use super::keys;
use super::providers::{connector, delay, open_ref};
use super::refusal::Failure;
use super::steps::LEASE;
use super::trouble::{Stop, act, answered};
use super::turns::{self, After, Handed, Turn};
use crate::jobs::decide_verification::DecideVerification;
use crate::jobs::resume_session::ResumeSession;
use crate::skills::{Connector, ConnectorError, Opaque, Verdict};
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::sessions::SessionRow;
use crate::storage::verifications::PendingRow;

/// Sessions in the portal's list.
const LISTED: i64 = 100;
/// How long a tenant that is not served is left alone.
const LATER: std::time::Duration = std::time::Duration::from_hours(1);
/// No verification takes longer: then the session has failed. Its time does not count, and would otherwise never end.
const LONGEST: Duration = Duration::days(30);

#[async_trait]
impl Verifications for Services {
    async fn verifications(&self, actor: &Actor) -> Answered<Vec<Verification>> {
        let listed = async {
            let servicer = actor.may(Permission::UseConsole)?.servicer;
            let mut tx = self.state.db.read().await?;
            let rows = tx.pending_sessions(servicer, None, LISTED).await?;
            Ok::<_, Stop>(rows.into_iter().map(shown).collect())
        };
        answered(self, listed.await)
    }

    async fn decide(
        &self,
        actor: &Actor,
        session: SessionId,
        decision: Decision,
        source: &Source,
    ) -> Answered<()> {
        let decided = async {
            let servicer = actor.may(Permission::UseConsole)?.servicer;
            let state = &self.state;
            let mut tx = state.db.write().await?;
            let waiting = tx.pending_sessions(servicer, Some(session), 1).await?;
            let waiting = waiting.into_iter().next().ok_or_else(gone)?;
            let detail = json!({ "decision": decision, "tenant": waiting.tenant_id });
            let audit = act(
                state,
                actor,
                source,
                "verification.decided",
                session,
                detail,
            );
            tx.audit(&audit).await?;
            let job = DecideVerification {
                session,
                position: waiting.position,
                decision,
            };
            state.queue.add(&mut tx, &job).await?;
            tx.commit().await?;
            state.queue.wake();
            Ok::<_, Stop>(())
        };
        answered(self, decided.await)
    }
}

fn shown(row: PendingRow) -> Verification {
    Verification {
        session: row.session_id,
        run: row.run,
        tenant: row.tenant_id,
        tenant_name: row.tenant_name,
        skill: row.skill,
        step: row.step,
        since: row.pending_since,
    }
}

/// Of another servicer, of nobody, or decided meanwhile: the same answer.
fn gone() -> Trouble {
    Trouble::Conflict("This session no longer waits for a decision. Go back to the list.".into())
}

/// Tells the provider what a person decided, and asks what follows. A provider that decided meanwhile stays with it.
pub async fn decided(state: &AppState, by: &DecideVerification) -> Result<(), Failure> {
    let mut tx = state.db.read().await?;
    let row = tx.session(by.session).await?;
    drop(tx);
    let turn = (by.position, Awaiting::Provider);
    let Some(session) = row.filter(|row| (row.position, row.awaiting) == turn) else {
        return Ok(());
    };
    let state = &state.for_tenant_alone(session.tenant_id).await?;
    let (connector, bank_ref) = under_way(state, &session)?;
    match connector.decide(&bank_ref, by.decision).await {
        Ok(()) | Err(ConnectorError::Rejected { .. }) => {}
        Err(error) => return Err(Failure::Broken(error.to_string())),
    }
    let asking = ResumeSession {
        session: by.session,
        position: by.position,
        asked: session.asked,
    };
    ask(state, &asking).await
}

/// One asking. An error means that it has to be done again.
pub async fn ask(state: &AppState, asking: &ResumeSession) -> Result<(), Failure> {
    let now = state.clock.now();
    let claim = StepId(state.clock.id());
    let mut tx = state.db.write().await?;
    let turn = (asking.position, asking.asked);
    let claimed = tx
        .claim_asking(asking.session, turn, claim, now, now + LEASE)
        .await?;
    let Some(session) = claimed else {
        let row = tx.session(asking.session).await?;
        let due = row.is_some_and(|row| {
            row.awaiting == Awaiting::Provider && (row.position, row.asked) == turn
        });
        return if due {
            Err(Failure::Broken("somebody else is asking".into()))
        } else {
            Ok(())
        };
    };
    tx.commit().await?;
    let state = &state.for_tenant_alone(session.tenant_id).await?;
    let turn = Turn {
        session: &session,
        claim,
    };
    let applied = match verdict(state, &session).await {
        Ok(verdict) => apply(state, turn, asking, verdict).await,
        Err(failure) => Err(failure),
    };
    if applied.is_err() {
        turn.release(state).await?;
    }
    applied
}

async fn verdict(state: &AppState, session: &SessionRow) -> Result<Verdict, Failure> {
    let now = state.clock.now();
    let failed = |reason: &str| Verdict::Failed {
        reason: reason.into(),
    };
    let (connector, bank_ref) = under_way(state, session)?;
    if session
        .pending_since
        .is_some_and(|since| now - since >= LONGEST)
    {
        return Ok(failed("verification_timeout"));
    }
    let mut tx = state.db.read().await?;
    match keys::check_served(&mut tx, session.tenant_id).await {
        Ok(()) => {}
        // Nothing completes in the name of a tenant that is paused: it is asked about again.
        Err(Failure::Refused(_)) => {
            return Ok(Verdict::Pending { poll_after: LATER });
        }
        Err(failure) => return Err(failure),
    }
    drop(tx);
    match connector.resume(&bank_ref).await {
        Ok(verdict) => Ok(verdict),
        // The provider knows nothing of it any more.
        Err(ConnectorError::Rejected { .. } | ConnectorError::Unauthorized) => {
            Ok(failed("provider_error"))
        }
        Err(error) => Err(Failure::Broken(error.to_string())),
    }
}

/// Who verifies a pending session, and what they know it by.
pub fn under_way(
    state: &AppState,
    session: &SessionRow,
) -> Result<(Arc<dyn Connector>, Opaque), Failure> {
    let connector = connector(state, &session.skill)?;
    let bank_ref = open_ref(state, session)?;
    let bank_ref = bank_ref
        .ok_or_else(|| Failure::Broken("a verification without what its connector kept".into()))?;
    Ok((connector, bank_ref))
}

async fn apply(
    state: &AppState,
    turn: Turn<'_>,
    asking: &ResumeSession,
    verdict: Verdict,
) -> Result<(), Failure> {
    match verdict {
        Verdict::Pending { poll_after } => put_off(state, turn, asking, poll_after).await,
        Verdict::Next {
            step,
            data,
            bank_ref,
        } => {
            let after = After::Step {
                name: step,
                bank_ref,
            };
            verified(state, turn, after, data).await
        }
        Verdict::Done { granted, data } => {
            let mut tx = state.db.read().await?;
            let of = step_of(&mut tx, turn.session).await?;
            drop(tx);
            verified(state, turn, After::end(granted, &of), data).await
        }
        Verdict::Refused { reason } => {
            let mut tx = state.db.write().await?;
            let of = step_of(&mut tx, turn.session).await?;
            let again = turn
                .again(state, &mut tx, &of, &reason, Handed::WhenAsked)
                .await?;
            if again.is_some() {
                tx.commit().await?;
            }
            Ok(())
        }
        Verdict::Failed { reason } => {
            let mut tx = state.db.write().await?;
            let kept = open_ref(state, turn.session)?;
            if turn.fail(state, &mut tx, &reason).await? {
                turns::stop(state, &mut tx, turn.session, kept.as_ref()).await?;
                tx.commit().await?;
                state.queue.wake();
            }
            Ok(())
        }
    }
}

/// The step that is verified.
async fn step_of(tx: &mut Tx, session: &SessionRow) -> Result<String, Failure> {
    let last = tx.last_step(session.id).await?;
    let last = last.ok_or_else(|| Failure::Broken("a verification of no step".into()))?;
    Ok(last.step)
}

async fn put_off(
    state: &AppState,
    turn: Turn<'_>,
    asking: &ResumeSession,
    poll_after: std::time::Duration,
) -> Result<(), Failure> {
    let mut tx = state.db.write().await?;
    if tx.put_off(turn.session.id, turn.claim).await? {
        let next = ResumeSession {
            asked: asking.asked + 1,
            ..asking.clone()
        };
        let due = state.clock.now() + delay(poll_after);
        state.queue.add_at(&mut tx, &next, due).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn verified(
    state: &AppState,
    turn: Turn<'_>,
    after: After,
    data: Value,
) -> Result<(), Failure> {
    let data = if data.is_null() { json!({}) } else { data };
    let mut tx = state.db.write().await?;
    let moved = turn
        .go_on(state, &mut tx, Event::Verified, &after, Handed::WhenAsked)
        .await?;
    if moved.is_none() {
        drop(tx);
        return turns::undo(state, turn.session, &after).await;
    }
    turns::answer(state, &mut tx, turn.session, data).await?;
    tx.commit().await?;
    state.queue.wake();
    Ok(())
}

#[cfg(test)]
mod tests;
