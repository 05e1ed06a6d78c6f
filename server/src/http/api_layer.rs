//! The one layer around the API: ids, CORS, budgets, errors with a body, the request log, and one log line a call.
//!
//! One function instead of a stack of layers: each layer would box and clone every request once more.

use std::panic::AssertUnwindSafe;

use app::domain::problem::Code;
use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;

use super::notes::Notes;
use super::record::recorded;
use super::{cors, notice, paths, url_secrets};
use crate::gate::plain;
use crate::problem::Problem;
use crate::services::keys::ConsoleGrant;
use crate::services::limits::{Budget, Left};
use crate::services::refusal::Refusal;
use crate::state::AppState;

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-client-request-id");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// What the answer and the logs need of a request after the handler consumed it.
pub struct Seen {
    pub method: Method,
    pub path: String,
    route: Option<MatchedPath>,
    pub user_agent: Option<HeaderValue>,
    pub client_request_id: Option<HeaderValue>,
}

/// Passes a call of the API on and dresses its answer.
pub async fn api(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let notes = Notes::begin(&state, &parts.extensions);
    if let Some(answer) = cors::preflight(&parts.method, parts.uri.path(), &parts.headers) {
        return preflight(&state, &notes, answer);
    }
    let seen = Seen::of(&parts);
    let answer = if let Err(refused) = enter(&state, &notes, &seen, &parts) {
        refused.into_response()
    } else {
        parts.extensions.insert(notes.clone());
        let work = AssertUnwindSafe(next.run(Request::from_parts(parts, body)));
        work.catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(request.id = %notes.id, route = seen.route(), "a handler panicked");
            Problem::new(Code::InternalServerError).into_response()
        })
    };
    notes.end_turn();
    let answer = settle(&state, &notes, answer);
    let mut answer = dressed(
        with_body(answer, &notes, &seen, &state),
        &notes,
        &state,
        seen.client_request_id.clone(),
    );
    if answer.status() == StatusCode::UNAUTHORIZED && seen.is_rest() {
        let challenge = seen.challenge();
        answer
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
    }
    if cors::is_open(&seen.path) {
        cors::open(answer.headers_mut());
    }
    recorded(state, notes, seen, answer)
}

/// The answer to a preflight, which costs nothing but its place in a budget of its own.
fn preflight(state: &AppState, notes: &Notes, answer: Response) -> Response {
    let left = state
        .limits
        .spend_here(Budget::Preflight(notes.source), notes.at);
    let Some(refused) = refused(left) else {
        return dressed(answer, notes, state, None);
    };
    notes.left.set(left).ok();
    let mut answer = dressed(
        refused.answer(notes.id.0, &state.public_url),
        notes,
        state,
        None,
    );
    cors::open(answer.headers_mut());
    answer
}

/// Counts a call before anything is done for it; whoever has nothing left is sent away for the price of a look-up.
fn enter(state: &AppState, notes: &Notes, seen: &Seen, parts: &Parts) -> Result<(), Problem> {
    if paths::is_return(&seen.path) {
        // A browser: it takes whatever it is sent.
        let left = state
            .limits
            .spend_here(Budget::Return(notes.source), notes.at);
        notes.left.set(left).ok();
        return refused(left).map_or(Ok(()), Err);
    }
    // The console's calls are counted as visits to the portal.
    let is_counted =
        seen.path.starts_with("/v1") && parts.extensions.get::<ConsoleGrant>().is_none();
    if is_counted {
        let entered = state.limits.enter(notes.source, notes.at);
        if let Some(refused) = refused(entered.left) {
            notes.left.set(entered.left).ok();
            return Err(refused);
        }
        notes.entered.set(entered).ok();
    }
    if refuses_json(&parts.headers) {
        return Err(Problem::new(Code::NotAcceptable));
    }
    if let Some(refusal) = url_secrets::refused(&parts.uri) {
        tracing::warn!(request.id = %notes.id, "a secret came in a URL: the call was refused, and the secret should be rotated");
        return Err(refusal.into());
    }
    Ok(())
}

/// The refusal of a call that was one too many.
fn refused(left: Left) -> Option<Problem> {
    let wait = left.wait?;
    Some(
        Refusal::new(Code::TooManyRequests)
            .after(wait.into())
            .into(),
    )
}

