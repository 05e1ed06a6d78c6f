//! The one layer around the API: ids, CORS, budgets, errors with a body, the request log, and one log line a call.
//!
//! One function instead of a stack of layers: each layer would box and clone every request once more.

use std::panic::AssertUnwindSafe;

use app::domain::problem::Code;
use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;

use super::cors;
use super::notes::Notes;
use super::tee::Tee;
use super::url_secrets;
use crate::problem::{Answered, Problem};
use crate::services::limits::{Budget, Left};
use crate::services::refusal::Refusal;
use crate::services::requests::log::Entry;
use crate::state::AppState;

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-client-request-id");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// What the answer and the logs need of a request after the handler consumed it.
struct Seen {
    method: axum::http::Method,
    path: String,
    route: Option<MatchedPath>,
    user_agent: Option<HeaderValue>,
    client_request_id: Option<HeaderValue>,
}

/// Passes a call of the API on and dresses its answer.
pub async fn api(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let notes = Notes::begin(&state, &parts.extensions);
    if let Some(answer) = cors::preflight(&parts.method, parts.uri.path(), &parts.headers) {
        return dressed(answer, &notes, None);
    }
    let seen = Seen::of(&parts);
    parts.extensions.insert(notes.clone());
    let answer = if refuses_json(&parts.headers) {
        Problem::new(Code::NotAcceptable).into_response()
    } else if let Some(refusal) = url_secrets::refused(&parts.uri) {
        tracing::warn!(request.id = %notes.id, "a secret came in a URL: the call was refused, and the secret should be rotated");
        Problem::from(refusal).into_response()
    } else {
        let work = AssertUnwindSafe(next.run(Request::from_parts(parts, body)));
        work.catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(request.id = %notes.id, route = seen.route(), "a handler panicked");
            Problem::new(Code::InternalServerError).into_response()
        })
    };
    let answer = counted(&state, &notes, &seen, answer);
    let mut answer = dressed(
        with_body(answer, &notes, &state),
        &notes,
        seen.client_request_id.clone(),
    );
    if cors::is_open(&seen.path) {
        cors::open(answer.headers_mut());
    }
    recorded(state, notes, seen, answer)
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
    fn route(&self) -> &str {
        self.route.as_ref().map_or("", MatchedPath::as_str)
    }

    /// Health checks and the documents are nobody's calls.
    fn is_call(&self) -> bool {
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

/// Calls that reached no budget count against their source's own.
fn counted(state: &AppState, notes: &Notes, seen: &Seen, answer: Response) -> Response {
    if notes.left.get().is_some() || !seen.is_call() {
        return answer;
    }
    let left = state
        .limits
        .spend_here(Budget::Stranger(notes.source), state.clock.now());
    notes.left.set(left).ok();
    match left.wait {
        Some(wait) => {
            Problem::from(Refusal::new(Code::TooManyRequests).after(wait.into())).into_response()
        }
        None => answer,
    }
}

/// Gives a problem its body; headers that were set on its way stay.
fn with_body(mut answer: Response, notes: &Notes, state: &AppState) -> Response {
    let Some(problem) = answer.extensions_mut().remove::<Problem>() else {
        return answer;
    };
    let mut whole = problem.answer(notes.id.0, &state.public_url);
    if let Some(allow) = answer.headers_mut().remove(header::ALLOW) {
        whole.headers_mut().insert(header::ALLOW, allow);
    }
    whole
}

/// Headers of every answer.
fn dressed(
    mut answer: Response,
    notes: &Notes,
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
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    if let Some(left) = notes.left.get() {
        let Left {
            policy,
            quota,
            remaining,
            reset,
            ..
        } = left;
        let texts = [
            (POLICY, format!("\"{policy}\";q={quota};w=60")),
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

/// Hands the call to the request log and the process log once its answer is sent.
fn recorded(state: AppState, notes: Notes, seen: Seen, answer: Response) -> Response {
    let status = answer.status().as_u16();
    let code = answer
        .extensions()
        .get::<Answered>()
        .map(|answered| answered.0.as_str());
    let (parts, body) = answer.into_parts();
    let report = move |bytes: Bytes, whole: bool| {
        let latency = notes.started.elapsed();
        tracing::info!(
            request.id = %notes.id,
            method = %seen.method,
            route = operation(&notes, &seen),
            status,
            code,
            ms = latency.as_secs_f64() * 1000.0,
            tenant.id = notes.tenant.get().map(tracing::field::display),
            "request"
        );
        if seen.is_call() && is_worth_a_row(&state, &notes, status) {
            state
                .request_log
                .add(entry(&notes, seen, status, code, latency, (bytes, whole)));
        }
    };
    Response::from_parts(parts, Body::new(Tee::new(body, report)))
}

/// Whether a call gets a row in the log. Anybody can name a tenant whose `client_id` they know, so calls that proved
/// nothing have a small budget for each tenant; what is over it is counted, not kept.
fn is_worth_a_row(state: &AppState, notes: &Notes, status: u16) -> bool {
    let proved = status < 400 || notes.key.get().is_some() || notes.run.get().is_some();
    let left = match notes.tenant.get().or(notes.claimed.get()) {
        _ if proved => return true,
        Some(tenant) => state
            .limits
            .spend_here(Budget::Unproved(*tenant), state.clock.now()),
        // Names nobody: its rows end with its source's budget of calls.
        None => return status != Code::TooManyRequests.entry().http,
    };
    if left.wait.is_some() {
        state.request_log.pass_over();
    }
    left.wait.is_none()
}

fn entry(
    notes: &Notes,
    seen: Seen,
    status: u16,
    error_code: Option<&'static str>,
    latency: std::time::Duration,
    (response_body, response_whole): (Bytes, bool),
) -> Entry {
    let text = |value: Option<HeaderValue>| {
        value.map(|value| {
            String::from_utf8_lossy(value.as_bytes())
                .chars()
                .take(256)
                .collect::<String>()
        })
    };
    Entry {
        id: notes.id,
        at: notes.at,
        tenant: notes.tenant.get().or(notes.claimed.get()).copied(),
        session: notes
            .session
            .get()
            .copied()
            .or_else(|| session_in(operation(notes, &seen), &seen)),
        key: notes.key.get().copied(),
        console: notes.run.get().is_some(),
        method: seen.method.as_str().to_owned(),
        operation: operation(notes, &seen).to_owned(),
        status,
        error_code,
        latency,
        user_agent: text(seen.user_agent).unwrap_or_default(),
        ip: notes.source.to_string(),
        client_request_id: text(seen.client_request_id),
        path: seen.path,
        request_body: notes.body.get().cloned().unwrap_or_default(),
        response_body,
        response_whole,
    }
}

/// The operation as the API documents it.
fn operation<'a>(notes: &'a Notes, seen: &'a Seen) -> &'a str {
    notes
        .operation
        .get()
        .map_or_else(|| seen.route(), String::as_str)
}

/// The session a path names.
fn session_in(operation: &str, seen: &Seen) -> Option<app::domain::ids::SessionId> {
    let found = operation
        .split('/')
        .zip(seen.path.split('/'))
        .find(|(part, _)| *part == "{session_id}");
    found.and_then(|(_, id)| id.parse().ok())
}
