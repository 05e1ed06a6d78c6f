//! OAuth redirects back from a provider: the authorization response carries `state` and a one-time `code` (RFC 6749,
//! section 4.1.2), and the end-user ends at the tenant's own link.
//!
//! What was consented is asked of the provider and never read from the URL. A refusal ends the attempt, not the
//! session; a repeated valid callback has the same outcome and harms no earlier one; only the tenant's cancel is final.
//!
//! `state` is in the address that whoever opened the session was given for the end-user, so it proves no browser. What
//! a consent brings goes to the browser that shows the provider's one-time code, and to nobody else on a link.

mod link_outcome;
mod repeated;

use std::sync::Arc;

use app::domain::ids::{SessionId, StepId, TenantId};
use app::domain::problem::Code;
use app::domain::session::SessionEvent;
use kernel::crypto::Digest;
use secrecy::{ExposeSecret as _, SecretString};

use super::standing::{skill_named, status_at};
use super::transition::{self, ClaimedSession, Delivery, Success};
use crate::scope;
use crate::services::access::keys;
use crate::services::consents::provider_access::{
    callback_digest, callback_url, connector, open_ref, provider_refusal,
};
use crate::services::consents::{self, payments};
use crate::services::lease::LEASE;
use crate::services::refusal::ApiError;
use crate::skills::{Connector, ConnectorError, ConsentOutcome, Next, Opaque, ProviderCallback};
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::callbacks::{CallbackOutcome, CallbackRow};
use crate::storage::sessions::{SessionClaim, SessionRow};
use link_outcome::{LinkOutcome, link_with_outcome};
use repeated::repeat_outcome;

/// Parameters of a provider's redirect (RFC 6749, section 4.1.2).
pub struct AuthorizationResponse {
    pub state: SecretString,
    pub code: Option<SecretString>,
    /// The provider says it was not consented (RFC 6749, section 4.1.2.1).
    pub refused: bool,
}

/// Destination of the end-user's browser.
pub enum CallbackResult {
    /// The tenant's link, with what came of it in its query.
    Link(String),
    /// Another request works on the same callback: ask again in a moment.
    Wait,
}

/// Handles an authorization response. An unknown `state` is refused: there is no link to send anybody to.
pub async fn handle_callback(
    state: &AppState,
    response: AuthorizationResponse,
) -> Result<CallbackResult, ApiError> {
    let state = state.clone();
    // To the end, even if the browser hangs up: the code works only once.
    let work = scope::spawn(async move { process(&state, &response).await });
    work.await.unwrap_or_else(|error| {
        Err(ApiError::Broken(format!(
            "a return's work broke off: {error}"
        )))
    })
}

/// The work of [`handle_callback`]; dropping it is a crash.
pub(in crate::services) async fn process(
    state: &AppState,
    response: &AuthorizationResponse,
) -> Result<CallbackResult, ApiError> {
    let digest = callback_digest(state, response.state.expose_secret());
    let mut tx = state.db.read().await?;
    let callback = tx.callback(&digest).await?;
    let callback = callback.ok_or_else(|| ApiError::from(Code::TppRedirectError))?;
    let session = tx.session(callback.session_id).await?;
    let session = session.ok_or_else(|| ApiError::broken("a return without its session"))?;
    let unserved = unserved(&mut tx, &session).await?;
    let state = &state.for_tenant(&mut tx, session.tenant_id).await?;
    drop(tx);
    let code = response.code.as_ref().map(|code| code_digest(state, code));
    let outcome = match (callback.outcome, unserved) {
        (CallbackOutcome::Waiting, _) => {
            first(state, &callback, &session, response, code, unserved).await?
        }
        (_, Some(why)) => Some(LinkOutcome::ended(why)),
        (_, None) => {
            Some(repeat_outcome(state, &callback, &session, response, code.as_ref()).await?)
        }
    };
    outcome.map_or(Ok(CallbackResult::Wait), |outcome| {
        link_with_outcome(state, &callback, &session, outcome).map(CallbackResult::Link)
    })
}

/// Returns the reason why nothing may be done in the tenant's name; `None` if the tenant is served.
async fn unserved(tx: &mut Tx, session: &SessionRow) -> Result<Option<Code>, ApiError> {
    match keys::check_served(tx, session.tenant_id).await {
        Ok(()) => Ok(None),
        Err(ApiError::Refused(refusal)) => Ok(Some(refusal.code)),
        Err(failure) => Err(failure),
    }
}

