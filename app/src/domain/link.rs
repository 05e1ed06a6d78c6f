//! Where a tenant's own app takes the end-user back: which links may be registered, and how one that is presented is
//! compared with them.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::environment::Environment;
use super::schemes;

/// Query parameters that the end-user's return adds to a link: a link that has one of them already would have it twice
/// (RFC 6749, section 3.1), and an app would read the wrong one.
pub const RESERVED: [&str; 6] = [
    "temp_token",
    "nonce",
    "session_id",
    "state",
    "error",
    "error_code",
];

/// A registered link, compared as a string.
///
/// `https:` anywhere, `http:` to loopback in the sandbox (RFC 8252, section 7.3: the port may differ at use), or a scheme
/// of the app's own (section 7.1). No fragment, no user info, no `*`, none of the names the return adds, at most 2,048
/// characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct RedirectLink(String);

/// Reason a link or an origin cannot be registered, in words for the person who typed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    #[error(
        "Write the whole link with its scheme, like https://app.example.com/return or myapp://return."
    )]
    NotALink,
    #[error(
        "Links have no blanks, quotes, < > \\ ^ ` and no letters beyond ASCII: percent-encode them, and write such a host in its xn-- form."
    )]
    Character,
    #[error(
        "Links of this scheme cannot take anybody back to your app: it is registered for something else, or opens other programs. Use https, a loopback http link in the sandbox, or a scheme of your app's own, best in reverse-domain form: com.example.app:/return (RFC 8252, section 7.1)."
    )]
    Scheme,
    #[error(
        "Plain http is accepted only for 127.0.0.0/8, [::1], localhost and *.localhost, and only in the sandbox. Use https."
    )]
    PlainHttp,
    #[error("Leave the part after # out: it is not sent to servers.")]
    Fragment,
    #[error("Leave user name and password out of the link.")]
    UserInfo,
    #[error("The port is a number from 1 to 65535, or left out: no browser opens another.")]
    Port,
    #[error("Links are at most 2,048 characters long.")]
    TooLong,
    #[error(
        "A * stands for nothing here: links are compared letter by letter (RFC 9700, section 2.1). Register each link by itself."
    )]
    Wildcard,
    #[error(
        "The query has a parameter {0}, which the end-user's return adds itself: an app would find it twice. Give yours another name."
    )]
    Reserved(&'static str),
    #[error(
        "Write scheme and host, like https://app.example.com. A hybrid app has the origin of its web view: capacitor://localhost, ionic://localhost, tauri://localhost, chrome-extension://ID. A deep link like myapp://return is a redirect link and no origin."
    )]
    NotAnOrigin,
    #[error("An origin ends with its host and port: leave path and query out.")]
    Path,
    #[error(
        "The origin null is everybody's: each sandboxed frame, data: and file: page has it, whoever wrote it. Serve the page from a web address, or call from your server."
    )]
    Null,
}

