//! One line a visit: which screen, how it went, how long it took. Never the address as it was asked for, which may
//! hold a one-time link.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::state::AppState;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The layer that gives a visit its id and writes the line.
pub async fn line(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = state.clock.id().to_string();
    let method = request.method().clone();
    let screen = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "(none)".to_owned(), |path| path.as_str().to_owned());
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::try_from(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let status = response.status().as_u16();
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(request = id, %method, screen, status, ms, "portal");
    response
}
