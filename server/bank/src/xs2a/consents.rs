//! Consents: asked for by the third-party provider, given by the end-user on the bank's pages, ended by either.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Duration, NaiveDate, NaiveTime, Utc};
use json::PlainValue;
use kernel::json::{Json, JsonBodyError};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::access::Tpp;
use crate::BankState;
use crate::storage::books;
use crate::storage::consents::{self, BankConsentRow};
use crate::xs2a_error::Xs2aError;

/// Time the end-user has to decide.
const TIME_TO_AUTHORISE: Duration = Duration::minutes(30);
/// The longest a consent may last: 180 days (Delegated Regulation (EU) 2022/2360).
const LONGEST_DAYS: i64 = 180;

/// `consents` of the specification; all five members are required by it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsentRequest {
    access: PlainValue,
    recurring_indicator: bool,
    valid_until: NaiveDate,
    frequency_per_day: i64,
    #[serde(rename = "combinedServiceIndicator")]
    combined: bool,
}

/// `POST /v1/consents`: a bank-offered consent, whose accounts the end-user will tick.
pub async fn create(
    State(bank): State<BankState>,
    tpp: Tpp,
    headers: HeaderMap,
    ask: Result<Json<ConsentRequest>, JsonBodyError>,
) -> Result<Response, Xs2aError> {
    let Json(ask) = ask.map_err(|_| {
        Xs2aError::format("the body must have access, recurringIndicator, validUntil, frequencyPerDay and combinedServiceIndicator")
    })?;
    let redirect_uri = redirect_uri(&headers)?;
    let mut row = row(&bank, tpp, &ask, redirect_uri)?;
    row.brand = brand(&headers);
    let mut tx = bank.db.write().await?;
    consents::add(&mut tx, &row).await?;
    tx.commit().await?;
    let path = format!("/v1/consents/{}", row.id);
    let body = json!({
        "consentStatus": "received",
        "consentId": row.id,
        "_links": links(&bank, &path),
    });
    let headers = [
        ("location", path),
        ("aspsp-sca-approach", "REDIRECT".to_owned()),
        ("aspsp-multiple-consent-support", "true".to_owned()),
    ];
    Ok((StatusCode::CREATED, headers, Json(body)).into_response())
}

fn row(
    bank: &BankState,
    tpp: Tpp,
    ask: &ConsentRequest,
    redirect_uri: String,
) -> Result<BankConsentRow, Xs2aError> {
    let bank_offered = ["accounts", "balances", "transactions"].iter().all(|kind| {
        ask.access
            .0
            .get(*kind)
            .is_some_and(|list| list.as_array().is_some_and(Vec::is_empty))
    });
    let few = ask.access.0.as_object().is_some_and(|all| all.len() <= 3);
    if ask.combined || !bank_offered || !few {
        return Err(Xs2aError::not_offered(
            "this bank offers consents whose access has accounts, balances and transactions, each an empty list",
        ));
    }
    if ask.frequency_per_day < 1 || (!ask.recurring_indicator && ask.frequency_per_day != 1) {
        return Err(Xs2aError::format(
            "frequencyPerDay must be at least 1, and 1 for a one-off consent",
        ));
    }
    let now = bank.clock.now();
    if ask.valid_until < now.date_naive() {
        return Err(Xs2aError::format("validUntil is over"));
    }
    let longest = now.date_naive() + Duration::days(LONGEST_DAYS);
    Ok(BankConsentRow {
        id: bank.clock.id(),
        client_id: tpp.client_id,
        status: "received".into(),
        redirect_uri,
        recurring: ask.recurring_indicator,
        frequency_per_day: ask.frequency_per_day.min(4),
        username: None,
        created_at: now,
        authorise_by: now + TIME_TO_AUTHORISE,
        expires_at: end_of(ask.valid_until.min(longest)),
        changed_at: now,
        brand: None,
        revoked_at: None,
    })
}

/// Returns the links of a consent or payment at `path`. `scaOAuth` is the authorization endpoint, to be completed with
/// the parameters of an authorization request (RFC 6749, section 4.1.1).
pub fn links(bank: &BankState, path: &str) -> Value {
    json!({
        "scaOAuth": { "href": format!("{}/authorise", bank.public_url) },
        "self": { "href": path },
        "status": { "href": format!("{path}/status") },
    })
}

