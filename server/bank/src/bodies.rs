//! Bodies are read whole before anybody looks at them, within the room that all share.

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use kernel::gate::{BodyReadError, MemoryShare};

use super::texts;

/// The layer that reads a body of up to so many bytes.
pub async fn read(State(most): State<usize>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let room = parts
        .extensions
        .get::<MemoryShare>()
        .cloned()
        .unwrap_or_default();
    match room.whole(body, most).await {
        Ok(bytes) => {
            if let Some(refused) = texts::unstorable(&parts.headers, &bytes) {
                return refused;
            }
            let request = Request::from_parts(parts, Body::from(bytes));
            next.run(request).await
        }
        Err(BodyReadError::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(BodyReadError::TooSlow) => StatusCode::REQUEST_TIMEOUT.into_response(),
        Err(BodyReadError::Broken) => StatusCode::BAD_REQUEST.into_response(),
        Err(BodyReadError::Full) => {
            let again = [(RETRY_AFTER, HeaderValue::from_static("1"))];
            (StatusCode::SERVICE_UNAVAILABLE, again).into_response()
        }
    }
}
