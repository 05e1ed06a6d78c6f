//! Answers that seldom change: each carries an `ETag`, and whoever has it already is told so in one line (RFC 9110,
//! sections 8.8.3 and 13.1.2).

use axum::Extension;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::compress::Packed;

/// Asked for each time, and kept by the caller alone: with keys an answer says what their tenant may use.
const KEEPING: HeaderValue = HeaderValue::from_static("private, no-cache");

/// A JSON answer with the tag of its content.
#[derive(Clone)]
pub struct Tagged {
    body: Bytes,
    tag: String,
    packed: Packed,
}

impl Tagged {
    pub fn new(content: &impl Serialize) -> Self {
        let body = serde_json::to_vec(content).unwrap_or_default();
        let hash = Sha256::digest(&body);
        let tag = URL_SAFE_NO_PAD.encode(hash.get(..16).unwrap_or_default());
        Self {
            body: body.into(),
            tag: format!("\"{tag}\""),
            packed: Packed::default(),
        }
    }

    /// The answer to a request with these headers: whole, or 304 for one who has it.
    pub fn answer(&self, headers: &HeaderMap) -> Response {
        let tag = HeaderValue::from_str(&self.tag).unwrap_or(HeaderValue::from_static("\"\""));
        let keeping = [(header::ETAG, tag), (header::CACHE_CONTROL, KEEPING)];
        if self.is_known(headers) {
            return (StatusCode::NOT_MODIFIED, keeping).into_response();
        }
        let json = HeaderValue::from_static("application/json");
        let json = [(header::CONTENT_TYPE, json)];
        let packed = Extension(self.packed.clone());
        (keeping, json, packed, self.body.clone()).into_response()
    }

    fn is_known(&self, headers: &HeaderMap) -> bool {
        let lists = headers.get_all(header::IF_NONE_MATCH).iter();
        lists
            .filter_map(|list| list.to_str().ok())
            .flat_map(|list| list.split(','))
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == "*" || tag == self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_the_content_is_told_so() {
        let tagged = Tagged::new(&serde_json::json!({ "a": 1 }));
        let mut headers = HeaderMap::new();
        let first = tagged.answer(&headers);
        assert_eq!(first.status(), StatusCode::OK);
        let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        for (known, status) in [
            (tag.clone(), StatusCode::NOT_MODIFIED),
            (format!("\"other\", W/{tag}"), StatusCode::NOT_MODIFIED),
            ("*".to_owned(), StatusCode::NOT_MODIFIED),
            ("\"other\"".to_owned(), StatusCode::OK),
        ] {
            headers.insert(header::IF_NONE_MATCH, known.parse().unwrap());
            let again = tagged.answer(&headers);
            assert_eq!(again.status(), status, "{known}");
            assert_eq!(again.headers()[header::ETAG], tag.as_str());
        }
        let other = Tagged::new(&serde_json::json!({ "a": 2 }));
        headers.insert(header::IF_NONE_MATCH, tag.parse().unwrap());
        assert_eq!(other.answer(&headers).status(), StatusCode::OK);
    }
}
