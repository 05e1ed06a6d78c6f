//! The end-user's way back from a provider: it carries `state` and a one-time `code`, and ends at the tenant's own link.
//!
//! What was consented is asked of the provider and never read from the URL. A refusal ends the attempt, not the
//! session; a repeated valid return has the same outcome and harms no earlier one; only the tenant's cancel is final.
//!
//! `state` is in the address that whoever opened the session was given for the end-user, so it proves no browser. What
//! a consent brings goes to the browser that shows the provider's one-time code, and to nobody else on a link.

mod again;
mod told;

use std::sync::Arc;

use app::domain::ids::{SessionId, StepId};
use app::domain::problem::Code;
use app::domain::session::Event;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::providers::{callback, connector, delay, open_ref, provider_refusal, return_digest};
use super::refusal::Failure;
use super::sessions::{skill_named, status_at};
use super::steps::LEASE;
use super::turns::{self, After, Handed, Turn};
use super::{consents, keys, payments};
use crate::crypto::Digest;
use crate::skills::{Connector, ConnectorError, Opaque, Return, Returned};
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::returns::{ReturnOutcome, ReturnRow};
use crate::storage::sessions::SessionRow;
use again::again;
use told::{Told, onward};

/// What a provider's redirect carries.
pub struct Arrival {
    pub state: SecretString,
    pub code: Option<SecretString>,
    /// The provider says it was not consented (RFC 6749, section 4.1.2.1).
    pub refused: bool,
}

/// Where the end-user goes.
pub enum Onward {
    /// The tenant's link, with what came of it in its query.
    Link(String),
    /// The same return is being worked on: ask again in a moment.
    Wait,
}

/// Follows an end-user back. An unknown `state` is refused: there is no link to send anybody to.
pub async fn arrive(state: &AppState, arrival: Arrival) -> Result<Onward, Failure> {
    let state = state.clone();
    // To the end, even if the browser hangs up: the code works only once.
    let work = tokio::spawn(async move { follow(&state, &arrival).await });
    work.await.unwrap_or_else(|error| {
        Err(Failure::Broken(format!(
            "a return's work broke off: {error}"
        )))
    })
}

/// The work of [`arrive`]; dropping it is a crash.
pub(super) async fn follow(state: &AppState, arrival: &Arrival) -> Result<Onward, Failure> {
    let digest = return_digest(state, arrival.state.expose_secret());
    let mut tx = state.db.read().await?;
    let way = tx.bank_return(&digest).await?;
    let way = way.ok_or_else(|| Failure::from(Code::TppRedirectError))?;
    let session = tx.session(way.session_id).await?;
    let session = session.ok_or_else(|| Failure::Broken("a return without its session".into()))?;
    let unserved = unserved(&mut tx, &session).await?;
    let state = &state.for_tenant(&mut tx, session.tenant_id).await?;
    drop(tx);
    let code = arrival.code.as_ref().map(|code| code_digest(state, code));
    let told = match (way.outcome, unserved) {
        (ReturnOutcome::Waiting, _) => {
            first(state, &way, &session, arrival, code, unserved).await?
        }
        (_, Some(why)) => Some(Told::over(why)),
        (_, None) => Some(again(state, &way, &session, arrival, code.as_ref()).await?),
    };
    told.map_or(Ok(Onward::Wait), |told| {
        onward(state, &way, &session, told).map(Onward::Link)
    })
}

/// Why nothing may be done in a tenant's name, if that is so.
async fn unserved(tx: &mut Tx, session: &SessionRow) -> Result<Option<Code>, Failure> {
    match keys::check_served(tx, session.tenant_id).await {
        Ok(()) => Ok(None),
        Err(Failure::Refused(refusal)) => Ok(Some(refusal.code)),
        Err(failure) => Err(failure),
    }
}

/// A return that nobody has followed yet; `None` while somebody else does.
async fn first(
    state: &AppState,
    way: &ReturnRow,
    session: &SessionRow,
    arrival: &Arrival,
    code: Option<Digest>,
    unserved: Option<Code>,
) -> Result<Option<Told>, Failure> {
    let now = state.clock.now();
    if status_at(session, now).is_final() {
        return Ok(Some(Told::over(unserved.unwrap_or(Code::SessionEnded))));
    }
    if arrival.code.is_none() && !arrival.refused {
        return Err(Code::TppRedirectError.into());
    }
    let Some((session, claim)) = claim(state, way).await? else {
        return Ok(None);
    };
    let turn = Turn {
        session: &session,
        claim,
    };
    let (returned, handed) = match &arrival.code {
        Some(given) => (
            ask(state, &session, arrival, given).await.map(Some),
            Handed::OnLink,
        ),
        // Not even a refusal is read from the URL; and anybody who knows the address could have sent it.
        None => (settle(state, &session, true).await, Handed::WhenAsked),
    };
    match unserved {
        Some(why) => give_back(state, way, turn, returned, why).await,
        None => conclude(state, way, turn, returned, code.as_ref(), handed).await,
    }
}