/// Follows a return that nobody has followed yet; `None` while another request does.
async fn first(
    state: &AppState,
    callback: &CallbackRow,
    session: &SessionRow,
    response: &AuthorizationResponse,
    code: Option<Digest>,
    unserved: Option<Code>,
) -> Result<Option<LinkOutcome>, ApiError> {
    let now = state.now_of(session.tenant_id);
    if status_at(session, now).is_final() {
        return Ok(Some(LinkOutcome::ended(
            unserved.unwrap_or(Code::SessionEnded),
        )));
    }
    if response.code.is_none() && !response.refused {
        return Err(Code::TppRedirectError.into());
    }
    let Some((session, claim)) = claim_callback(state, callback, session.tenant_id).await? else {
        return Ok(None);
    };
    let claimed = ClaimedSession {
        session: &session,
        claim,
    };
    let (returned, delivery) = match &response.code {
        Some(given) => (
            ask(state, &session, response, given).await.map(Some),
            Delivery::OnLink,
        ),
        // Not even a refusal is read from the URL; and anybody who knows the address could have sent it.
        None => (settle(state, &session, true).await, Delivery::OnRequest),
    };
    match unserved {
        Some(why) => revoke_unserved(state, callback, claimed, returned, why).await,
        None => conclude(state, callback, claimed, returned, code.as_ref(), delivery).await,
    }
}

/// Ends the session of a tenant that is not served: whatever was consented is taken back at the provider.
async fn revoke_unserved(
    state: &AppState,
    callback: &CallbackRow,
    claimed: ClaimedSession<'_>,
    returned: Result<Option<ConsentOutcome>, AskError>,
    why: Code,
) -> Result<Option<LinkOutcome>, ApiError> {
    let session = claimed.session;
    let mut tx = state.db.write().await?;
    let settled = tx
        .settle_callback(&callback.state, CallbackOutcome::Refused, None)
        .await?;
    if !settled || !claimed.fail(state, &mut tx, why.as_str()).await? {
        return Ok(None);
    }
    if let Ok(Some(outcome)) = returned
        && let ConsentOutcome::Consented(next) | ConsentOutcome::Settled(next) = outcome
        && let Next::Done { granted, .. } = next
    {
        consents::revoke(state, &mut tx, &session.skill, &granted.grant).await?;
    }
    transition::stop_at_provider(state, &mut tx, session, open_ref(state, session)?.as_ref())
        .await?;
    payments::on_session_ended(state, &mut tx, session.id).await?;
    tx.commit().await?;
    Ok(Some(LinkOutcome::ended(why)))
}

/// Asks the provider about a session whose end-user is at its pages and has not come back: they may have agreed and
/// closed the browser. Their decision counts; until there is one, nothing changes.
pub async fn poll_waiting(state: &AppState, session: SessionId) -> Result<(), ApiError> {
    let mut tx = state.db.read().await?;
    let callback = tx.waiting_callback(session).await?;
    let row = tx.session(session).await?;
    let (Some(callback), Some(row)) = (callback, row) else {
        return Ok(());
    };
    // Nothing completes in the name of a tenant that is not served.
    if unserved(&mut tx, &row).await?.is_some() {
        return Ok(());
    }
    drop(tx);
    let Some((session, claim)) = claim_callback(state, &callback, row.tenant_id).await? else {
        return Ok(());
    };
    let state = &state.for_tenant_alone(session.tenant_id).await?;
    let claimed = ClaimedSession {
        session: &session,
        claim,
    };
    match settle(state, &session, false).await {
        Ok(None) | Err(AskError::Provider(_)) => claimed.release(state).await,
        settled => conclude(
            state,
            &callback,
            claimed,
            settled,
            None,
            Delivery::OnRequest,
        )
        .await
        .map(drop),
    }
}

/// Writes down what the provider says. The claim is released in any case.
async fn conclude(
    state: &AppState,
    callback: &CallbackRow,
    claimed: ClaimedSession<'_>,
    returned: Result<Option<ConsentOutcome>, AskError>,
    code: Option<&Digest>,
    delivery: Delivery,
) -> Result<Option<LinkOutcome>, ApiError> {
    // A code that settles nothing new may be made up: it is worth no more than a question to the bank.
    let (code, delivery) = match returned {
        Ok(Some(ConsentOutcome::Settled(_))) => (None, Delivery::OnRequest),
        _ => (code, delivery),
    };
    let outcome = match returned {
        Ok(Some(ConsentOutcome::Consented(next) | ConsentOutcome::Settled(next))) => {
            complete_consent(state, callback, claimed, &next, code, delivery).await
        }
        Ok(Some(ConsentOutcome::Refused { reason })) => {
            retry_refused(state, callback, claimed, &reason, link_outcome::DENIED).await
        }
        Ok(None) => {
            retry_refused(
                state,
                callback,
                claimed,
                "access_denied",
                link_outcome::DENIED,
            )
            .await
        }
        Err(AskError::Provider(error)) => {
            let code = provider_refusal(&claimed.session.skill, &error)
                .code
                .as_str();
            let failed = ("bank_error", code);
            if error.is_passing() {
                claimed.release(state).await?;
                Ok(Some(LinkOutcome::error(failed, None)))
            } else {
                retry_refused(state, callback, claimed, "bank_error", failed).await
            }
        }
        Err(AskError::Failure(failure)) => Err(failure),
    };
    if outcome.is_err() {
        claimed.release(state).await?;
    }
    outcome
}

