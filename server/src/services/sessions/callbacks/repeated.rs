//! A callback whose outcome is known: loaded again, opened twice, restored with the browser's tabs, or sent by somebody
//! who only knows its address.
//!
//! The very same callback, code and all, has the same outcome. Without the provider's code nothing is handed out but
//! what a refusal leaves behind.

use app::domain::problem::Code;
use app::domain::session::{Awaiting, SessionStatus};
use kernel::crypto::Digest;

use super::link_outcome::{DENIED, LinkOutcome};
use super::{AskError, AuthorizationResponse, ask};
use crate::services::refusal::ApiError;
use crate::services::sessions::one_time_tokens;
use crate::services::sessions::standing::status_at;
use crate::skills::ConsentOutcome;
use crate::state::AppState;
use crate::storage::callbacks::{CallbackOutcome, CallbackRow};
use crate::storage::sessions::SessionRow;

/// Returns what the tenant's link is told when a callback is repeated.
pub(super) async fn repeat_outcome(
    state: &AppState,
    callback: &CallbackRow,
    session: &SessionRow,
    response: &AuthorizationResponse,
    code: Option<&Digest>,
) -> Result<LinkOutcome, ApiError> {
    if callback.outcome == CallbackOutcome::Refused {
        return Ok(LinkOutcome::error(
            DENIED,
            next_nonce(state, callback, session).await?,
        ));
    }
    if let (Some(own), Some(code)) = (&callback.code, code)
        && own != code
    {
        return Err(Code::TppRedirectError.into());
    }
    let status = status_at(session, state.now_of(session.tenant_id));
    let lacks_uploads = session.progress().lacks_uploads();
    if status.is_final() && status != SessionStatus::Completed {
        return Ok(LinkOutcome::ended(Code::SessionEnded));
    }
    let completed = status == SessionStatus::Completed;
    let nothing = || {
        if completed {
            LinkOutcome::AlreadyCompleted
        } else {
            LinkOutcome::Continues(None)
        }
    };
    // What later steps brought is not this return's to hand out.
    if session.position != callback.position || is_exchanged(state, session).await? {
        return Ok(nothing());
    }
    if !is_proved(state, callback, session, response, code).await? {
        return Ok(nothing());
    }
    if !completed && !lacks_uploads {
        return Ok(LinkOutcome::Continues(
            next_nonce(state, callback, session).await?,
        ));
    }
    let mut tx = state.db.write().await?;
    let held = tx.hold_session(session.id).await?;
    let Some(held) = held.filter(|held| held.status != SessionStatus::Cancelled) else {
        return Ok(LinkOutcome::ended(Code::SessionEnded));
    };
    let token = if held.progress().lacks_uploads() {
        // The one that waits serves as well: its life has not begun.
        one_time_tokens::undelivered_temp_token(state, &mut tx, &held).await?
    } else {
        one_time_tokens::reissue_temp_token(state, &mut tx, &held).await?
    };
    tx.commit().await?;
    Ok(token.map_or(LinkOutcome::AlreadyCompleted, |token| {
        LinkOutcome::Token(token.text)
    }))
}

async fn is_exchanged(state: &AppState, session: &SessionRow) -> Result<bool, ApiError> {
    let mut tx = state.db.read().await?;
    let tokens = tx.temp_tokens_of(session.id).await?;
    Ok(tokens.iter().any(|token| token.exchanged_at.is_some()))
}

/// Returns `true` if the browser shows the code that the provider gave it. A return that was settled by asking the
/// provider is bound to the first code that the provider accepts.
async fn is_proved(
    state: &AppState,
    callback: &CallbackRow,
    session: &SessionRow,
    response: &AuthorizationResponse,
    code: Option<&Digest>,
) -> Result<bool, ApiError> {
    let (Some(code), Some(given)) = (code, &response.code) else {
        return Ok(false);
    };
    if callback.code.is_some() {
        return Ok(true);
    }
    if session.bank_ref.is_none() {
        return Ok(false);
    }
    match ask(state, session, response, given).await {
        Ok(ConsentOutcome::Consented(_)) => {}
        Ok(_) | Err(AskError::Provider(_)) => return Ok(false),
        Err(AskError::Failure(failure)) => return Err(failure),
    }
    let mut tx = state.db.write().await?;
    let bound = tx.bind_callback(&callback.state, code).await?;
    tx.commit().await?;
    Ok(bound)
}

/// The nonce of the step that follows this return, while it is that step's turn.
async fn next_nonce(
    state: &AppState,
    callback: &CallbackRow,
    session: &SessionRow,
) -> Result<Option<String>, ApiError> {
    let over = status_at(session, state.now_of(session.tenant_id)).is_final();
    if over || session.awaiting != Awaiting::Step || session.position != callback.position {
        return Ok(None);
    }
    let mut tx = state.db.write().await?;
    let nonce =
        one_time_tokens::redeliver_nonce(state, &mut tx, session, callback.position).await?;
    tx.commit().await?;
    Ok(nonce.map(|nonce| nonce.text))
}
