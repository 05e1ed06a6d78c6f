//! One line a visit: which screen, how it went, how long it took. Never the address as it was asked for, which may
//! hold a one-time link.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use tracing::Span;
use tracing::field::Empty;
use uuid::Uuid;

use super::rate_limit::source as of_request;
use crate::metrics::FinishedCall;
use crate::scope::Scope;
use crate::security::{self, SecurityEvent};
use crate::state::AppState;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The layer that gives a visit its id and writes the line.
pub async fn line(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = state.clock.id();
    let method = request.method().clone();
    let screen = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "(none)".to_owned(), |path| path.as_str().to_owned());
    let source = of_request(request.extensions()).to_string();
    let run = async {
        let response = next.run(request).await;
        tell(&response, &source);
        response
    };
    let span = span(id, method.as_str(), &screen);
    let scope = Scope::of_request(id, span);
    let mut response = scope.run(run).await;
    if let Ok(value) = HeaderValue::try_from(id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let status = response.status().as_u16();
    let time = started.elapsed();
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let statements = scope.statements();
    let (db_count, db_ms) = (statements.count(), statements.time().as_secs_f64() * 1000.0);
    let span = scope.span();
    span.record("http.response.status_code", i64::from(status));
    span.in_scope(|| {
        tracing::info!(request_id = %id, %method, screen, status, ms, db_ms, db_count, "portal");
    });
    state.metrics.count_call(FinishedCall {
        door: "portal",
        method: method.as_str(),
        route: &screen,
        status,
        time,
    });
    response
}

/// Makes the span of a visit: see that of a call (`http/request_context`).
fn span(id: Uuid, method: &str, screen: &str) -> Span {
    tracing::error_span!(
        target: "request",
        "request",
        request_id = %id,
        tenant = Empty,
        otel.name = format_args!("{method} {screen}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = screen,
        http.response.status_code = Empty,
    )
}

/// Tells of a visit that was refused: what a page answers with 403 is not allowed to who asks, and 429 is a limit.
fn tell(response: &Response, source: &str) {
    let event = match response.status() {
        StatusCode::FORBIDDEN => SecurityEvent::AuthorisationRefused,
        StatusCode::TOO_MANY_REQUESTS => SecurityEvent::LimitHit,
        _ => return,
    };
    security::tell(event, security::who(), None, source);
}