impl RedirectLink {
    /// Parses a link for registration on a tenant of the given environment.
    pub fn parse(text: &str, environment: Environment) -> Result<Self, LinkError> {
        let text = text.trim();
        if text.len() > 2048 {
            return Err(LinkError::TooLong);
        }
        let parts = Parts::split(text)?;
        if text.contains('#') {
            return Err(LinkError::Fragment);
        }
        if schemes::is_refused(&parts.scheme) {
            return Err(LinkError::Scheme);
        }
        if parts.authority.contains('@') {
            return Err(LinkError::UserInfo);
        }
        let (path, query) = parts.rest.split_once('?').unwrap_or((&parts.rest, ""));
        if parts.authority.contains('*') || path.contains('*') {
            return Err(LinkError::Wildcard);
        }
        let web = matches!(parts.scheme.as_str(), "http" | "https");
        if web && (!parts.has_authority || parts.host().is_empty()) {
            return Err(LinkError::NotALink);
        }
        if parts.scheme == "http"
            && !(environment == Environment::Sandbox && is_loopback(parts.host()))
        {
            return Err(LinkError::PlainHttp);
        }
        // A port that is no number was parsed as a part of the host.
        let bare = parts.host().rsplit(']').next().unwrap_or_default();
        if web && (!parts.port_ok() || bare.contains(':')) {
            return Err(LinkError::Port);
        }
        match reserved_in(query) {
            Some(name) => Err(LinkError::Reserved(name)),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// Returns `true` if a link presented at run time is this one: equal character by character, except for the port of
    /// a loopback `http` link.
    pub fn matches(&self, presented: &str) -> bool {
        if self.0 == presented {
            return true;
        }
        let (Ok(own), Ok(other)) = (Parts::split(&self.0), Parts::split(presented)) else {
            return false;
        };
        own.scheme == "http"
            && other.scheme == "http"
            && is_loopback(own.host())
            && own.host() == other.host()
            && own.port_ok()
            && other.port_ok()
            && own.rest == other.rest
    }

    /// The link as registered.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RedirectLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Returns the first parameter of a query that the return adds, too, as any of the usual parsers would read it:
/// percent-encoded, in any case (ASP.NET), as an array (`state[]`: PHP, Rails, qs), with a dot or blank for the
/// underscore (PHP), after a semicolon.
fn reserved_in(query: &str) -> Option<&'static str> {
    let read = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        let name = decoded(name).to_ascii_lowercase();
        let name = name.split(['[', '\0']).next().unwrap_or_default().trim();
        let name = name.replace(['.', ' '], "_");
        RESERVED.into_iter().find(|own| *own == name)
    };
    query.split(['&', ';']).find_map(read)
}

/// A name with its escapes and plus signs undone (`application/x-www-form-urlencoded`).
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let ahead = rest.clone();
        let escape: Vec<u8> = ahead.take(2).collect();
        let escape = std::str::from_utf8(&escape).unwrap_or_default();
        match (byte, u8::from_str_radix(escape, 16)) {
            (b'%', Ok(escaped)) if escape.len() == 2 && !escape.starts_with('+') => {
                bytes.push(escaped);
                rest.nth(1);
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The parts of a link that rules speak of.
pub(super) struct Parts {
    /// In lower case.
    pub scheme: String,
    pub has_authority: bool,
    pub authority: String,
    pub rest: String,
}

impl Parts {
    pub fn split(text: &str) -> Result<Self, LinkError> {
        let (scheme, rest) = text.split_once(':').ok_or(LinkError::NotALink)?;
        let mut letters = scheme.chars();
        let scheme_ok = letters.next().is_some_and(|c| c.is_ascii_alphabetic())
            && letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        if !scheme_ok || rest.is_empty() {
            return Err(LinkError::NotALink);
        }
        let legal =
            |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`');
        if !text.chars().all(legal) {
            return Err(LinkError::Character);
        }
        let (has_authority, authority, rest) = match rest.strip_prefix("//") {
            Some(after) => {
                let end = after.find(['/', '?', '#']).unwrap_or(after.len());
                let (authority, rest) = after.split_at(end);
                (true, authority, rest)
            }
            None => (false, "", rest),
        };
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            has_authority,
            authority: authority.to_owned(),
            rest: rest.to_owned(),
        })
    }

    pub fn host(&self) -> &str {
        match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => &self.authority,
        }
    }

    /// Returns the port with its colon, for example `:8443`; empty if the link has none.
    pub fn port(&self) -> &str {
        self.authority.get(self.host().len()..).unwrap_or_default()
    }

    fn port_ok(&self) -> bool {
        let port = self.port();
        port.is_empty()
            || port
                .strip_prefix(':')
                .is_some_and(|digits| digits.parse::<u16>().is_ok_and(|port| port > 0))
    }
}

/// Returns `true` if a host can only be this machine: `localhost` and all below it (RFC 6761, section 6.3),
/// `127.0.0.0/8` and `::1`.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = host.to_ascii_lowercase();
    let is_v6 = |inner: &str| inner.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback());
    name == "localhost"
        || name
            .strip_suffix(".localhost")
            .is_some_and(|below| !below.is_empty())
        || name.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        || name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'))
            .is_some_and(is_v6)
}

#[cfg(test)]
mod tests;
