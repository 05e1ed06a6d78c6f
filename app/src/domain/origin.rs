//! Web origins (RFC 6454) that a tenant's app may call from.

use std::net::Ipv6Addr;

use super::environment::Environment;
use super::link::{LinkError, Parts, is_loopback};
use super::schemes;

/// Schemes whose pages are an app's own or an extension's: web views and browsers send them as origins.
const OWN_PAGES: [&str; 7] = [
    "app",
    "capacitor",
    "chrome-extension",
    "ionic",
    "moz-extension",
    "safari-web-extension",
    "tauri",
];

/// An origin as browsers send it: scheme, host and port, nothing more; in lower case, without a default port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Origin(String);

impl Origin {
    /// Parses an origin and writes it as browsers send it (RFC 6454, section 6.2). A host beyond ASCII has to be in its
    /// A-label form already.
    pub fn parse(text: &str, environment: Environment) -> Result<Self, LinkError> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("null") || text.to_ascii_lowercase().starts_with("file:") {
            return Err(LinkError::Null);
        }
        if text.contains('*') {
            return Err(LinkError::Wildcard);
        }
        let text = text.trim_end_matches('/').to_ascii_lowercase();
        let parts = Parts::split(&text).map_err(|error| match error {
            LinkError::NotALink => LinkError::NotAnOrigin,
            other => other,
        })?;
        if !parts.has_authority || parts.host().is_empty() {
            return Err(LinkError::NotAnOrigin);
        }
        if parts.authority.contains('@') {
            return Err(LinkError::UserInfo);
        }
        let web = matches!(parts.scheme.as_str(), "http" | "https");
        if !web && !is_own_page(&parts) {
            return Err(LinkError::NotAnOrigin);
        }
        if !parts.rest.is_empty() {
            return Err(LinkError::Path);
        }
        if parts.scheme == "http"
            && !(environment == Environment::Sandbox && is_loopback(parts.host()))
        {
            return Err(LinkError::PlainHttp);
        }
        let port = port(&parts).ok_or(LinkError::NotAnOrigin)?;
        let host = host(parts.host());
        Ok(Self(format!("{}://{host}{port}", parts.scheme)))
    }

    /// The origin as browsers send it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns `true` if the pages of a scheme are an app's own: those of a known scheme, or of `localhost` under a private
/// one, which web views use when they are configured with another scheme.
fn is_own_page(parts: &Parts) -> bool {
    OWN_PAGES.contains(&parts.scheme.as_str())
        || (!schemes::is_refused(&parts.scheme) && parts.host() == "localhost")
}

/// The port with its colon, or nothing where it is the scheme's own; `None` for what is no port.
fn port(parts: &Parts) -> Option<String> {
    let Some(digits) = parts.port().strip_prefix(':').filter(|it| !it.is_empty()) else {
        return Some(String::new());
    };
    let port: u16 = digits.parse().ok().filter(|port| *port != 0)?;
    Some(match (parts.scheme.as_str(), port) {
        ("https", 443) | ("http", 80) => String::new(),
        _ => format!(":{port}"),
    })
}

/// The host, an IPv6 address in its one short form (RFC 5952).
fn host(text: &str) -> String {
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    match inner.and_then(|inner| inner.parse::<Ipv6Addr>().ok()) {
        Some(ip) => format!("[{ip}]"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Environment::*;

    #[test]
    fn an_origin_is_kept_as_browsers_send_it() {
        for (typed, kept) in [
            ("https://App.example.com/", "https://app.example.com"),
            ("HTTPS://app.example.com:443", "https://app.example.com"),
            ("https://app.example.com:", "https://app.example.com"),
            ("https://app.example.com:0443", "https://app.example.com"),
            (
                "https://app.example.com:8443",
                "https://app.example.com:8443",
            ),
            ("http://localhost:80", "http://localhost"),
            ("http://app.localhost:5173", "http://app.localhost:5173"),
            ("http://127.0.0.2:3000", "http://127.0.0.2:3000"),
            ("http://[0:0:0:0:0:0:0:1]:3000", "http://[::1]:3000"),
            (
                "https://xn--bcher-kva.example",
                "https://xn--bcher-kva.example",
            ),
            ("capacitor://localhost", "capacitor://localhost"),
            ("ionic://localhost", "ionic://localhost"),
            ("tauri://localhost", "tauri://localhost"),
            ("app://localhost", "app://localhost"),
            ("myapp://localhost", "myapp://localhost"),
            (
                "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
                "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            ),
        ] {
            let origin = Origin::parse(typed, Sandbox);
            assert_eq!(origin.as_ref().map(Origin::as_str), Ok(kept), "{typed}");
        }
    }

    #[test]
    fn what_is_no_origin_says_why() {
        for (typed, why) in [
            ("null", LinkError::Null),
            ("file://", LinkError::Null),
            ("file:///index.html", LinkError::Null),
            ("https://app.example.com/path", LinkError::Path),
            ("https://app.example.com?x=1", LinkError::Path),
            ("https://ana@app.example.com", LinkError::UserInfo),
            ("https://*.example.com", LinkError::Wildcard),
            ("*", LinkError::Wildcard),
            ("myapp://return", LinkError::NotAnOrigin),
            ("ftp://localhost", LinkError::NotAnOrigin),
            ("javascript://localhost", LinkError::NotAnOrigin),
            ("app.example.com", LinkError::NotAnOrigin),
            ("https:app.example.com", LinkError::NotAnOrigin),
            ("https://app.example.com:0", LinkError::NotAnOrigin),
            ("https://app.example.com:99999", LinkError::NotAnOrigin),
            ("http://app.example.com", LinkError::PlainHttp),
            ("https://bücher.example", LinkError::Character),
        ] {
            assert_eq!(Origin::parse(typed, Sandbox), Err(why), "{typed}");
        }
        assert_eq!(
            Origin::parse("http://localhost", Production),
            Err(LinkError::PlainHttp)
        );
    }
}