/// Reads `TPP-Redirect-URI`, the address the end-user is redirected to afterwards. Refuses anything but an absolute
/// http or https address without a fragment. Only an authenticated client can name one.
pub fn redirect_uri(headers: &HeaderMap) -> Result<String, Xs2aError> {
    let given = headers
        .get("tpp-redirect-uri")
        .and_then(|uri| uri.to_str().ok())
        .unwrap_or_default();
    let web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.fragment().is_none();
    match Url::parse(given) {
        Ok(url) if web(&url) => Ok(given.to_owned()),
        _ => Err(Xs2aError::format(
            "TPP-Redirect-URI must be an absolute http or https address",
        )),
    }
}

/// Reads `TPP-Brand-Logging-Information`, the name of the app that a provider asks for. `None` if it is missing, empty,
/// longer than 140 characters, or holds a control character.
pub fn brand(headers: &HeaderMap) -> Option<String> {
    let given = headers.get("tpp-brand-logging-information")?;
    let text = std::str::from_utf8(given.as_bytes()).ok()?.trim();
    let fits =
        !text.is_empty() && text.chars().count() <= 140 && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

/// `validUntil` is inclusive: the consent ends with its last day.
fn end_of(last_day: NaiveDate) -> DateTime<Utc> {
    last_day
        .succ_opt()
        .unwrap_or(last_day)
        .and_time(NaiveTime::MIN)
        .and_utc()
}

fn last_day_of(row: &BankConsentRow) -> NaiveDate {
    let day = row.expires_at.date_naive();
    day.pred_opt().unwrap_or(day)
}

async fn own(
    bank: &BankState,
    tpp: &Tpp,
    id: &str,
) -> Result<(crate::storage::Tx, BankConsentRow), Xs2aError> {
    let id = Uuid::try_parse(id).map_err(|_| Xs2aError::consent_unknown())?;
    let mut tx = bank.db.read().await?;
    let row = consents::find(&mut tx, id).await?;
    let row = row
        .filter(|row| row.client_id == tpp.client_id)
        .ok_or(Xs2aError::consent_unknown())?;
    Ok((tx, row))
}

/// `GET /v1/consents/{id}`: what was really consented, and until when.
pub async fn read(
    State(bank): State<BankState>,
    tpp: Tpp,
    Path(id): Path<String>,
) -> Result<Json<Value>, Xs2aError> {
    let (mut tx, row) = own(&bank, &tpp, &id).await?;
    let accounts: Vec<Value> = books::accounts_in(&mut tx, row.id)
        .await?
        .into_iter()
        .map(|row| json!({ "iban": row.account.iban, "currency": row.account.currency }))
        .collect();
    Ok(Json(json!({
        "access": { "accounts": accounts, "balances": accounts, "transactions": accounts },
        "recurringIndicator": row.recurring,
        "validUntil": last_day_of(&row),
        "frequencyPerDay": row.frequency_per_day,
        "lastActionDate": row.changed_at.date_naive(),
        "consentStatus": row.status_at(bank.clock.now()),
    })))
}

/// `GET /v1/consents/{id}/status`
pub async fn status(
    State(bank): State<BankState>,
    tpp: Tpp,
    Path(id): Path<String>,
) -> Result<Json<Value>, Xs2aError> {
    let (_, row) = own(&bank, &tpp, &id).await?;
    Ok(Json(
        json!({ "consentStatus": row.status_at(bank.clock.now()) }),
    ))
}

/// `DELETE /v1/consents/{id}`: ends it; ending it twice is no error.
pub async fn end(
    State(bank): State<BankState>,
    tpp: Tpp,
    Path(id): Path<String>,
) -> Result<StatusCode, Xs2aError> {
    let (tx, row) = own(&bank, &tpp, &id).await?;
    drop(tx);
    let mut tx = bank.db.write().await?;
    consents::terminate(&mut tx, row.id, bank.clock.now()).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
