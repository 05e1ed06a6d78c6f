//! The one layer around the API: ids, CORS, budgets, errors with a body, the request log, and one log line a call.
//!
//! One function instead of a stack of layers: each layer would box and clone every request once more.

use std::panic::AssertUnwindSafe;

use app::domain::problem::Code;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use kernel::gate::plain;

use super::record::log_when_sent;
use super::request_context::RequestContext;
use super::request_head::{REQUEST_ID, RequestHead};
use super::{accept, cors, notice, paths, repeated, url_secrets};
use crate::problem::Problem;
use crate::security::{self, EventActor, SecurityEvent};
use crate::services::access::keys::ConsoleGrant;
use crate::services::access::rate_limits::{Budget, RateLimitState};
use crate::services::refusal::Refusal;
use crate::state::AppState;

const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-client-request-id");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// Passes a call of the API on and dresses its answer.
pub async fn api(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let head = RequestHead::of(&parts);
    let context = RequestContext::begin(&state, &parts.extensions, Some(&head));
    if let Some(answer) = cors::preflight(&parts.method, parts.uri.path(), &parts.headers) {
        return preflight(&state, &context, answer).await;
    }
    let answer = if let Err(refused) = enter(&state, &context, &head, &parts) {
        refused.into_response()
    } else {
        parts.extensions.insert(context.clone());
        let work = next.run(Request::from_parts(parts, body));
        let work = AssertUnwindSafe(context.scope.run(work));
        work.catch_unwind().await.unwrap_or_else(|_| {
            context
                .scope
                .enter(|| tracing::error!(route = head.route(), "a handler panicked"));
            Problem::new(Code::InternalServerError).into_response()
        })
    };
    context.end_turn();
    let answer = settle_entry(&state, &context, answer);
    let mut answer = with_headers(
        with_body(answer, &context, &head, &state),
        &context,
        &state,
        head.client_request_id.clone(),
    );
    if answer.status() == StatusCode::UNAUTHORIZED && head.is_rest() {
        let challenge = head.challenge();
        answer
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
    }
    if cors::is_open(&head.path) {
        cors::open(answer.headers_mut());
    }
    log_when_sent(state, context, head, answer)
}

/// The answer to a preflight, which costs nothing but its place in a budget of its own.
async fn preflight(state: &AppState, context: &RequestContext, answer: Response) -> Response {
    let left = state
        .rate_limits
        .spend_here(Budget::Preflight(context.source), context.at);
    let Some(refused) = rate_limited(left) else {
        return with_headers(answer, context, state, None);
    };
    let refusing = async {
        let source = context.source.to_string();
        security::tell(SecurityEvent::LimitHit, EventActor::Stranger, None, &source);
    };
    context.scope.run(refusing).await;
    context.rate_limit.set(left).ok();
    let mut answer = with_headers(
        refused.answer(context.id.0, &state.public_url),
        context,
        state,
        None,
    );
    cors::open(answer.headers_mut());
    answer
}

/// Counts a call before anything is done for it; whoever has nothing left is sent away for the price of a look-up.
fn enter(
    state: &AppState,
    context: &RequestContext,
    head: &RequestHead,
    parts: &Parts,
) -> Result<(), Problem> {
    if paths::is_return(&head.path) {
        // A browser: it takes whatever it is sent.
        let left = state
            .rate_limits
            .spend_here(Budget::Return(context.source), context.at);
        context.rate_limit.set(left).ok();
        return rate_limited(left).map_or(Ok(()), Err);
    }
    // The console's calls are counted as visits to the portal.
    let is_counted =
        head.path.starts_with("/v1") && parts.extensions.get::<ConsoleGrant>().is_none();
    if is_counted {
        let entered = state.rate_limits.enter(context.source, context.at);
        if let Some(refused) = rate_limited(entered.left) {
            context.rate_limit.set(entered.left).ok();
            return Err(refused);
        }
        context.entered.set(entered).ok();
    }
    if accept::refuses_json(&parts.headers) {
        return Err(Problem::new(Code::NotAcceptable));
    }
    repeated::check(&parts.headers)?;
    if let Some(refusal) = url_secrets::refused(&parts.uri) {
        context.secret_in_url.set(()).ok();
        return Err(refusal.into());
    }
    Ok(())
}

/// The refusal of a call that was one too many.
fn rate_limited(left: RateLimitState) -> Option<Problem> {
    let wait = left.wait?;
    Some(
        Refusal::new(Code::TooManyRequests)
            .after(wait.into())
            .into(),
    )
}

/// Gives the charge of a call's entry back to its source if the call proved keys, or succeeded with a nonce: it is
/// counted against its tenant. A call that was let in only because keys were proved from its source lately, and proved
/// none itself, is refused as its source's budget says.
fn settle_entry(state: &AppState, context: &RequestContext, answer: Response) -> Response {
    let Some(entered) = context.entered.get() else {
        return answer;
    };
    let went_on = context.tenant.get().is_some() && answer.status().as_u16() < 400;
    if context.key.get().is_some() || went_on {
        state
            .rate_limits
            .prove(context.source, *entered, context.at);
        return answer;
    }
    let doubted = entered
        .unless_proved
        .and_then(|left| Some((left, rate_limited(left)?)));
    if let Some((left, problem)) = doubted {
        context.rate_limit.set(left).ok();
        problem.into_response()
    } else {
        context.rate_limit.set(entered.left).ok();
        answer
    }
}

/// Gives a problem its body; headers that were set on its way stay.
fn with_body(
    mut answer: Response,
    context: &RequestContext,
    head: &RequestHead,
    state: &AppState,
) -> Response {
    let Some(problem) = answer.extensions_mut().remove::<Problem>() else {
        return answer;
    };
    let mut whole = if paths::is_return(&head.path) {
        notice::page(state, &problem)
    } else {
        problem.answer(context.id.0, &state.public_url)
    };
    if let Some(allow) = answer.headers_mut().remove(header::ALLOW) {
        whole.headers_mut().insert(header::ALLOW, allow);
    }
    whole
}

/// Headers of every answer.
fn with_headers(
    mut answer: Response,
    context: &RequestContext,
    state: &AppState,
    client_request_id: Option<HeaderValue>,
) -> Response {
    let headers = answer.headers_mut();
    let mut buffer = uuid::Uuid::encode_buffer();
    let id: &str = context.id.0.hyphenated().encode_lower(&mut buffer);
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(id) = client_request_id {
        headers.insert(CLIENT_REQUEST_ID, id);
    }
    plain(headers, state.public_url.starts_with("https:"));
    if let Some(left) = context.rate_limit.get() {
        let RateLimitState {
            policy,
            quota,
            window,
            remaining,
            reset,
            ..
        } = left;
        let texts = [
            (POLICY, format!("\"{policy}\";q={quota};w={window}")),
            (LEFT, format!("\"{policy}\";r={remaining};t={reset}")),
        ];
        for (name, text) in texts {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        }
    }
    answer
}
