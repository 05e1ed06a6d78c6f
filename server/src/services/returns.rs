//! The end-user's way back from a provider: it carries `state` and a one-time `code`, and ends at the tenant's own link.
//!
//! What was consented is asked of the provider and never read from the URL. A refusal ends the attempt, not the
//! session; a repeated valid return gets a fresh `temp_token` until one is exchanged; only the tenant's cancel is final.

use std::sync::Arc;

use app::domain::ids::{SessionId, StepId};
use app::domain::problem::Code;
use app::domain::session::{Event, SessionStatus};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::issue::{self, Life};
use super::providers::{
    callback, connector, delay, link_place, open_ref, provider_refusal, return_digest,
};
use super::refusal::{Failure, Refusal};
use super::sessions::{published, state_place, status_at};
use super::steps::LEASE;
use super::turns::{self, After, Handed, Turn};
use crate::crypto::Digest;
use crate::skills::{Connector, ConnectorError, Opaque, Return, Returned};
use crate::state::AppState;
use crate::storage::returns::{ReturnOutcome, ReturnRow};
use crate::storage::sessions::SessionRow;

/// Unreserved characters stay (RFC 3986, section 2.3).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

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

/// What the tenant's link is told.
enum Told {
    Token(String),
    /// The session goes on: what with is to be asked.
    Continues,
    Error {
        error: &'static str,
        code: &'static str,
    },
}

const DENIED: Told = Told::Error {
    error: "access_denied",
    code: "access_denied",
};

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
    let state = &state.for_tenant(&mut tx, session.tenant_id).await?;
    drop(tx);
    let code = arrival.code.as_ref().map(|code| code_digest(state, code));
    let told = match way.outcome {
        ReturnOutcome::Refused => Some(DENIED),
        ReturnOutcome::Granted => Some(again(state, &way, &session, code.as_ref()).await?),
        ReturnOutcome::Waiting => first(state, &way, &session, arrival, code).await?,
    };
    told.map_or(Ok(Onward::Wait), |told| {
        onward(state, &way, &session, told).map(Onward::Link)
    })
}

/// A return whose outcome is known: the very same one gets a fresh token, and the unredeemed one dies.
async fn again(
    state: &AppState,
    way: &ReturnRow,
    session: &SessionRow,
    code: Option<&Digest>,
) -> Result<Told, Failure> {
    // Settled by asking the provider, without a code: the `state`, which only this browser was sent with, is the proof.
    if way.code.is_some() && way.code.as_ref() != code {
        return Err(Code::TppRedirectError.into());
    }
    match status_at(session, state.clock.now()) {
        SessionStatus::Completed => {}
        status if status.is_final() => return Ok(over()),
        _ if session.progress().lacks_uploads() => {
            // The one that waits serves as well: its life has not begun.
            let mut tx = state.db.read().await?;
            let token = issue::temp_token_waiting(state, &mut tx, session).await?;
            return Ok(token.map_or(Told::Continues, |it| Told::Token(it.text)));
        }
        _ => return Ok(Told::Continues),
    }
    let mut tx = state.db.write().await?;
    if !tx.kill_temp_token(session.id, state.clock.now()).await? {
        return Ok(Told::Error {
            error: "expired",
            code: Code::TempTokenUsed.as_str(),
        });
    }
    let token = issue::temp_token(state, &mut tx, session, Life::Now).await?;
    tx.commit().await?;
    Ok(Told::Token(token.text))
}

