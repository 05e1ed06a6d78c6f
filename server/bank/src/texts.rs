//! Refusal of texts that the bank's database cannot store: one layer checks addresses for all routes, and bodies are
//! checked where they are read, so that both databases answer alike.

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use kernel::nul::{form_holds_nul, json_holds_nul, url_holds_nul};

/// Refuses addresses with a NUL in them, as 400.
pub async fn storable(request: Request, next: Next) -> Response {
    if url_holds_nul(&request.uri().to_string()) {
        return refused();
    }
    next.run(request).await
}

/// The refusal of a form or JSON body with a NUL in it; other kinds are kept as bytes.
pub fn unstorable(headers: &HeaderMap, body: &[u8]) -> Option<Response> {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let holds_nul = match kind {
        form if form.starts_with("application/x-www-form-urlencoded") => form_holds_nul(body),
        json if json.contains("json") => json_holds_nul(body),
        _ => false,
    };
    holds_nul.then(refused)
}

fn refused() -> Response {
    let says = "A text must not hold a NUL character: take it out and send it again.\n";
    (StatusCode::BAD_REQUEST, says).into_response()
}
