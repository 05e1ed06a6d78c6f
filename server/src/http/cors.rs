//! Cross-origin rules (docs/API.md, "Rules of every call"): browsers may call what needs no secret. Preflights
//! answer any origin, because which tenant calls is known only from the real request; that one's `Origin` is checked
//! with its keys.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

const PREFIXES: [&str; 3] = ["/v1/sessions", "/v1/steps", "/v1/catalog"];
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "X-Request-Id, X-Client-Request-Id, Retry-After, RateLimit, RateLimit-Policy, Idempotent-Replayed",
);
const ANY: HeaderValue = HeaderValue::from_static("*");

/// Returns `true` if a path may be called from other origins.
pub fn is_open(path: &str) -> bool {
    PREFIXES.iter().any(|prefix| path.starts_with(prefix))
}

/// The answer to a preflight, if the request is one for an open path.
pub fn preflight(method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
    let asks = method == Method::OPTIONS
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        && is_open(path);
    let allow: [(HeaderName, HeaderValue); 4] = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY),
        (
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, POST"),
        ),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("Content-Type, Accept, Idempotency-Key, X-Request-Id"),
        ),
        (
            header::ACCESS_CONTROL_MAX_AGE,
            HeaderValue::from_static("600"),
        ),
    ];
    asks.then(|| (StatusCode::NO_CONTENT, allow).into_response())
}

/// Lets the browser show the answer, errors included, to whoever asked. Never with cookies.
pub fn open(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}
