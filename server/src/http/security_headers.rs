//! The headers that tell a browser what a page may do: next to nothing. On every answer of the portal, files and
//! errors included.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::clock::Clock;

use crate::state::AppState;

/// The random word by which a page's own script is known, new for each answer; in the request's extensions.
#[derive(Clone, Debug, Default)]
pub struct CspNonce(pub String);

/// Data that the security headers of a server depend on.
#[derive(Clone)]
pub struct Policy(Arc<Inner>);

struct Inner {
    clock: Clock,
    https: bool,
}

impl Policy {
    /// The portal's: scripts of its own and WebAssembly, forms to itself, framed by nobody.
    pub fn portal(state: &AppState) -> Self {
        Self(Arc::new(Inner {
            clock: state.clock.clone(),
            https: state.public_url.starts_with("https:"),
        }))
    }
}

/// The layer that sets them. A header that is there already stays.
pub async fn set(State(policy): State<Policy>, mut request: Request, next: Next) -> Response {
    let nonce = URL_SAFE_NO_PAD.encode(policy.0.clock.random::<16>());
    request.extensions_mut().insert(CspNonce(nonce.clone()));
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    // A form of a page may post to the portal alone. Browsers hold this against the whole chain of redirects that
    // follows, so the way to a bank is a link.
    let csp = format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'nonce-{nonce}'; style-src 'self'; \
         img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    if let Ok(csp) = HeaderValue::try_from(csp) {
        put(headers, header::CONTENT_SECURITY_POLICY, csp);
    }
    for (name, value) in ALWAYS {
        put(
            headers,
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    if policy.0.https {
        let two_years = HeaderValue::from_static("max-age=63072000; includeSubDomains");
        put(headers, header::STRICT_TRANSPORT_SECURITY, two_years);
    }
    response
}

const ALWAYS: [(&str, &str); 7] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), microphone=(), midi=(), payment=(), usb=()",
    ),
    ("cache-control", "no-store"),
];

fn put(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    headers.entry(name).or_insert(value);
}
