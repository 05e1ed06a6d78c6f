//! The times of a signature: from when to when it is good, by this server's clock.

use app::domain::signature::{Check, Finding, SKEW};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use super::claims::ExpectedClaims;
use super::jws::Jws;

/// Times before this one, in 1973, are no times: somebody sent a number of seconds from now.
const EARLIEST: i64 = 100_000_000;

/// `iat`, `exp` and, where it is sent, `nbf`, in seconds since 1970.
pub fn time(jws: &Jws<'_>, wanted: &ExpectedClaims<'_>) -> Finding {
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

/// Returns the problem with `iat` or `nbf`, the time from which the signature is valid (RFC 7519, sections 4.1.5 and
/// 4.1.6); `None` if there is none.
fn begin(jws: &Jws<'_>, now: i64, issued: i64, clocks: &str) -> Option<Finding> {
    let latest = now.saturating_add(SKEW);
    let failed = |name: &str, found: String, advice: String| {
        let expected = format!("{name} of at most {latest}");
        Some(Finding::failed(Check::Time, expected, found, advice))
    };
    let ahead = |name: &str, at: i64| {
        if let Some(unit) = smaller_unit(at, now) {
            return format!("These look like {unit}: send seconds.");
        }
        let by = at.saturating_sub(now);
        match name {
            "iat" => format!(
                "Your clock is {by} s ahead of ours. {clocks}{}",
                local_time(by)
            ),
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

/// Returns the problem with `exp`, the time at which the signature ends; `None` if there is none.
fn end_of(now: i64, issued: i64, ends: i64, most: i64, clocks: &str) -> Option<Finding> {
    let failed = |expected: String, found: String, advice: String| {
        Some(Finding::failed(Check::Time, expected, found, advice))
    };
    let earliest = now.saturating_sub(SKEW);
    if ends <= earliest {
        let advice = if (0..EARLIEST).contains(&ends) {
            "exp is a time, and no number of seconds from now: send iat + 60.".to_owned()
        } else {
            format!(
                "It ended {} s ago: sign each request when it is sent, and look at your clock. {clocks}{}",
                now.saturating_sub(ends),
                local_time(now.saturating_sub(issued))
            )
        };
        return failed(
            format!("exp of more than {earliest}"),
            format!("exp {ends}"),
            advice,
        );
    }
    let lifetime = ends.saturating_sub(issued);
    if lifetime > most {
        let advice = if let Some(unit) = smaller_unit(ends, now) {
            format!("exp looks like {unit}: send seconds.")
        } else if issued < EARLIEST {
            "iat is the time at which the signature was made, in seconds since 1970-01-01 UTC."
                .to_owned()
        } else {
            format!("The tenant’s signatures may live for {most} s: choose exp closer to iat.")
        };
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

/// Returns the unit that a time is in, if it lies so far ahead that it cannot be in seconds.
fn smaller_unit(at: i64, now: i64) -> Option<&'static str> {
    let units = [
        (100_000_000, "nanoseconds"),
        (100_000, "microseconds"),
        (100, "milliseconds"),
    ];
    let is_past = |(factor, _): &&(i64, _)| at > now.saturating_mul(*factor);
    units.iter().find(is_past).map(|(_, unit)| *unit)
}

/// Names the usual reason for clocks that differ by half hours, to within two minutes; nothing for other differences.
fn local_time(by: i64) -> String {
    let halves = by.saturating_add(900) / 1800;
    let is_zone = (1..=28).contains(&halves) && (by - halves * 1800).abs() <= 120;
    if !is_zone {
        return String::new();
    }
    let half = if halves % 2 == 0 { "" } else { ".5" };
    format!(
        " That is {}{half} h: probably a local time was taken for UTC, as Python’s utcnow().timestamp() does.",
        halves / 2
    )
}

/// A claim's time as people read it; as a number where no calendar goes so far.
fn instant(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0)
        .map_or_else(|| seconds.to_string(), |at| at.format("%FT%TZ").to_string())
}

/// Returns the first instant at which a signature with these claims is refused for its age; `None` if `exp` is no time.
pub fn end(jws: &Jws<'_>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds(jws, "exp")?.checked_add(SKEW + 1)?, 0)
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
    jws.claims.get(name).map_or_else(
        || "missing".to_owned(),
        // With the quotes of texts: a number in quotes is not a number.
        |value| value.to_string().chars().take(200).collect(),
    )
}