/// A return that nobody has followed yet; `None` while somebody else does.
async fn first(
    state: &AppState,
    way: &ReturnRow,
    session: &SessionRow,
    arrival: &Arrival,
    code: Option<Digest>,
) -> Result<Option<Told>, Failure> {
    let now = state.clock.now();
    if status_at(session, now).is_final() {
        return Ok(Some(over()));
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
    let returned = match &arrival.code {
        Some(given) => ask(state, &session, arrival, given).await.map(Some),
        // Not even a refusal is read from the URL.
        None => settle(state, &session, true).await,
    };
    conclude(state, way, turn, returned, code.as_ref(), Handed::OnLink).await
}

/// Asks the provider about a session whose end-user is at its pages and has not come back: they may have agreed and
/// closed the browser. What they decided counts; while they have not, nothing changes.
pub async fn look(state: &AppState, session: SessionId) -> Result<(), Failure> {
    let mut tx = state.db.read().await?;
    let way = tx.waiting_return(session).await?;
    drop(tx);
    let Some(way) = way else {
        return Ok(());
    };
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
    let told = match returned {
        Ok(Some(returned)) => match read(returned, &way.step) {
            Ok(good) => consented(state, way, turn, good, code, handed).await,
            Err(reason) => refused(state, way, turn, &reason, DENIED).await,
        },
        Ok(None) => refused(state, way, turn, "access_denied", DENIED).await,
        Err(Ask::Provider(error)) => {
            let told = Told::Error {
                error: "bank_error",
                code: provider_refusal(&turn.session.skill, &error).code.as_str(),
            };
            if error.is_passing() {
                turn.release(state).await?;
                Ok(Some(told))
            } else {
                refused(state, way, turn, "bank_error", told).await
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
        Returned::Granted(granted) => Ok((After::end(granted, of), json!({}))),
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
    let skill = published(state, session.skill.as_str()).map_err(Ask::Failure)?;
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
    Ok(Some(moved.temp_token.map_or(Told::Continues, Told::Token)))
}

/// Ends the attempt: the same step may be tried again, with a nonce that waits to be asked for.
async fn refused(
    state: &AppState,
    way: &ReturnRow,
    turn: Turn<'_>,
    reason: &str,
    told: Told,
) -> Result<Option<Told>, Failure> {
    let mut tx = state.db.write().await?;
    let settled = tx
        .settle_return(&way.state, ReturnOutcome::Refused, None)
        .await?;
    if !settled || !turn.again(state, &mut tx, &way.step, reason).await? {
        return Ok(None);
    }
    tx.reject_payment(turn.session.id, state.clock.now())
        .await?;
    tx.commit().await?;
    Ok(Some(told))
}

fn over() -> Told {
    Told::Error {
        error: "expired",
        code: Code::SessionEnded.as_str(),
    }
}

fn code_digest(state: &AppState, code: &SecretString) -> Digest {
    state.pepper.digest("return_code", code.expose_secret())
}

/// The tenant's link with what it is told, and its own `state`, in the query.
fn onward(
    state: &AppState,
    way: &ReturnRow,
    session: &SessionRow,
    told: Told,
) -> Result<String, Failure> {
    let plain = state
        .vault
        .open(&link_place(way.session_id, way.position), &way.link)?;
    let link = String::from_utf8_lossy(&plain).into_owned();
    if link.is_empty() {
        return Err(Refusal::new(Code::TppRedirectError)
            .says("The step named no link to go back to.")
            .into());
    }
    let id = session.id.to_string();
    let own = match &session.client_state {
        Some(sealed) => Some(state.vault.open(&state_place(session.id), sealed)?),
        None => None,
    };
    let own = own.map(|own| String::from_utf8_lossy(&own).into_owned());
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    match &told {
        Told::Token(token) => pairs.push(("temp_token", token)),
        Told::Continues => {}
        Told::Error { error, code } => pairs.extend([("error", *error), ("error_code", *code)]),
    }
    pairs.push(("session_id", &id));
    pairs.extend(own.as_deref().map(|own| ("state", own)));
    Ok(with_query(&link, &pairs))
}

/// Adds to a link's query; links have no fragment.
fn with_query(link: &str, pairs: &[(&str, &str)]) -> String {
    let mut link = link.to_owned();
    let mut separator = if link.contains('?') { '&' } else { '?' };
    for (name, value) in pairs {
        if !link.ends_with(['?', '&']) {
            link.push(separator);
        }
        link.push_str(name);
        link.push('=');
        link.extend(utf8_percent_encode(value, QUERY));
        separator = '&';
    }
    link
}

#[cfg(test)]
mod tests {
    use super::with_query;

    #[test]
    fn what_is_added_to_a_link_leaves_the_rest_as_it_was() {
        let pairs = [("temp_token", "a-b_c"), ("state", "x&y=1 z")];
        let added = "temp_token=a-b_c&state=x%26y%3D1%20z";
        for (link, joined) in [
            ("myapp://return", "myapp://return?"),
            (
                "https://app.example.com/return?x=1",
                "https://app.example.com/return?x=1&",
            ),
            (
                "https://app.example.com/return?",
                "https://app.example.com/return?",
            ),
            ("com.example.app:/oauth", "com.example.app:/oauth?"),
        ] {
            assert_eq!(with_query(link, &pairs), format!("{joined}{added}"));
        }
    }
}