/// Ends the session of a tenant that is not served: whatever was consented is taken back at the provider.
async fn give_back(
    state: &AppState,
    way: &ReturnRow,
    turn: Turn<'_>,
    returned: Result<Option<Returned>, Ask>,
    why: Code,
) -> Result<Option<Told>, Failure> {
    let session = turn.session;
    let mut tx = state.db.write().await?;
    let settled = tx
        .settle_return(&way.state, ReturnOutcome::Refused, None)
        .await?;
    if !settled || !turn.fail(state, &mut tx, why.as_str()).await? {
        return Ok(None);
    }
    if let Ok(Some(Returned::Granted(granted) | Returned::Settled(granted))) = returned {
        consents::revoke(state, &mut tx, &session.skill, &granted.grant).await?;
    }
    turns::stop(state, &mut tx, session, open_ref(state, session)?.as_ref()).await?;
    payments::session_over(state, &mut tx, session.id).await?;
    tx.commit().await?;
    state.queue.wake();
    Ok(Some(Told::over(why)))
}

/// Asks the provider about a session whose end-user is at its pages and has not come back: they may have agreed and
/// closed the browser. What they decided counts; while they have not, nothing changes.
pub async fn look(state: &AppState, session: SessionId) -> Result<(), Failure> {
    let mut tx = state.db.read().await?;
    let way = tx.waiting_return(session).await?;
    let row = tx.session(session).await?;
    let (Some(way), Some(row)) = (way, row) else {
        return Ok(());
    };
    // Nothing completes in the name of a tenant that is not served.
    if unserved(&mut tx, &row).await?.is_some() {
        return Ok(());
    }
    drop(tx);
    let Some((session, claim)) = claim(state, &way).await? else {
        return Ok(());
    };
    let state = &state.for_tenant_alone(session.tenant_id).await?;
    let turn = Turn {
        session: &session,
        claim,
    };
    match settle(state, &session, false).await {
        Ok(None) | Err(Ask::Provider(_)) => turn.release(state).await,
        settled => conclude(state, &way, turn, settled, None, Handed::WhenAsked)
            .await
            .map(drop),
    }
}

/// Writes down what the provider says; the claim is let go whatever comes of it.
async fn conclude(
    state: &AppState,
    way: &ReturnRow,
    turn: Turn<'_>,
    returned: Result<Option<Returned>, Ask>,
    code: Option<&Digest>,
    handed: Handed,
) -> Result<Option<Told>, Failure> {
    // What a made-up code finds counts as what is found by asking.
    let (code, handed) = match returned {
        Ok(Some(Returned::Settled(_))) => (None, Handed::WhenAsked),
        _ => (code, handed),
    };
    let told = match returned {
        Ok(Some(returned)) => match read(returned, &way.step) {
            Ok(good) => consented(state, way, turn, good, code, handed).await,
            Err(reason) => refused(state, way, turn, &reason, told::DENIED).await,
        },
        Ok(None) => refused(state, way, turn, "access_denied", told::DENIED).await,
        Err(Ask::Provider(error)) => {
            let code = provider_refusal(&turn.session.skill, &error).code.as_str();
            let failed = ("bank_error", code);
            if error.is_passing() {
                turn.release(state).await?;
                Ok(Some(Told::error(failed, None)))
            } else {
                refused(state, way, turn, "bank_error", failed).await
            }
        }
        Err(Ask::Failure(failure)) => Err(failure),
    };
    if told.is_err() {
        turn.release(state).await?;
    }
    told
}

/// What follows a consent, with what asking the session tells of it; or the reason of a refusal.
fn read(returned: Returned, of: &str) -> Result<(After, Value), String> {
    match returned {
        Returned::Granted(granted) | Returned::Settled(granted) => {
            Ok((After::end(granted, of), json!({})))
        }
        Returned::Next {
            step: name,
            data,
            bank_ref,
        } => Ok((After::Step { name, bank_ref }, data)),
        Returned::Pending {
            poll_after,
            bank_ref,
        } => {
            let data = json!({ "poll_after": delay(poll_after).num_seconds() });
            let after = After::Verification {
                poll_after,
                bank_ref,
            };
            Ok((after, data))
        }
        Returned::Refused { reason } => Err(reason),
    }
}

