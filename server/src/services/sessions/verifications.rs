//! Offline verifications: the provider is asked again and again what it decided, until the session can go on.
//!
//! Asking is claimed like a step: the claim is committed before the provider is asked and lasts 60 seconds, and no
//! transaction is open meanwhile. Each asking has a number, so that two workers, a crash or a repeated job ask it once.

use std::sync::Arc;

use app::domain::ids::StepId;
use app::domain::session::{Awaiting, SessionEvent};
use chrono::Duration;

use super::transition::{self, ClaimedSession, Delivery, Success};
use crate::jobs::decide_verification::DecideVerification;
use crate::jobs::resume_session::ResumeSession;
use crate::services::access::keys;
use crate::services::consents::provider_access::{connector, delay, open_ref};
use crate::services::lease::LEASE;
use crate::services::refusal::ApiError;
use crate::skills::{Connector, ConnectorError, Next, Opaque, VerificationOutcome};
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::sessions::{SessionClaim, SessionRow};

/// Time after which a session of a tenant that is not served is asked about again.
const LATER: std::time::Duration = std::time::Duration::from_hours(1);
/// No verification takes longer: then the session has failed. Its time does not count, and would otherwise never end.
const LONGEST: Duration = Duration::days(30);

/// Tells the provider what a person decided, and asks what follows. A provider that decided meanwhile stays with it.
pub async fn decided(state: &AppState, by: &DecideVerification) -> Result<(), ApiError> {
    let mut tx = state.db.read().await?;
    let row = tx.session(by.session).await?;
    drop(tx);
    let claimed = (by.position, Awaiting::Provider);
    let Some(session) = row.filter(|row| (row.position, row.awaiting) == claimed) else {
        return Ok(());
    };
    let state = &state.for_tenant_alone(session.tenant_id).await?;
    let (connector, bank_ref) = under_way(state, &session)?;
    match connector.decide(&bank_ref, by.decision).await {
        Ok(()) | Err(ConnectorError::Rejected { .. }) => {}
        Err(error) => return Err(ApiError::broken(error)),
    }
    let asking = ResumeSession {
        session: by.session,
        position: by.position,
        asked: session.asked,
    };
    poll(state, &asking).await
}

/// Polls the provider once. An error means that it has to be done again.
pub async fn poll(state: &AppState, asking: &ResumeSession) -> Result<(), ApiError> {
    let claim = StepId(state.clock.id());
    let lease = SessionClaim::new(claim, state.clock.now(), LEASE);
    let mut tx = state.db.write().await?;
    let poll = (asking.position, asking.asked);
    let claimed = tx
        .claim_verification_poll(asking.session, poll, &lease)
        .await?;
    let Some(session) = claimed else {
        let row = tx.session(asking.session).await?;
        let due = row.is_some_and(|row| {
            row.awaiting == Awaiting::Provider && (row.position, row.asked) == poll
        });
        return if due {
            Err(ApiError::broken("somebody else is asking"))
        } else {
            Ok(())
        };
    };
    tx.commit().await?;
    let state = &state.for_tenant_alone(session.tenant_id).await?;
    let claimed = ClaimedSession {
        session: &session,
        claim,
    };
    let applied = match verdict(state, &session).await {
        Ok(verdict) => apply(state, claimed, asking, verdict).await,
        Err(failure) => Err(failure),
    };
    if applied.is_err() {
        claimed.release(state).await?;
    }
    applied
}

async fn verdict(state: &AppState, session: &SessionRow) -> Result<VerificationOutcome, ApiError> {
    let now = state.now_of(session.tenant_id);
    let failed = |reason: &str| VerificationOutcome::Failed {
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
        Err(ApiError::Refused(_)) => {
            return Ok(VerificationOutcome::Undecided { poll_after: LATER });
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
        Err(error) => Err(ApiError::broken(error)),
    }
}

/// Returns the connector that verifies a pending session, and the data that it asked to have kept.
pub fn under_way(
    state: &AppState,
    session: &SessionRow,
) -> Result<(Arc<dyn Connector>, Opaque), ApiError> {
    let connector = connector(state, &session.skill)?;
    let bank_ref = open_ref(state, session)?;
    let bank_ref = bank_ref
        .ok_or_else(|| ApiError::broken("a verification without what its connector kept"))?;
    Ok((connector, bank_ref))
}

async fn apply(
    state: &AppState,
    claimed: ClaimedSession<'_>,
    asking: &ResumeSession,
    verdict: VerificationOutcome,
) -> Result<(), ApiError> {
    match verdict {
        VerificationOutcome::Undecided { poll_after } => {
            record_poll(state, claimed, asking, poll_after).await
        }
        VerificationOutcome::Verified(next) => verified(state, claimed, &next).await,
        VerificationOutcome::Refused { reason } => {
            let mut tx = state.db.write().await?;
            let of = step_of(&mut tx, claimed.session).await?;
            let again = claimed
                .retry_step(state, &mut tx, &of, &reason, Delivery::OnRequest)
                .await?;
            if again.is_some() {
                tx.commit().await?;
            }
            Ok(())
        }
        VerificationOutcome::Failed { reason } => {
            let mut tx = state.db.write().await?;
            let kept = open_ref(state, claimed.session)?;
            if claimed.fail(state, &mut tx, &reason).await? {
                transition::stop_at_provider(state, &mut tx, claimed.session, kept.as_ref())
                    .await?;
                tx.commit().await?;
            }
            Ok(())
        }
    }
}

/// The step that is verified.
async fn step_of(tx: &mut Tx, session: &SessionRow) -> Result<String, ApiError> {
    let last = tx.last_step(session.id).await?;
    let last = last.ok_or_else(|| ApiError::broken("a verification of no step"))?;
    Ok(last.step)
}

async fn record_poll(
    state: &AppState,
    claimed: ClaimedSession<'_>,
    asking: &ResumeSession,
    poll_after: std::time::Duration,
) -> Result<(), ApiError> {
    let mut tx = state.db.write().await?;
    if tx
        .record_verification_poll(claimed.session.id, claimed.claim)
        .await?
    {
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
    claimed: ClaimedSession<'_>,
    next: &Next,
) -> Result<(), ApiError> {
    let mut tx = state.db.write().await?;
    let success = Success {
        next,
        of: &step_of(&mut tx, claimed.session).await?,
        event: SessionEvent::Verified,
        delivery: Delivery::OnRequest,
    };
    let applied = claimed.advance(state, &mut tx, success).await?;
    if applied.is_none() {
        drop(tx);
        return transition::undo_at_provider(state, claimed.session, next).await;
    }
    let data = transition::answer_data(next);
    transition::update_answer(state, &mut tx, claimed.session, data).await?;
    tx.commit().await?;
    Ok(())
}
