//! Accounts, balances and transactions of a valid consent.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use chrono::NaiveDate;
use kernel::json::Json;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::access::Access;
use super::shapes::{HrefType, Xs2aAccount, Xs2aBalance, Xs2aTransaction};
use crate::BankState;
use crate::ledger::{Day, HISTORY_DAYS};
use crate::storage::Tx;
use crate::storage::books::{self, ConsentedRow, EntryFilter};
use crate::xs2a_error::Xs2aError;

/// Entries a page when the caller does not say, and at most.
const PAGE: i64 = 500;
const LONGEST_PAGE: i64 = 2_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListQuery {
    #[serde(default)]
    with_balance: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransactionsQuery {
    booking_status: String,
    date_from: Option<NaiveDate>,
    date_to: Option<NaiveDate>,
    items_per_page: Option<i64>,
    /// The bank's own: the place after which a page begins, only ever taken from a `next` link.
    page_key: Option<String>,
}

/// `GET /v1/accounts`
pub async fn list(
    State(bank): State<BankState>,
    access: Access,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Value>, Xs2aError> {
    let Query(query) = query.map_err(|_| Xs2aError::format("withBalance must be true or false"))?;
    let mut tx = bank.db.read().await?;
    let mut accounts = Vec::new();
    for row in books::accounts_in(&mut tx, access.consent).await? {
        let balances = if query.with_balance {
            Some(balances_of(&bank, &mut tx, &row).await?)
        } else {
            None
        };
        accounts.push(Xs2aAccount::of(row, balances));
    }
    Ok(Json(json!({ "accounts": accounts })))
}

/// `GET /v1/accounts/{id}`
pub async fn one(
    State(bank): State<BankState>,
    access: Access,
    Path(id): Path<String>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Value>, Xs2aError> {
    let Query(query) = query.map_err(|_| Xs2aError::format("withBalance must be true or false"))?;
    let mut tx = bank.db.read().await?;
    let row = account(&mut tx, &access, &id).await?;
    let balances = if query.with_balance {
        Some(balances_of(&bank, &mut tx, &row).await?)
    } else {
        None
    };
    Ok(Json(json!({ "account": Xs2aAccount::of(row, balances) })))
}

/// `GET /v1/accounts/{id}/balances`
pub async fn balances(
    State(bank): State<BankState>,
    access: Access,
    Path(id): Path<String>,
) -> Result<Json<Value>, Xs2aError> {
    let mut tx = bank.db.read().await?;
    let row = account(&mut tx, &access, &id).await?;
    let balances = balances_of(&bank, &mut tx, &row).await?;
    Ok(Json(
        json!({ "account": reference(&row), "balances": balances }),
    ))
}

/// `GET /v1/accounts/{id}/transactions`: newest first, pending ones on top; `_links.next` leads on.
pub async fn transactions(
    State(bank): State<BankState>,
    access: Access,
    Path(id): Path<String>,
    query: Result<Query<TransactionsQuery>, QueryRejection>,
) -> Result<Json<Value>, Xs2aError> {
    let Query(query) = query.map_err(|_| {
        Xs2aError::format(
            "bookingStatus is required; dateFrom and dateTo are ISO dates, itemsPerPage a number",
        )
    })?;
    let today = bank.today();
    let filter = filter(&query, today)?;
    let mut tx = bank.db.read().await?;
    let row = account(&mut tx, &access, &id).await?;
    let entries = books::entries(&mut tx, row.account.id, filter).await?;
    let more = i64::try_from(entries.len()).is_ok_and(|found| found == filter.limit);
    let next = entries.last().filter(|_| more).map(|last| HrefType {
        href: next_href(&id, &query, (last.booking_day.0, last.position)),
    });
    let (mut booked, mut pending) = (Vec::new(), Vec::new());
    for entry in &entries {
        let list = if entry.booking_day <= today {
            &mut booked
        } else {
            &mut pending
        };
        list.extend(Xs2aTransaction::of(entry, &row.account.currency, today));
    }
    let mut links = json!({ "account": HrefType { href: format!("/v1/accounts/{id}") } });
    if let (Some(next), Some(links)) = (next, links.as_object_mut()) {
        links.insert("next".into(), json!(next));
    }
    let mut report = json!({ "_links": links });
    if let Some(report) = report.as_object_mut() {
        if query.booking_status != "pending" {
            report.insert("booked".into(), json!(booked));
        }
        if query.booking_status != "booked" {
            report.insert("pending".into(), json!(pending));
        }
    }
    Ok(Json(
        json!({ "account": reference(&row), "transactions": report }),
    ))
}

/// The days and the place that a query asks for.
fn filter(query: &TransactionsQuery, today: Day) -> Result<EntryFilter, Xs2aError> {
    let (low, high) = match query.booking_status.as_str() {
        "both" => (Day(i64::MIN), Day(i64::MAX)),
        "booked" => (Day(i64::MIN), today),
        "pending" => (today.plus(1), Day(i64::MAX)),
        _ => {
            return Err(Xs2aError::parameter(
                "bookingStatus must be booked, pending or both",
            ));
        }
    };
    let after = match &query.page_key {
        Some(key) => {
            Some(cursor_position(key).ok_or(Xs2aError::format("pageKey is not one of ours"))?)
        }
        None => None,
    };
    let oldest = today.plus(-HISTORY_DAYS);
    Ok(EntryFilter {
        today,
        from: query.date_from.map_or(oldest, Day::from_date).max(low),
        to: query.date_to.map_or(high, Day::from_date).min(high),
        after,
        limit: query.items_per_page.unwrap_or(PAGE).clamp(1, LONGEST_PAGE),
    })
}

fn cursor_position(key: &str) -> Option<(i64, i64)> {
    let (day, position) = key.split_once('.')?;
    Some((day.parse().ok()?, position.parse().ok()?))
}

/// The next page's address, with every parameter of the first: banks that forget some lose entries.
fn next_href(id: &str, query: &TransactionsQuery, (day, position): (i64, i64)) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    pairs.append_pair("bookingStatus", &query.booking_status);
    if let Some(date) = query.date_from {
        pairs.append_pair("dateFrom", &date.to_string());
    }
    if let Some(date) = query.date_to {
        pairs.append_pair("dateTo", &date.to_string());
    }
    if let Some(count) = query.items_per_page {
        pairs.append_pair("itemsPerPage", &count.to_string());
    }
    pairs.append_pair("pageKey", &format!("{day}.{position}"));
    format!("/v1/accounts/{id}/transactions?{}", pairs.finish())
}

/// The account of an id, if it is in the caller's consent.
async fn account(tx: &mut Tx, access: &Access, id: &str) -> Result<ConsentedRow, Xs2aError> {
    let id = Uuid::try_parse(id).map_err(|_| Xs2aError::account_unknown())?;
    let rows = books::accounts_in(tx, access.consent).await?;
    rows.into_iter()
        .find(|row| row.resource_id == id)
        .ok_or(Xs2aError::account_unknown())
}

async fn balances_of(
    bank: &BankState,
    tx: &mut Tx,
    row: &ConsentedRow,
) -> Result<Vec<Xs2aBalance>, Xs2aError> {
    let today = bank.today();
    Ok(Xs2aBalance::all(
        books::holdings(tx, row.account.id, today).await?,
        row,
        today,
    ))
}

fn reference(row: &ConsentedRow) -> Value {
    json!({ "iban": row.account.iban, "currency": row.account.currency })
}