/// Takes the finishing of a redirect upon this task, committed before the provider is asked; `None` while another has it.
async fn claim(state: &AppState, way: &ReturnRow) -> Result<Option<(SessionRow, StepId)>, Failure> {
    let (now, claim) = (state.clock.now(), StepId(state.clock.id()));
    let mut tx = state.db.write().await?;
    let claimed = tx
        .claim_return(way.session_id, way.position, claim, now, now + LEASE)
        .await?;
    let Some(session) = claimed else {
        return Ok(None);
    };
    tx.commit().await?;
    Ok(Some((session, claim)))
}

enum Ask {
    Provider(ConnectorError),
    Failure(Failure),
}

/// The connector that sent the end-user away, our address that they come back to, and what it asked to have kept.
fn sender(
    state: &AppState,
    session: &SessionRow,
) -> Result<(Arc<dyn Connector>, String, Opaque), Ask> {
    let broken = |what: &str| Ask::Failure(Failure::Broken(what.into()));
    let connector = connector(state, &session.skill).map_err(Ask::Failure)?;
    let skill = skill_named(state, session.skill.as_str()).map_err(Ask::Failure)?;
    let bank_ref = open_ref(state, session).map_err(Ask::Failure)?;
    let bank_ref = bank_ref.ok_or_else(|| broken("a redirect without what its connector kept"))?;
    Ok((connector, callback(state, &skill), bank_ref))
}

async fn ask(
    state: &AppState,
    session: &SessionRow,
    arrival: &Arrival,
    code: &SecretString,
) -> Result<Returned, Ask> {
    let (connector, callback, bank_ref) = sender(state, session)?;
    let returned = Return {
        code: code.clone(),
        state: arrival.state.clone(),
        callback,
        bank_ref,
    };
    connector.finish(returned).await.map_err(Ask::Provider)
}

async fn settle(
    state: &AppState,
    session: &SessionRow,
    close: bool,
) -> Result<Option<Returned>, Ask> {
    let (connector, _, bank_ref) = sender(state, session)?;
    let settled = connector.settle(&bank_ref, close).await;
    settled.map_err(Ask::Provider)
}

async fn consented(
    state: &AppState,
    way: &ReturnRow,
    turn: Turn<'_>,
    (after, data): (After, Value),
    code: Option<&Digest>,
    handed: Handed,
) -> Result<Option<Told>, Failure> {
    let mut tx = state.db.write().await?;
    let settled = tx
        .settle_return(&way.state, ReturnOutcome::Granted, code)
        .await?;
    let moved = if settled {
        turn.go_on(state, &mut tx, Event::Returned, &after, handed)
            .await?
    } else {
        None
    };
    let Some(moved) = moved else {
        drop(tx);
        turns::undo(state, turn.session, &after).await?;
        return Ok(None);
    };
    turns::answer(state, &mut tx, turn.session, data).await?;
    tx.commit().await?;
    state.queue.wake();
    if handed != Handed::OnLink {
        return Ok(Some(Told::Continues(None)));
    }
    let nonce = moved.nonce;
    Ok(Some(
        moved.temp_token.map_or(Told::Continues(nonce), Told::Token),
    ))
}

/// Ends the attempt: the same step may be tried again, with the nonce that goes to the tenant's link.
async fn refused(
    state: &AppState,
    way: &ReturnRow,
    turn: Turn<'_>,
    reason: &str,
    error: (&'static str, &'static str),
) -> Result<Option<Told>, Failure> {
    let mut tx = state.db.write().await?;
    let settled = tx
        .settle_return(&way.state, ReturnOutcome::Refused, None)
        .await?;
    if !settled {
        return Ok(None);
    }
    let nonce = turn
        .again(state, &mut tx, &way.step, reason, Handed::OnLink)
        .await?;
    if nonce.is_none() {
        return Ok(None);
    }
    tx.reject_payment(turn.session.id, state.clock.now())
        .await?;
    tx.commit().await?;
    Ok(Some(Told::error(error, nonce)))
}

fn code_digest(state: &AppState, code: &SecretString) -> Digest {
    state.pepper.digest("return_code", code.expose_secret())
}
