//! A page of the portal as somebody who signed in sees it.

use anyhow::{Result, bail};

use super::http::{Connection, request};
use super::reads::livez;
use super::subject::Subject;
use super::table::{Case, measure, print};
use super::{Extent, load};

/// People who ask at once, each in a session of their own.
const PEOPLE: usize = 20;
const PAGE: &str = "/overview";

/// Measures the page beside `/livez` and prints both.
pub fn run(subject: &Subject<'_>, extent: Extent) -> Result<()> {
    let address = &subject.address();
    let login = subject.login()?;
    let pages: Vec<Vec<u8>> = (0..PEOPLE)
        .map(|_| {
            let cookie = sign_in(address, &login)?;
            let page = request("GET", address, PAGE, &[("Cookie", &cookie)], "");
            let answer = Connection::open(address)?.call(&page)?;
            // Somebody who is not signed in is sent elsewhere.
            if answer.status != 200 {
                bail!("GET {PAGE} answered {} to the demo's owner", answer.status);
            }
            Ok(page)
        })
        .collect::<Result<_>>()?;
    let (name, floor) = livez(address);
    let cases = [
        (name.to_owned(), vec![floor]),
        (format!("GET {PAGE}, signed in"), pages),
    ];
    let cases = cases.map(|(name, requests)| {
        Case::new(name, move || {
            load::run(address, &requests, PEOPLE, extent.round)
        })
    });
    let figures = measure(&cases, extent.rounds)?;
    let floor = figures
        .first()
        .map_or(0.0, |livez| livez.per_second().median);
    let rows: Vec<Vec<String>> = figures
        .iter()
        .map(|of| {
            vec![
                of.name.clone(),
                of.per_second().to_string(),
                format!("{:.1}x", floor / of.per_second().median),
                of.millis(|rate| rate.p50).to_string(),
                of.millis(|rate| rate.first_byte).to_string(),
            ]
        })
        .collect();
    print(
        &format!(
            "{}: the portal, {PEOPLE} people at once, {extent}",
            subject.database
        ),
        &[
            "request",
            "per second",
            "/livez is faster by",
            "p50 ms",
            "first byte p95 ms",
        ],
        &rows,
    );
    Ok(())
}

/// The cookies of a new session.
pub fn sign_in(address: &str, (email, password): &(String, String)) -> Result<String> {
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Sec-Fetch-Site", "same-origin"),
    ];
    let body = format!("email={}&password={password}", email.replace('@', "%40"));
    let answer =
        Connection::open(address)?.call(&request("POST", address, "/signin", &headers, &body))?;
    // The session's, and what the browser is known by.
    let lines = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie");
    let pairs: Vec<&str> = lines
        .filter_map(|(_, line)| line.split(';').next())
        .collect();
    if pairs.is_empty() {
        bail!("POST /signin answered {} without a cookie", answer.status);
    }
    Ok(pairs.join("; "))
}
