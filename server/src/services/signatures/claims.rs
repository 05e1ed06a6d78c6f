//! What the claims of a signature must say about the request they came with.

use app::domain::signature::{Check, DOCUMENTED_AUDIENCE, Finding, SKEW};
use chrono::{DateTime, Utc};
use serde_json::Value;
use url::Url;

use super::jws::Jws;

/// What claims are compared with.
pub struct Wanted<'a> {
    /// Without trailing slash.
    pub public_url: &'a str,
    pub now: DateTime<Utc>,
    /// Seconds a signature may live at most.
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
            return Finding::failed(Check::Subject, issuer, shown(value), advice);
        }
    }
    Finding::passed(Check::Subject, issuer)
}

/// `aud`: this API, by its own host or by the one its first documents print (a text, or a list that has it).
pub fn audience(jws: &Jws<'_>, wanted: &Wanted<'_>) -> Finding {
    let own = host(wanted.public_url);
    let is_us = |value: &Value| {
        value.as_str().is_some_and(|text| {
            text == own
                || text == DOCUMENTED_AUDIENCE
                || text.trim_end_matches('/') == wanted.public_url
        })
    };
    let found = match jws.claims.get("aud") {
        None => String::new(),
        Some(Value::Array(several)) if several.iter().any(is_us) => {
            return Finding::passed(Check::Audience, own);
        }
        Some(one) if is_us(one) => return Finding::passed(Check::Audience, shown(one)),
        Some(other) => shown(other),
    };
    let advice = "Send the API’s host, port included if it has one, without https:// and path.";
    Finding::failed(
        Check::Audience,
        format!("{own} or {DOCUMENTED_AUDIENCE}"),
        found,
        advice,
    )
}

/// `iat` and `exp`, in seconds since 1970.
pub fn time(jws: &Jws<'_>, wanted: &Wanted<'_>) -> Finding {
    let now = wanted.now.timestamp();
    let (Some(issued), Some(ends)) = (seconds(jws, "iat"), seconds(jws, "exp")) else {
        let found = format!("iat {}, exp {}", claim(jws, "iat"), claim(jws, "exp"));
        let advice = "Both are needed, as numbers of seconds since 1970-01-01 UTC.";
        return Finding::failed(Check::Time, "iat and exp in seconds", found, advice);
    };
    let failed = |expected: String, found: String, advice: String| {
        Finding::failed(Check::Time, expected, found, advice)
    };
    if issued > now + SKEW {
        // Milliseconds are the usual reason for a far future.
        let advice = if issued > now.saturating_mul(100) {
            "These look like milliseconds: send seconds.".to_owned()
        } else {
            format!(
                "Your clock is {} s ahead of ours, which said {}.",
                issued - now,
                wanted.now.format("%FT%TZ")
            )
        };
        return failed(
            format!("iat of at most {}", now + SKEW),
            format!("iat {issued}"),
            advice,
        );
    }
    if ends <= now - SKEW {
        let advice = format!(
            "It ended {} s ago: sign each request when it is sent, and look at your clock; ours said {}.",
            now - ends,
            wanted.now.format("%FT%TZ")
        );
        return failed(
            format!("exp of more than {}", now - SKEW),
            format!("exp {ends}"),
            advice,
        );
    }
    let lifetime = ends.saturating_sub(issued);
    if lifetime > wanted.lifetime {
        let advice = format!(
            "The tenant’s signatures may live for {} s: choose exp closer to iat.",
            wanted.lifetime
        );
        return failed(
            format!("exp − iat of at most {}", wanted.lifetime),
            lifetime.to_string(),
            advice,
        );
    }
    if lifetime <= 0 {
        let advice = "exp must be later than iat.".to_owned();
        return failed(
            "exp later than iat".to_owned(),
            format!("iat {issued}, exp {ends}"),
            advice,
        );
    }
    Finding::passed(Check::Time, format!("iat {issued}, exp {ends}"))
}

/// When a signature with these claims would be refused for its age.
pub fn end(jws: &Jws<'_>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds(jws, "exp")?.checked_add(SKEW + 1)?, 0)
}

/// `htm` and `htu` (as in RFC 9449, section 4.2), where they are sent. A query that `htu` has must be the request's.
pub fn target(jws: &Jws<'_>, wanted: &Wanted<'_>) -> Finding {
    if let Some(method) = jws.claims.get("htm")
        && method.as_str() != Some(wanted.method)
    {
        let advice = "The signature was made for another method.";
        return Finding::failed(Check::Target, wanted.method, shown(method), advice);
    }
    let Some(claimed) = jws.claims.get("htu") else {
        return Finding::passed(Check::Target, "");
    };
    let expected = format!("{}{}", wanted.public_url, wanted.target);
    let is_it = claimed
        .as_str()
        .is_some_and(|text| same_url(text, &expected));
    if is_it {
        return Finding::passed(Check::Target, shown(claimed));
    }
    let advice = "The signature was made for another address. Behind a proxy, sign the URL that the world sees.";
    Finding::failed(Check::Target, expected, shown(claimed), advice)
}

fn same_url(claimed: &str, expected: &str) -> bool {
    let (Ok(claimed), Ok(mut expected)) = (Url::parse(claimed), Url::parse(expected)) else {
        return false;
    };
    if claimed.query().is_none() {
        expected.set_query(None);
    }
    claimed == expected
}

/// Host and port of a URL.
fn host(url: &str) -> &str {
    url.split_once("://")
        .map_or(url, |(_, rest)| rest)
        .split('/')
        .next()
        .unwrap_or_default()
}

/// A `NumericDate` (RFC 7519, section 2), its fraction left out.
fn seconds(jws: &Jws<'_>, name: &str) -> Option<i64> {
    let number = jws.claims.get(name)?;
    let text = number.as_number()?.to_string();
    text.split('.').next()?.parse().ok()
}

fn claim(jws: &Jws<'_>, name: &str) -> String {
    jws.claims
        .get(name)
        .map_or_else(|| "missing".to_owned(), shown)
}

/// A claim as it is shown: texts without quotes, everything bounded.
fn shown(value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    text.chars().take(200).collect()
}
