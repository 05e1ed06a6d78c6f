//! List of the consents that were given in a browser, and the form that ends one. Every sandbox shares the bank's test
//! users, so a user's name says nothing about whose consents these are: the browser they were given in does, by a
//! cookie of its own.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use kernel::crypto::sha256_hex;
use kernel::form::Query;
use kernel::form::pairs::PairsError;
use uuid::Uuid;

use super::format::host;
use super::views::{self, ConsentListItem};
use super::visit::{VisitError, cookie, see_other, set_cookie};
use crate::BankState;
use crate::storage::consents::{self, BankConsentRow};

const COOKIE_NAME: &str = "xyzbank_browser";
/// Lifetime of the cookie, in seconds: 180 days, the longest a consent may last.
const LIVES: i64 = 15_552_000;
/// Largest number of consents on the page.
const LISTED: i64 = 100;

/// A cookie for a browser that has none.
pub fn fresh(bank: &BankState) -> String {
    set_cookie(
        bank,
        (COOKIE_NAME, bank.clock.token()),
        "/".to_owned(),
        LIVES,
    )
}

/// The digest of a browser's cookie, if it has one.
pub fn digest(headers: &HeaderMap) -> Option<String> {
    let value = cookie(headers, COOKIE_NAME)?;
    Some(sha256_hex(format!("browser/{value}").as_bytes()))
}

/// `GET /consents`: what was agreed to in this browser and is alive.
pub async fn list(
    State(bank): State<BankState>,
    headers: HeaderMap,
    query: Result<Query, PairsError>,
) -> Result<Response, VisitError> {
    // `yes` after a redirect from the form that ended a consent.
    let ended = query?.0.single("ended")? == "yes";
    let now = bank.clock.now();
    let mut tx = bank.db.read().await?;
    let rows = match digest(&headers) {
        Some(browser) => consents::given_in(&mut tx, &browser, now, LISTED).await?,
        None => Vec::new(),
    };
    let given: Vec<ConsentListItem> = rows.into_iter().map(|row| given(&bank, row)).collect();
    Ok(Html(views::given(&given, ended)).into_response())
}

fn given(bank: &BankState, row: BankConsentRow) -> ConsentListItem {
    let last_day = row.expires_at.date_naive();
    ConsentListItem {
        id: row.id.to_string(),
        app: row.brand.unwrap_or_else(|| bank.client.name.clone()),
        client: bank.client.name.clone(),
        user: row.username.unwrap_or_default(),
        since: row.changed_at.date_naive(),
        until: last_day.pred_opt().unwrap_or(last_day),
        host: host(&row.redirect_uri),
    }
}

/// `POST /consents/{id}/end`: ends one of them, at once.
pub async fn end(
    State(bank): State<BankState>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, VisitError> {
    let missing = || (StatusCode::NOT_FOUND, Html(views::not_found())).into_response();
    let (Ok(id), Some(browser)) = (Uuid::try_parse(&id), digest(&headers)) else {
        return Ok(missing());
    };
    let mut tx = bank.db.write().await?;
    // Ended already, by a form sent twice: the list says so.
    consents::revoke(&mut tx, id, &browser, bank.clock.now()).await?;
    tx.commit().await?;
    Ok(see_other("/consents?ended=yes"))
}
