//! Secrets in a URL: proxies, browsers and logs keep it, so that whoever sends one there has leaked it. The call is
//! refused, and the operator is told without the value.

use app::domain::key::KeyShape;
use app::domain::problem::Code;
use axum::http::Uri;

use crate::services::refusal::Refusal;

/// Parameters that hold secrets, whatever their values look like.
const NAMES: [&str; 7] = [
    "client_secret",
    "client_app_key",
    "access_token",
    "temp_token",
    "nonce",
    "code_verifier",
    "password",
];

/// The refusal of a URL with a secret in its path or query, if it has one.
pub fn refused(uri: &Uri) -> Option<Refusal> {
    let query = uri.query().unwrap_or_default();
    let named = url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, value)| NAMES.contains(&&**name) || is_key(value));
    let in_path = || uri.path().split('/').any(|part| is_key(&decoded(part)));
    if named.is_none() && !in_path() {
        return None;
    }
    Some(
        Refusal::new(Code::InvalidField)
            .says("The URL holds a secret. URLs are kept by browsers, proxies and logs, so it has to be taken as leaked.")
            .hints("Send it in the body or in a header, and rotate it: the old one may have been read."),
    )
}

/// A path as it may be written down: parts that are keys are taken out.
pub fn without_keys(path: &str) -> String {
    let parts = path.split('/');
    let parts = parts.map(|part| if is_key(&decoded(part)) { "[key]" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn is_key(text: &str) -> bool {
    // Most of what is asked about is none, and this is asked at every call.
    text.starts_with("tsr_") && KeyShape::by_prefix(text).is_some()
}

fn decoded(part: &str) -> std::borrow::Cow<'_, str> {
    percent_encoding::percent_decode_str(part).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_seen_in_every_spelling_of_a_url() {
        let refused = |text: &str| refused(&text.parse().unwrap()).is_some();
        for url in [
            "/v1/accounts?client_secret=x",
            "/v1/accounts?client%5Fsecret=x",
            "/v1/accounts?a=1&nonce=",
            "/v1/accounts?a=tsr_sbx_cs_x",
            "/v1/accounts?a=tsr%5Flive%5Fak%5Fx",
            "/v1/payments/tsr_live_cs_x",
            "/v1/payments/tsr%5Flive_cs_x/y",
        ] {
            assert!(refused(url), "{url}");
        }
        for url in ["/v1/accounts", "/v1/accounts?after=x&limit=5", "/v1/redirects/aisp?state=x&code=y"] {
            assert!(!refused(url), "{url}");
        }
        assert_eq!(without_keys("/v1/payments/tsr_live_cs_x"), "/v1/payments/[key]");
        assert_eq!(without_keys("/v1/payments/7"), "/v1/payments/7");
    }
}
