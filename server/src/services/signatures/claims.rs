//! What the claims of a signature must say about the request they came with.

use app::domain::json::Json;
use app::domain::signature::{Check, DOCUMENTED_AUDIENCE, Finding, SKEW};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
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
    let is_us = |value: &Json<'_>| {
        value.as_str().is_some_and(|text| {
            text == own
                || text == DOCUMENTED_AUDIENCE
                || text.trim_end_matches('/') == wanted.public_url
        })
    };
    let found = match jws.claims.get("aud") {
        None => String::new(),
        Some(Json::List(several)) if several.iter().any(is_us) => {
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

/// `iat`, `exp` and, where it is sent, `nbf`, in seconds since 1970.
pub fn time(jws: &Jws<'_>, wanted: &Wanted<'_>) -> Finding {
    let now = wanted.now.timestamp();
    let (Some(issued), Some(ends)) = (seconds(jws, "iat"), seconds(jws, "exp")) else {
        let found = format!("iat {}, exp {}", claim(jws, "iat"), claim(jws, "exp"));
        let advice = "Both are needed, as numbers of seconds since 1970-01-01 UTC.";
        return Finding::failed(Check::Time, "iat and exp in seconds", found, advice);
    };
    let clocks = format!(
        "Your clock said {} (iat), ours {}.",
        instant(issued),
        wanted.now.format("%FT%TZ")
    );
    let wrong = begin(jws, now, issued, &clocks)
        .or_else(|| end_of(now, issued, ends, wanted.lifetime, &clocks));
    wrong.unwrap_or_else(|| Finding::passed(Check::Time, format!("iat {issued}, exp {ends}")))
}

/// What is wrong with the time from which on the signature is good: RFC 7519, sections 4.1.5 and 4.1.6.
fn begin(jws: &Jws<'_>, now: i64, issued: i64, clocks: &str) -> Option<Finding> {
    let latest = now.saturating_add(SKEW);
    let failed = |name: &str, found: String, advice: String| {
        let expected = format!("{name} of at most {latest}");
        Some(Finding::failed(Check::Time, expected, found, advice))
    };
    let ahead = |name: &str, at: i64| {
        // Milliseconds are the usual reason for a far future.
        if at > now.saturating_mul(100) {
            return "These look like milliseconds: send seconds.".to_owned();
        }
        let by = at.saturating_sub(now);
        match name {
            "iat" => format!("Your clock is {by} s ahead of ours. {clocks}"),
            _ => format!(
                "The signature is good in {by} s only. {clocks} Leave nbf out, or set it to iat."
            ),
        }
    };
    if issued > latest {
        return failed("iat", format!("iat {issued}"), ahead("iat", issued));
    }
    jws.claims.get("nbf")?;
    let found = format!("nbf {}", claim(jws, "nbf"));
    match seconds(jws, "nbf") {
        None => failed(
            "nbf",
            found,
            "nbf is no number of seconds since 1970-01-01 UTC. It need not be sent.".to_owned(),
        ),
        Some(from) if from > latest => failed("nbf", found, ahead("nbf", from)),
        Some(_) => None,
    }
}

/// What is wrong with the time up to which the signature is good.
fn end_of(now: i64, issued: i64, ends: i64, most: i64, clocks: &str) -> Option<Finding> {
    let failed = |expected: String, found: String, advice: String| {
        Some(Finding::failed(Check::Time, expected, found, advice))
    };
    let earliest = now.saturating_sub(SKEW);
    if ends <= earliest {
        let advice = format!(
            "It ended {} s ago: sign each request when it is sent, and look at your clock. {clocks}",
            now.saturating_sub(ends)
        );
        return failed(
            format!("exp of more than {earliest}"),
            format!("exp {ends}"),
            advice,
        );
    }
    let lifetime = ends.saturating_sub(issued);
    if lifetime > most {
        let advice =
            format!("The tenant’s signatures may live for {most} s: choose exp closer to iat.");
        return failed(
            format!("exp − iat of at most {most}"),
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
    None
}

/// A claim's time as people read it; as a number where no calendar goes so far.
fn instant(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0)
        .map_or_else(|| seconds.to_string(), |at| at.format("%FT%TZ").to_string())
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
    let advice = claimed
        .as_str()
        .map_or("htu is no text.", |text| differs(text, &expected));
    Finding::failed(Check::Target, expected, shown(claimed), advice)
}

/// Says in what a claimed address differs from the one that was asked.
fn differs(claimed: &str, expected: &str) -> &'static str {
    let (Ok(claimed), Ok(expected)) = (Url::parse(claimed), Url::parse(expected)) else {
        return "htu is no whole URL: send scheme, host and path, like https://api.example.com/v1s/token.";
    };
    let path = |url: &Url| url.path().to_owned();
    let [ours, theirs] = [path(&expected), path(&claimed)];
    if claimed.fragment().is_some() {
        return "htu has a fragment (#...), which is never sent: leave it out.";
    }
    if theirs.trim_end_matches('/') == ours.trim_end_matches('/') && theirs != ours {
        return if theirs.ends_with('/') {
            "htu has a slash at its end, and the request’s path has none: sign the path exactly as it is asked for."
        } else {
            "The request’s path has a slash at its end, and htu has none: sign the path exactly as it is asked for."
        };
    }
    if theirs.replace("//", "/") == ours.replace("//", "/") && theirs != ours {
        return "One of both has two slashes in a row: a base URL that ends in a slash is joined with a path that begins with one.";
    }
    if theirs.replacen("/v1/", "/v1s/", 1) == ours {
        return "htu says /v1, and the request went to /v1s: sign the path that is asked for.";
    }
    if theirs == ours && claimed.origin() != expected.origin() {
        return "htu has another scheme, host or port. Behind a proxy, sign the URL that the world sees.";
    }
    if theirs == ours {
        return "htu has another query than the request: sign the same one, or leave it out.";
    }
    if theirs.eq_ignore_ascii_case(&ours) {
        return "htu has letters of another case in its path: paths are compared as they are written.";
    }
    "The signature was made for another address. Behind a proxy, sign the URL that the world sees."
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
    let text = jws.claims.get(name)?.as_number()?.as_str();
    if text.contains(['e', 'E']) {
        // Some libraries write large numbers with an exponent.
        return Decimal::from_scientific(text).ok()?.trunc().to_i64();
    }
    text.split('.').next()?.parse().ok()
}

fn claim(jws: &Jws<'_>, name: &str) -> String {
    jws.claims
        .get(name)
        .map_or_else(|| "missing".to_owned(), shown)
}

/// A claim as it is shown: texts without quotes, everything bounded.
fn shown(value: &Json<'_>) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    text.chars().take(200).collect()
}
