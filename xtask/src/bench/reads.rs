//! Reads with valid keys, beside `/livez`, which passes the same outer layers and does nothing else.

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::flow::Pair;
use super::http::{Connection, request};
use super::subject::Subject;
use super::table::{Case, measure, print};
use super::{CONNECTIONS, Extent, load};

/// A kind of request: what tables call it, and its bytes.
pub type Named = (&'static str, Vec<u8>);

/// Returns the request against which the ratios of every table are taken.
pub fn livez(address: &str) -> Named {
    ("GET /livez", request("GET", address, "/livez", &[], ""))
}

/// Measures reads and prints their table.
pub fn run(subject: &Subject<'_>, pair: &Pair, extent: Extent) -> Result<()> {
    let address = &subject.address();
    let requests = [
        livez(address),
        ("POST /v1/accounts/get, 4 accounts", accounts(address, pair)),
        (
            "GET /v1/accounts, 4 accounts",
            rest(address, pair, "/v1/accounts"),
        ),
        (
            "GET /v1/transactions, page of 100",
            rest(address, pair, "/v1/transactions?limit=100"),
        ),
        (
            "POST /v1/transactions/get, limit 100",
            hundred(address, pair),
        ),
    ];
    // The first read may have to wait for the bank; it is not what is measured.
    for (_, request) in &requests {
        Connection::open(address)?.call(request)?.expect_success()?;
    }
    let cases = requests.map(|(name, request)| {
        Case::new(name, move || {
            load::run(
                address,
                std::slice::from_ref(&request),
                CONNECTIONS,
                extent.round,
            )
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
                format!("{:.2}", of.per_second().median / floor),
                of.millis(|rate| rate.p50).to_string(),
                of.millis(|rate| rate.p99).to_string(),
            ]
        })
        .collect();
    print(
        &format!(
            "{}: reads, {CONNECTIONS} connections, {extent}",
            subject.database
        ),
        &["request", "per second", "of /livez", "p50 ms", "p99 ms"],
        &rows,
    );
    Ok(())
}

/// The documented way to read accounts.
pub fn accounts(address: &str, pair: &Pair) -> Vec<u8> {
    post(address, pair, "/v1/accounts/get", "")
}

/// The documented way to read the newest hundred transactions.
pub fn hundred(address: &str, pair: &Pair) -> Vec<u8> {
    post(address, pair, "/v1/transactions/get", ",\"limit\":100")
}

/// A read in the documented style; `more` goes into its body.
fn post(address: &str, pair: &Pair, path: &str, more: &str) -> Vec<u8> {
    let body = format!(
        r#"{{"client_id":"{}","client_secret":"{}","credentials_id":"{}","access_token":"{}"{more}}}"#,
        pair.client_id, pair.client_secret, pair.credentials_id, pair.access_token
    );
    let json = [("Content-Type", "application/json")];
    request("POST", address, path, &json, &body)
}

/// A read in the REST style.
pub fn rest(address: &str, pair: &Pair, path: &str) -> Vec<u8> {
    let basic = STANDARD.encode(format!("{}:{}", pair.client_id, pair.client_secret));
    let authorization = format!("Basic {basic}");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("X-Credentials-Id", pair.credentials_id.as_str()),
        ("X-Access-Token", pair.access_token.as_str()),
    ];
    request("GET", address, path, &headers, "")
}