/// Whoever proved keys, or went a step further with a nonce, was no stranger: that call was their tenant's. Strangers who were
/// let in on doubt alone had nothing left; nothing was done for them.
fn settle(state: &AppState, notes: &Notes, answer: Response) -> Response {
    let Some(entered) = notes.entered.get() else {
        return answer;
    };
    let went_on = notes.tenant.get().is_some() && answer.status().as_u16() < 400;
    if notes.key.get().is_some() || went_on {
        state.limits.prove(notes.source, *entered, notes.at);
        return answer;
    }
    let doubted = entered
        .unless_proved
        .and_then(|left| Some((left, refused(left)?)));
    if let Some((left, problem)) = doubted {
        notes.left.set(left).ok();
        problem.into_response()
    } else {
        notes.left.set(entered.left).ok();
        answer
    }
}

impl Seen {
    fn of(parts: &Parts) -> Self {
        let short = |value: &&HeaderValue| value.len() <= 128 && value.to_str().is_ok();
        Self {
            method: parts.method.clone(),
            path: url_secrets::without_keys(parts.uri.path()),
            route: parts.extensions.get::<MatchedPath>().cloned(),
            user_agent: parts.headers.get(header::USER_AGENT).cloned(),
            client_request_id: parts.headers.get(&REQUEST_ID).filter(short).cloned(),
        }
    }

    /// The route's template; a path that is none of ours has no name.
    pub fn route(&self) -> &str {
        self.route.as_ref().map_or("", MatchedPath::as_str)
    }

    /// Whether keys travel in headers: then a 401 says how (RFC 9110, section 11.6.1). Those of a body have no scheme.
    fn is_rest(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD | Method::DELETE)
    }

    fn challenge(&self) -> HeaderValue {
        if self.path.starts_with("/v1s") {
            // A signature (RFC 6750, section 3); the keys are in headers of their own.
            HeaderValue::from_static("Bearer realm=\"api\"")
        } else {
            HeaderValue::from_static("Basic realm=\"api\", charset=\"UTF-8\"")
        }
    }

    /// Health checks and the documents are nobody's calls.
    pub fn is_call(&self) -> bool {
        self.path.starts_with("/v1")
            && !matches!(self.path.as_str(), "/v1/openapi.json" | "/v1/postman.json")
    }
}

/// Whether `Accept` leaves no room for JSON.
fn refuses_json(headers: &HeaderMap) -> bool {
    let mut accepts = headers.get_all(header::ACCEPT).iter().peekable();
    accepts.peek().is_some()
        && !accepts
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|range| {
                let mut parts = range.split(';').map(str::trim);
                let media = parts.next().unwrap_or_default();
                let excluded = parts.any(|part| {
                    part.strip_prefix("q=")
                        .is_some_and(|q| q.parse() == Ok(0.0_f32))
                });
                !excluded && matches!(media, "*/*" | "application/*" | "application/json" | "")
            })
}

/// Gives a problem its body; headers that were set on its way stay.
fn with_body(mut answer: Response, notes: &Notes, seen: &Seen, state: &AppState) -> Response {
    let Some(problem) = answer.extensions_mut().remove::<Problem>() else {
        return answer;
    };
    let mut whole = if paths::is_return(&seen.path) {
        notice::page(state, &problem)
    } else {
        problem.answer(notes.id.0, &state.public_url)
    };
    if let Some(allow) = answer.headers_mut().remove(header::ALLOW) {
        whole.headers_mut().insert(header::ALLOW, allow);
    }
    whole
}

/// Headers of every answer.
fn dressed(
    mut answer: Response,
    notes: &Notes,
    state: &AppState,
    client_request_id: Option<HeaderValue>,
) -> Response {
    let headers = answer.headers_mut();
    let mut buffer = uuid::Uuid::encode_buffer();
    let id: &str = notes.id.0.hyphenated().encode_lower(&mut buffer);
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(id) = client_request_id {
        headers.insert(CLIENT_REQUEST_ID, id);
    }
    plain(headers, state.public_url.starts_with("https:"));
    if let Some(left) = notes.left.get() {
        let Left {
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
