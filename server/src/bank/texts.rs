//! What the bank's database cannot keep does not come in: one layer over all that it is sent, so that both databases
//! answer alike.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::text::{form_holds_nul, json_holds_nul, url_holds_nul};

/// The largest form or JSON body that is looked at: nothing that the bank takes is as large.
const LARGEST: usize = 1024 * 1024;

/// Refuses addresses, forms and JSON with a NUL in them, as 400.
pub async fn storable(request: Request, next: Next) -> Response {
    if url_holds_nul(&request.uri().to_string()) {
        return refused();
    }
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let holds_nul = match kind {
        form if form.starts_with("application/x-www-form-urlencoded") => form_holds_nul,
        json if json.contains("json") => json_holds_nul,
        _ => return next.run(request).await,
    };
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, LARGEST).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    if holds_nul(&bytes) {
        return refused();
    }
    next.run(Request::from_parts(parts, Body::from(bytes)))
        .await
}

fn refused() -> Response {
    let says = "A text must not hold a NUL character: take it out and send it again.\n";
    (StatusCode::BAD_REQUEST, says).into_response()
}
