//! A tenant: one app of a servicer, its environment, and the links and origins it registered.

use std::fmt;

words! {
    /// Which world a tenant lives in; the two never meet.
    Environment { Sandbox = "sandbox", Production = "production" }
}

words! {
    /// Whether a tenant's calls are served.
    TenantStatus { Active = "active", Paused = "paused" }
}

/// Where a tenant's own app takes the end-user back: registered, then compared as a string.
///
/// `https:` anywhere, `http:` to loopback in the sandbox (RFC 8252 7.3: the port may differ at use), or a custom
/// scheme (RFC 8252 7.1). No fragment, no user info, at most 2,048 characters, none of the schemes that run or reveal things.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct RedirectLink(String);

/// Why a link cannot be registered, in words for the person who typed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    #[error(
        "Write the whole link with its scheme, like https://app.example.com/return or myapp://return."
    )]
    NotALink,
    #[error(
        "Links of this scheme cannot be used: choose https, a loopback http link, or your app's own scheme."
    )]
    Scheme,
    #[error(
        "Plain http is accepted only for 127.0.0.1, [::1] and localhost, and only in the sandbox. Use https."
    )]
    PlainHttp,
    #[error("Leave the part after # out: it is not sent to servers.")]
    Fragment,
    #[error("Leave user name and password out of the link.")]
    UserInfo,
    #[error("Links are at most 2,048 characters long.")]
    TooLong,
}

const FORBIDDEN_SCHEMES: [&str; 8] = [
    "javascript",
    "data",
    "file",
    "blob",
    "about",
    "intent",
    "vbscript",
    "view-source",
];

impl RedirectLink {
    /// Parses a link for registration on a tenant of the given environment.
    pub fn parse(text: &str, environment: Environment) -> Result<Self, LinkError> {
        let text = text.trim();
        if text.len() > 2048 {
            return Err(LinkError::TooLong);
        }
        let parts = LinkParts::split(text).ok_or(LinkError::NotALink)?;
        if FORBIDDEN_SCHEMES.contains(&parts.scheme.as_str()) {
            return Err(LinkError::Scheme);
        }
        if text.contains('#') {
            return Err(LinkError::Fragment);
        }
        if parts.authority.contains('@') {
            return Err(LinkError::UserInfo);
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
        Ok(Self(text.to_owned()))
    }

    /// Whether a link presented at run time is this one: equal to the letter, but for the port of a loopback link.
    pub fn matches(&self, presented: &str) -> bool {
        if self.0 == presented {
            return true;
        }
        let (Some(own), Some(other)) = (LinkParts::split(&self.0), LinkParts::split(presented))
        else {
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

struct LinkParts {
    scheme: String,
    has_authority: bool,
    authority: String,
    rest: String,
}

impl LinkParts {
    fn split(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let mut letters = scheme.chars();
        let scheme_ok = letters.next().is_some_and(|c| c.is_ascii_alphabetic())
            && letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        if !scheme_ok
            || rest.is_empty()
            || !text
                .chars()
                .all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`'))
        {
            return None;
        }
        let (has_authority, authority, rest) = match rest.strip_prefix("//") {
            Some(after) => {
                let end = after.find(['/', '?', '#']).unwrap_or(after.len());
                let (authority, rest) = after.split_at(end);
                (true, authority, rest)
            }
            None => (false, "", rest),
        };
        Some(Self {
            scheme: scheme.to_ascii_lowercase(),
            has_authority,
            authority: authority.to_owned(),
            rest: rest.to_owned(),
        })
    }

    fn host(&self) -> &str {
        match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => &self.authority,
        }
    }

    fn port_ok(&self) -> bool {
        let port = self.authority.get(self.host().len()..).unwrap_or_default();
        port.is_empty()
            || port
                .strip_prefix(':')
                .is_some_and(|digits| digits.parse::<u16>().is_ok())
    }
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// A web origin (RFC 6454) allowed to call from browsers: scheme, host and port, nothing more.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Origin(String);

impl Origin {
    /// Parses an origin as a browser would send it: lower-case, no path, no trailing slash.
    pub fn parse(text: &str, environment: Environment) -> Result<Self, LinkError> {
        let text = text.trim().trim_end_matches('/').to_ascii_lowercase();
        let parts = LinkParts::split(&text).ok_or(LinkError::NotALink)?;
        if !matches!(parts.scheme.as_str(), "http" | "https")
            || !parts.has_authority
            || !parts.rest.is_empty()
            || parts.host().is_empty()
        {
            return Err(LinkError::NotALink);
        }
        RedirectLink::parse(&text, environment).map(|link| Self(link.0))
    }

    /// The origin as browsers send it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The longest name of a tenant, in characters.
pub const LONGEST_NAME: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;
    use Environment::*;

    #[test]
    fn web_loopback_and_custom_links_are_accepted() {
        for link in [
            "https://app.example.com/return?x=1",
            "http://127.0.0.1:8080/cb",
            "http://[::1]/cb",
            "http://localhost/cb",
            "myapp://return",
            "com.example.app:/oauth",
        ] {
            assert!(RedirectLink::parse(link, Sandbox).is_ok(), "{link}");
        }
    }

    #[test]
    fn dangerous_links_are_refused_with_a_reason() {
        let cases = [
            ("javascript:alert(1)", LinkError::Scheme),
            ("JavaScript:alert(1)", LinkError::Scheme),
            ("data:text/html,x", LinkError::Scheme),
            ("http://app.example.com/", LinkError::PlainHttp),
            ("http://127.0.0.1.example.com/", LinkError::PlainHttp),
            ("https://app.example.com/#x", LinkError::Fragment),
            ("https://ana@app.example.com/", LinkError::UserInfo),
            ("https:///path", LinkError::NotALink),
            ("/path", LinkError::NotALink),
            (
                "https://app.example.com/\r\nSet-Cookie: x",
                LinkError::NotALink,
            ),
        ];
        for (link, why) in cases {
            assert_eq!(RedirectLink::parse(link, Sandbox), Err(why), "{link}");
        }
        assert_eq!(
            RedirectLink::parse("http://127.0.0.1/", Production),
            Err(LinkError::PlainHttp)
        );
    }

    #[test]
    fn only_the_port_of_a_loopback_link_may_differ() {
        let link = |text| RedirectLink::parse(text, Sandbox).unwrap();
        assert!(link("http://127.0.0.1/cb").matches("http://127.0.0.1:51004/cb"));
        assert!(!link("http://127.0.0.1/cb").matches("http://127.0.0.1:51004/other"));
        assert!(!link("http://127.0.0.1/cb").matches("http://127.0.0.1:99999/cb"));
        assert!(!link("http://127.0.0.1/cb").matches("http://127.0.0.1:80@evil.example/cb"));
        assert!(!link("https://app.example.com/cb").matches("https://app.example.com:444/cb"));
        assert!(!link("https://app.example.com/cb").matches("https://app.example.com/cb/"));
    }

    #[test]
    fn an_origin_has_no_path() {
        assert_eq!(
            Origin::parse("https://App.example.com/", Sandbox)
                .unwrap()
                .as_str(),
            "https://app.example.com"
        );
        assert!(Origin::parse("https://app.example.com/path", Sandbox).is_err());
        assert!(Origin::parse("myapp://return", Sandbox).is_err());
    }
}
