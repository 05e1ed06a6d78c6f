//! What is written down of a call once its answer is sent: one line in the process log, and its row in the request log.

use std::time::Duration;

use app::domain::ids::SessionId;
use app::domain::problem::Code;
use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::response::Response;
use percent_encoding::{CONTROLS, utf8_percent_encode};

use super::request_context::RequestContext;
use super::request_head::RequestHead;
use super::tee::Tee;
use crate::metrics::FinishedCall;
use crate::problem::AnsweredCode;
use crate::security::{self, EventActor, SecurityEvent};
use crate::services::access::keys::ClientProof;
use crate::services::access::rate_limits::Budget;
use crate::state::AppState;
use crate::state::request_log::LogEntry;

/// The largest answer that is kept of a call that proved nothing: our own words on what was wrong with it, in bytes.
const UNPROVED_BODY: usize = 2 * 1024;

/// Hands the call to the request log and the process log once its answer is sent.
pub fn log_when_sent(
    state: AppState,
    context: RequestContext,
    head: RequestHead,
    answer: Response,
) -> Response {
    let status = answer.status().as_u16();
    let code = answer
        .extensions()
        .get::<AnsweredCode>()
        .map(|answered| answered.0);
    let (parts, body) = answer.into_parts();
    let scope = context.scope.clone();
    let report = move |bytes: Bytes, whole: bool| {
        let latency = context.started.elapsed();
        tell(&context, &head, status, code, latency);
        count(&state, &context, &head, status, code, latency);
        if head.is_call() {
            log(
                &state,
                &context,
                head,
                LoggedAnswer {
                    status,
                    code: code.map(Code::as_str),
                    latency,
                    body: bytes,
                    whole,
                },
            );
        }
    };
    Response::from_parts(parts, Body::new(Tee::new(body, scope, report)))
}

/// Counts a call for the metrics, and gives its span the outcome.
fn count(
    state: &AppState,
    context: &RequestContext,
    head: &RequestHead,
    status: u16,
    code: Option<Code>,
    time: Duration,
) {
    let span = context.scope.span();
    span.record("http.response.status_code", i64::from(status));
    if let Some(code) = code {
        span.record("error.type", code.as_str());
        state.metrics.count_refusal(code.as_str());
    }
    state.metrics.count_call(FinishedCall {
        door: "api",
        method: head.method.as_str(),
        route: operation(context, head),
        status,
        time,
    });
}

/// Writes the line of a call. A call that means something for security is told as that event, in the same one line.
fn tell(
    context: &RequestContext,
    head: &RequestHead,
    status: u16,
    code: Option<Code>,
    latency: Duration,
) {
    let proved = match (context.proof.get(), context.tenant.get()) {
        (Some(ClientProof::Key(key, _)), _) => Some(EventActor::Key(*key)),
        (Some(ClientProof::Console(run)), _) => Some(EventActor::Run(*run)),
        (None, Some(_)) if status < 400 => Some(EventActor::Nonce),
        _ => None,
    };
    let event = match context.secret_in_url.get() {
        Some(()) => Some(SecurityEvent::SecretInUrl),
        None => security::outcome(code, proved.is_some()),
    };
    let tenant = context.tenant.get().or(context.claimed.get());
    let (code, ms) = (code.map(Code::as_str), latency.as_secs_f64() * 1000.0);
    let statements = context.scope.statements();
    let (db_count, db_ms) = (statements.count(), statements.time().as_secs_f64() * 1000.0);
    let route = operation(context, head);
    let _within = context.scope.span().enter();
    if let Some(event) = event {
        tracing::info!(
            target: security::TARGET,
            event = event.as_str(),
            actor = %proved.unwrap_or(EventActor::Stranger),
            tenant = tenant.map(tracing::field::display),
            request_id = %context.id,
            source = %context.source,
            method = %head.method,
            route,
            status,
            code,
            ms,
            db_ms,
            db_count,
            "request"
        );
    } else {
        tracing::info!(
            request_id = %context.id,
            method = %head.method,
            route,
            status,
            code,
            ms,
            db_ms,
            db_count,
            tenant = tenant.map(tracing::field::display),
            "request"
        );
    }
}

/// Answer to a call, as the request log keeps it.
struct LoggedAnswer {
    status: u16,
    code: Option<&'static str>,
    latency: Duration,
    body: Bytes,
    whole: bool,
}

/// Hands a call over to the request log.
///
/// A stranger's call gets no row: nobody could see it. Anybody can name a tenant whose `client_id` they know, so what
/// proved nothing has a small budget of rows for each tenant, without what the caller sent, and what is over it is counted only.
fn log(state: &AppState, context: &RequestContext, head: RequestHead, told: LoggedAnswer) {
    let went_on = context.tenant.get().is_some() && told.status < 400;
    if context.key.get().is_some() || context.run.get().is_some() || went_on {
        state.request_log.add(entry(context, head, told));
        return;
    }
    let Some(tenant) = context.tenant.get().or(context.claimed.get()) else {
        return;
    };
    let left = state
        .rate_limits
        .spend_here(Budget::Unproved(*tenant), state.clock.now());
    if left.wait.is_some() {
        state.request_log.pass_over();
        return;
    }
    let mut bare = entry(context, head, told);
    bare.proved = false;
    bare.request_body = Bytes::new();
    if bare.response_body.len() > UNPROVED_BODY {
        bare.response_body = Bytes::new();
    }
    state.request_log.add(bare);
}

fn entry(context: &RequestContext, head: RequestHead, told: LoggedAnswer) -> LogEntry {
    let text = |value: Option<HeaderValue>| {
        value.map(|value| {
            String::from_utf8_lossy(value.as_bytes())
                .chars()
                .take(256)
                .collect::<String>()
        })
    };
    LogEntry {
        id: context.id,
        at: context.at,
        tenant: context.tenant.get().or(context.claimed.get()).copied(),
        session: context
            .session
            .get()
            .copied()
            .or_else(|| session_in(operation(context, &head), &head)),
        key: context.key.get().copied(),
        console: context.run.get().is_some(),
        proved: true,
        method: head.method.as_str().to_owned(),
        operation: operation(context, &head).to_owned(),
        status: told.status,
        error_code: told.code,
        latency: told.latency,
        user_agent: text(head.user_agent).unwrap_or_default(),
        ip: context.source.to_string(),
        client_request_id: text(head.client_request_id),
        // Some clients send letters beyond ASCII as they are: kept as others send them, they are found alike.
        path: utf8_percent_encode(&head.path, CONTROLS).to_string(),
        request_body: context.body.get().cloned().unwrap_or_default(),
        response_body: told.body,
        response_whole: told.whole,
    }
}

/// The operation as the API documents it.
fn operation<'a>(context: &'a RequestContext, head: &'a RequestHead) -> &'a str {
    context
        .operation
        .get()
        .map_or_else(|| head.route(), String::as_str)
}

/// The session a path names.
fn session_in(operation: &str, head: &RequestHead) -> Option<SessionId> {
    let found = operation
        .split('/')
        .zip(head.path.split('/'))
        .find(|(part, _)| *part == "{session_id}");
    found.and_then(|(_, id)| id.parse().ok())
}
