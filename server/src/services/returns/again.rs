//! A return whose outcome is known: loaded again, opened twice, restored with the browser's tabs, or sent by somebody
//! who only knows its address.
//!
//! The very same return, code and all, has the same outcome. Without the provider's code nothing is handed out but
//! what a refusal leaves behind.

use app::domain::problem::Code;
use app::domain::session::{Awaiting, SessionStatus};

use super::told::{DENIED, Told};
use super::{Arrival, Ask, ask};
use crate::crypto::Digest;
use crate::services::issue;
use crate::services::refusal::Failure;
use crate::services::sessions::status_at;
use crate::skills::Returned;
use crate::state::AppState;
use crate::storage::returns::{ReturnOutcome, ReturnRow};
use crate::storage::sessions::SessionRow;

/// What a repeated return is told.
pub(super) async fn again(
    state: &AppState,
    way: &ReturnRow,
    session: &SessionRow,
    arrival: &Arrival,
    code: Option<&Digest>,
) -> Result<Told, Failure> {
    if way.outcome == ReturnOutcome::Refused {
        return Ok(Told::error(DENIED, nonce(state, way, session).await?));
    }
    if let (Some(own), Some(code)) = (&way.code, code)
        && own != code
    {
        return Err(Code::TppRedirectError.into());
    }
    let status = status_at(session, state.clock.now());
    let lacks_uploads = session.progress().lacks_uploads();
    if status.is_final() && status != SessionStatus::Completed {
        return Ok(Told::over(Code::SessionEnded));
    }
    let completed = status == SessionStatus::Completed;
    let nothing = || {
        if completed {
            Told::AlreadyCompleted
        } else {
            Told::Continues(None)
        }
    };
    // What later steps brought is not this return's to hand out.
    if session.position != way.position || is_exchanged(state, session).await? {
        return Ok(nothing());
    }
    if !is_proved(state, way, session, arrival, code).await? {
        return Ok(nothing());
    }
    if !completed && !lacks_uploads {
        return Ok(Told::Continues(nonce(state, way, session).await?));
    }
    let mut tx = state.db.write().await?;
    let held = tx.hold_session(session.id).await?;
    let Some(held) = held.filter(|held| held.status != SessionStatus::Cancelled) else {
        return Ok(Told::over(Code::SessionEnded));
    };
    let token = if held.progress().lacks_uploads() {
        // The one that waits serves as well: its life has not begun.
        issue::temp_token_waiting(state, &mut tx, &held).await?
    } else {
        issue::temp_token_repeated(state, &mut tx, &held).await?
    };
    tx.commit().await?;
    Ok(token.map_or(Told::AlreadyCompleted, |token| Told::Token(token.text)))
}

async fn is_exchanged(state: &AppState, session: &SessionRow) -> Result<bool, Failure> {
    let mut tx = state.db.read().await?;
    let tokens = tx.temp_tokens_of(session.id).await?;
    Ok(tokens.iter().any(|token| token.exchanged_at.is_some()))
}

/// Whether the browser shows the code that the provider gave it. A return that was settled by asking the provider is
/// bound to the first code that the provider knows as its own.
async fn is_proved(
    state: &AppState,
    way: &ReturnRow,
    session: &SessionRow,
    arrival: &Arrival,
    code: Option<&Digest>,
) -> Result<bool, Failure> {
    let (Some(code), Some(given)) = (code, &arrival.code) else {
        return Ok(false);
    };
    if way.code.is_some() {
        return Ok(true);
    }
    if session.bank_ref.is_none() {
        return Ok(false);
    }
    match ask(state, session, arrival, given).await {
        Ok(Returned::Granted(_)) => {}
        Ok(_) | Err(Ask::Provider(_)) => return Ok(false),
        Err(Ask::Failure(failure)) => return Err(failure),
    }
    let mut tx = state.db.write().await?;
    let bound = tx.bind_return(&way.state, code).await?;
    tx.commit().await?;
    Ok(bound)
}

/// The nonce of the step that follows this return, while it is that step's turn.
async fn nonce(
    state: &AppState,
    way: &ReturnRow,
    session: &SessionRow,
) -> Result<Option<String>, Failure> {
    let over = status_at(session, state.clock.now()).is_final();
    if over || session.awaiting != Awaiting::Step || session.position != way.position {
        return Ok(None);
    }
    let mut tx = state.db.write().await?;
    let nonce = issue::nonce_again(state, &mut tx, session.id, way.position).await?;
    tx.commit().await?;
    Ok(nonce.map(|nonce| nonce.text))
}