/// Claims the return for this task, committed before the provider is asked; `None` while another task has it.
async fn claim_callback(
    state: &AppState,
    callback: &CallbackRow,
    tenant: TenantId,
) -> Result<Option<(SessionRow, StepId)>, ApiError> {
    let claim = StepId(state.clock.id());
    let lease = SessionClaim::new(claim, state.clock.now(), LEASE);
    let mut tx = state.db.write().await?;
    let claimed = tx
        .claim_callback(
            callback.session_id,
            callback.position,
            &lease,
            state.now_of(tenant),
        )
        .await?;
    let Some(session) = claimed else {
        return Ok(None);
    };
    tx.commit().await?;
    Ok(Some((session, claim)))
}

enum AskError {
    Provider(ConnectorError),
    Failure(ApiError),
}

/// Returns the connector that sent the end-user away, the redirect URI they come back to, and the data that the
/// connector asked to have kept.
fn redirecting_connector(
    state: &AppState,
    session: &SessionRow,
) -> Result<(Arc<dyn Connector>, String, Opaque), AskError> {
    let broken = |what: &str| AskError::Failure(ApiError::Broken(what.into()));
    let connector = connector(state, &session.skill).map_err(AskError::Failure)?;
    let skill = skill_named(state, session.skill.as_str()).map_err(AskError::Failure)?;
    let bank_ref = open_ref(state, session).map_err(AskError::Failure)?;
    let bank_ref = bank_ref.ok_or_else(|| broken("a redirect without what its connector kept"))?;
    Ok((connector, callback_url(state, &skill), bank_ref))
}

async fn ask(
    state: &AppState,
    session: &SessionRow,
    response: &AuthorizationResponse,
    code: &SecretString,
) -> Result<ConsentOutcome, AskError> {
    let (connector, callback, bank_ref) = redirecting_connector(state, session)?;
    let returned = ProviderCallback {
        code: code.clone(),
        state: response.state.clone(),
        callback,
        bank_ref,
    };
    connector.finish(returned).await.map_err(AskError::Provider)
}

async fn settle(
    state: &AppState,
    session: &SessionRow,
    close: bool,
) -> Result<Option<ConsentOutcome>, AskError> {
    let (connector, _, bank_ref) = redirecting_connector(state, session)?;
    let settled = connector.settle(&bank_ref, close).await;
    settled.map_err(AskError::Provider)
}

async fn complete_consent(
    state: &AppState,
    callback: &CallbackRow,
    claimed: ClaimedSession<'_>,
    next: &Next,
    code: Option<&Digest>,
    delivery: Delivery,
) -> Result<Option<LinkOutcome>, ApiError> {
    let mut tx = state.db.write().await?;
    let settled = tx
        .settle_callback(&callback.state, CallbackOutcome::Granted, code)
        .await?;
    let applied = if settled {
        let success = Success {
            next,
            of: &callback.step,
            event: SessionEvent::Returned,
            delivery,
        };
        claimed.advance(state, &mut tx, success).await?
    } else {
        None
    };
    let Some(applied) = applied else {
        drop(tx);
        transition::undo_at_provider(state, claimed.session, next).await?;
        return Ok(None);
    };
    let data = transition::answer_data(next);
    transition::update_answer(state, &mut tx, claimed.session, data).await?;
    tx.commit().await?;
    if delivery != Delivery::OnLink {
        return Ok(Some(LinkOutcome::Continues(None)));
    }
    let nonce = applied.nonce;
    Ok(Some(
        applied
            .temp_token
            .map_or(LinkOutcome::Continues(nonce), LinkOutcome::Token),
    ))
}

/// Ends the attempt: the same step may be tried again, with the nonce that goes to the tenant's link.
async fn retry_refused(
    state: &AppState,
    callback: &CallbackRow,
    claimed: ClaimedSession<'_>,
    reason: &str,
    error: (&'static str, &'static str),
) -> Result<Option<LinkOutcome>, ApiError> {
    let mut tx = state.db.write().await?;
    let settled = tx
        .settle_callback(&callback.state, CallbackOutcome::Refused, None)
        .await?;
    if !settled {
        return Ok(None);
    }
    let nonce = claimed
        .retry_step(state, &mut tx, &callback.step, reason, Delivery::OnLink)
        .await?;
    if nonce.is_none() {
        return Ok(None);
    }
    let now = state.now_of(claimed.session.tenant_id);
    tx.reject_payment(claimed.session.id, now).await?;
    tx.commit().await?;
    Ok(Some(LinkOutcome::error(error, nonce)))
}

fn code_digest(state: &AppState, code: &SecretString) -> Digest {
    state.pepper.digest("return_code", code.expose_secret())
}
