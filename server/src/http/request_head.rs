//! The head of a request of the API, kept for the answer and the logs after the handler consumed it.

use axum::extract::MatchedPath;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, header};

use super::url_secrets;

/// Names a request, in both directions.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Parts of a request that the answer and the logs need after the handler consumed it.
pub struct RequestHead {
    pub method: Method,
    pub path: String,
    route: Option<MatchedPath>,
    pub user_agent: Option<HeaderValue>,
    pub client_request_id: Option<HeaderValue>,
}

impl RequestHead {
    pub fn of(parts: &Parts) -> Self {
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
    pub fn route(&self) -> &str {
        self.route.as_ref().map_or("", MatchedPath::as_str)
    }

    /// Returns `true` if keys travel in headers: then a 401 carries `WWW-Authenticate` (RFC 9110, section 11.6.1). Keys
    /// in a body have no scheme.
    pub fn is_rest(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD | Method::DELETE)
    }

    /// Returns the challenge of a 401.
    pub fn challenge(&self) -> HeaderValue {
        if self.path.starts_with("/v1s") {
            // A signature (RFC 6750, section 3); the keys are in headers of their own.
            HeaderValue::from_static("Bearer realm=\"api\"")
        } else {
            HeaderValue::from_static("Basic realm=\"api\", charset=\"UTF-8\"")
        }
    }

    /// Returns `true` if the request is a call of the API: health checks and the documents are not.
    pub fn is_call(&self) -> bool {
        self.path.starts_with("/v1")
            && !matches!(self.path.as_str(), "/v1/openapi.json" | "/v1/postman.json")
    }
}
