//! What is written down of a call once its answer is sent: one line in the process log, and its row in the request log.

use app::domain::ids::SessionId;
use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::response::Response;

use super::api_layer::Seen;
use super::notes::Notes;
use super::tee::Tee;
use crate::problem::Answered;
use crate::services::limits::Budget;
use crate::services::requests::log::Entry;
use crate::state::AppState;

/// The largest answer that is kept of a call that proved nothing: our own words on what was wrong with it, in bytes.
const UNPROVED_BODY: usize = 2 * 1024;

/// Hands the call to the request log and the process log once its answer is sent.
pub fn recorded(state: AppState, notes: Notes, seen: Seen, answer: Response) -> Response {
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
        if seen.is_call() {
            log(
                &state,
                &notes,
                seen,
                Told {
                    status,
                    code,
                    latency,
                    body: bytes,
                    whole,
                },
            );
        }
    };
    Response::from_parts(parts, Body::new(Tee::new(body, report)))
}

/// What was answered.
struct Told {
    status: u16,
    code: Option<&'static str>,
    latency: std::time::Duration,
    body: Bytes,
    whole: bool,
}

/// Hands a call over to the request log.
///
/// A stranger's call gets no row: nobody could see it. Anybody can name a tenant whose `client_id` they know, so what
/// proved nothing has a small budget of rows for each tenant, without what the caller sent, and what is over it is counted only.
fn log(state: &AppState, notes: &Notes, seen: Seen, told: Told) {
    let went_on = notes.tenant.get().is_some() && told.status < 400;
    if notes.key.get().is_some() || notes.run.get().is_some() || went_on {
        state.request_log.add(entry(notes, seen, told));
        return;
    }
    let Some(tenant) = notes.tenant.get().or(notes.claimed.get()) else {
        return;
    };
    let left = state
        .limits
        .spend_here(Budget::Unproved(*tenant), state.clock.now());
    if left.wait.is_some() {
        state.request_log.pass_over();
        return;
    }
    let mut bare = entry(notes, seen, told);
    bare.proved = false;
    bare.request_body = Bytes::new();
    if bare.response_body.len() > UNPROVED_BODY {
        bare.response_body = Bytes::new();
    }
    state.request_log.add(bare);
}

fn entry(notes: &Notes, seen: Seen, told: Told) -> Entry {
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
        proved: true,
        method: seen.method.as_str().to_owned(),
        operation: operation(notes, &seen).to_owned(),
        status: told.status,
        error_code: told.code,
        latency: told.latency,
        user_agent: text(seen.user_agent).unwrap_or_default(),
        ip: notes.source.to_string(),
        client_request_id: text(seen.client_request_id),
        path: seen.path,
        request_body: notes.body.get().cloned().unwrap_or_default(),
        response_body: told.body,
        response_whole: told.whole,
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
fn session_in(operation: &str, seen: &Seen) -> Option<SessionId> {
    let found = operation
        .split('/')
        .zip(seen.path.split('/'))
        .find(|(part, _)| *part == "{session_id}");
    found.and_then(|(_, id)| id.parse().ok())
}
