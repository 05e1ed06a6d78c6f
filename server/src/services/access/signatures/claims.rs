//! What the claims of a signature must say about the request they came with.

use app::domain::signature::{Check, DOCUMENTED_AUDIENCE, Finding};
use chrono::{DateTime, Utc};
use json::JsonValue;

use super::address::{differs, same_url};
use super::jws::Jws;

/// Values that the claims are compared with.
pub struct ExpectedClaims<'a> {
    /// Without trailing slash.
    pub public_url: &'a str,
    pub now: DateTime<Utc>,
    /// Longest lifetime of a signature, in seconds.
    pub lifetime: i64,
    pub method: &'a str,
    /// Path and query as they were asked for.
    pub target: &'a str,
}

/// `sub` and `email`: the issuer, where they are sent.
pub fn subject(jws: &Jws<'_>) -> Finding {
    let issuer = jws.text("iss").unwrap_or_default();
    for name in ["sub", "email"] {
        let Some(value) = jws.claims.get(name) else {
            continue;
        };
        if value.as_str() != Some(issuer) {
            let advice = format!("{name} is somebody else than iss: send the issuer in both.");
            return Finding::failed(Check::Subject, issuer, display_value(value), advice);
        }
    }
    Finding::passed(Check::Subject, issuer)
}

/// `aud`: this API, by its own host or by the one its first documents print (a text, or a list that has it).
pub fn audience(jws: &Jws<'_>, wanted: &ExpectedClaims<'_>) -> Finding {
    let own = host(wanted.public_url);
    let is_us = |value: &JsonValue<'_>| {
        value.as_str().is_some_and(|text| {
            text == own
                || text == DOCUMENTED_AUDIENCE
                || text.trim_end_matches('/') == wanted.public_url
        })
    };
    let found = match jws.claims.get("aud") {
        None => String::new(),
        Some(JsonValue::List(several)) if several.iter().any(is_us) => {
            return Finding::passed(Check::Audience, own);
        }
        Some(one) if is_us(one) => return Finding::passed(Check::Audience, display_value(one)),
        Some(other) => display_value(other),
    };
    let advice = "Send the API’s host, port included if it has one, without https:// and path.";
    Finding::failed(
        Check::Audience,
        format!("{own} or {DOCUMENTED_AUDIENCE}"),
        found,
        advice,
    )
}

/// `htm` and `htu` (as in RFC 9449, section 4.2), where they are sent. A query that `htu` has must be the request's.
pub fn target(jws: &Jws<'_>, wanted: &ExpectedClaims<'_>) -> Finding {
    if let Some(method) = jws.claims.get("htm")
        && method.as_str() != Some(wanted.method)
    {
        let is_spelling = method
            .as_str()
            .is_some_and(|text| text.eq_ignore_ascii_case(wanted.method));
        let advice = if is_spelling {
            "Methods are written in capitals: some libraries keep them in lower case."
        } else {
            "The signature was made for another method."
        };
        return Finding::failed(Check::Target, wanted.method, display_value(method), advice);
    }
    let Some(claimed) = jws.claims.get("htu") else {
        return Finding::passed(Check::Target, "");
    };
    let expected = format!("{}{}", wanted.public_url, wanted.target);
    let is_it = claimed
        .as_str()
        .is_some_and(|text| same_url(text, &expected));
    if is_it {
        return Finding::passed(Check::Target, display_value(claimed));
    }
    let advice = claimed
        .as_str()
        .map_or("htu is no text.", |text| differs(text, &expected));
    Finding::failed(Check::Target, expected, display_value(claimed), advice)
}

/// Host and port of a URL.
fn host(url: &str) -> &str {
    url.split_once("://")
        .map_or(url, |(_, rest)| rest)
        .split('/')
        .next()
        .unwrap_or_default()
}

/// A claim as it is shown: texts without quotes, everything bounded.
pub fn display_value(value: &JsonValue<'_>) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    text.chars().take(200).collect()
}
