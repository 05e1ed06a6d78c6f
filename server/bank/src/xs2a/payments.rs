//! Payment initiation: ordered by the third-party provider, authorised by the end-user on the bank's pages, cancelled
//! by the provider as long as it is not binding. Cancelling needs no second authorisation here.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use chrono::Duration;
use json::PlainValue;
use kernel::crypto::sha256_hex;
use kernel::json::{Json, JsonBodyError};
use serde_json::{Value, json};
use uuid::Uuid;

use super::access::Tpp;
use super::consents::{brand, links, redirect_uri};
use crate::BankState;
use crate::ledger::{Day, accounts};
use crate::payments::order::{Order, Service};
use crate::payments::status::{OrderStatus, standing};
use crate::storage::payments::{self, BankPaymentRow};
use crate::xs2a_error::Xs2aError;

/// Time the end-user has to decide.
const TIME_TO_AUTHORISE: Duration = Duration::minutes(30);

/// Service, product and id of a path.
type Named = Result<Path<(Service, String, String)>, PathRejection>;

/// `POST /v1/{payment-service}/{payment-product}`. The same `X-Request-ID` again is the same payment.
pub async fn create(
    State(bank): State<BankState>,
    tpp: Tpp,
    headers: HeaderMap,
    path: Result<Path<(Service, String)>, PathRejection>,
    body: Result<Json<PlainValue>, JsonBodyError>,
) -> Result<Response, Xs2aError> {
    let Path((service, product)) = path.map_err(|_| Xs2aError::product_unknown())?;
    let Json(PlainValue(body)) = body.map_err(|_| Xs2aError::format("the body must be JSON"))?;
    let order = Order::read(service, &product, &body)?;
    order.judge(bank.today())?;
    let row = row(&bank, tpp, &headers, (service, product), &body)?;
    let mut tx = bank.db.write().await?;
    let row = if payments::add(&mut tx, &row).await? {
        tx.commit().await?;
        row
    } else {
        let first = payments::by_request(&mut tx, &row.client_id, row.request_id).await?;
        first
            .filter(|first| first.fingerprint == row.fingerprint)
            .ok_or(Xs2aError::request_reused())?
    };
    let path = address(&row);
    let body = json!({
        "transactionStatus": standing(&row, &order, bank.clock.now()).status,
        "paymentId": row.id,
        "_links": links(&bank, &path),
    });
    let headers = [
        ("location", path),
        ("aspsp-sca-approach", "REDIRECT".to_owned()),
    ];
    Ok((StatusCode::CREATED, headers, Json(body)).into_response())
}

fn row(
    bank: &BankState,
    tpp: Tpp,
    headers: &HeaderMap,
    (service, product): (Service, String),
    body: &Value,
) -> Result<BankPaymentRow, Xs2aError> {
    let request_id = headers.get("x-request-id").and_then(|id| id.to_str().ok());
    let request_id = request_id.and_then(|id| Uuid::try_parse(id).ok());
    let redirect_uri = redirect_uri(headers)?;
    let now = bank.clock.now();
    let body = body.to_string();
    let ordered = format!("{}/{product}\n{redirect_uri}\n{body}", service.as_str());
    Ok(BankPaymentRow {
        id: bank.clock.id(),
        client_id: tpp.client_id,
        request_id: request_id.ok_or(Xs2aError::format("X-Request-ID must be a UUID"))?,
        fingerprint: sha256_hex(ordered.as_bytes()),
        service: service.as_str().to_owned(),
        product,
        redirect_uri,
        body,
        created_at: now,
        authorise_by: now + TIME_TO_AUTHORISE,
        authorised_at: None,
        refused_at: None,
        cancelled_at: None,
        account_id: None,
        brand: brand(headers),
    })
}

fn address(row: &BankPaymentRow) -> String {
    format!("/v1/{}/{}/{}", row.service, row.product, row.id)
}

/// The caller's payment of a path, as ordered; another client's, or one of another service, is an unknown one.
async fn own(
    bank: &BankState,
    tpp: &Tpp,
    named: Named,
) -> Result<(BankPaymentRow, Value), Xs2aError> {
    let Path((service, product, id)) = named.map_err(|_| Xs2aError::payment_unknown())?;
    let id = Uuid::try_parse(&id).map_err(|_| Xs2aError::payment_unknown())?;
    let mut tx = bank.db.read().await?;
    let row = payments::find(&mut tx, id).await?.filter(|row| {
        row.client_id == tpp.client_id && row.service == service.as_str() && row.product == product
    });
    let row = row.ok_or(Xs2aError::payment_unknown())?;
    let body = serde_json::from_str(&row.body).unwrap_or_default();
    Ok((row, body))
}

fn now(bank: &BankState, row: &BankPaymentRow, body: &Value) -> Result<OrderStatus, Xs2aError> {
    let service = Service::parse(&row.service).ok_or(Xs2aError::payment_unknown())?;
    let order = Order::read(service, &row.product, body)?;
    Ok(standing(row, &order, bank.clock.now()))
}

/// `GET /v1/{payment-service}/{payment-product}/{paymentId}`: the order with its status, the account that pays once the
/// end-user has chosen it, and members of the bank's own: why it was rejected, the status of each payment of a bulk, and
/// how often a standing order was executed.
pub async fn read(
    State(bank): State<BankState>,
    tpp: Tpp,
    named: Named,
) -> Result<Json<Value>, Xs2aError> {
    let (row, mut body) = own(&bank, &tpp, named).await?;
    let standing = now(&bank, &row, &body)?;
    if let Some(one_by_one) = body.get_mut("payments").and_then(Value::as_array_mut) {
        for (one, (status, reason)) in one_by_one.iter_mut().zip(&standing.transfers) {
            put(one, "transactionStatus", json!(status));
            if let Some(reason) = reason {
                put(one, "reasonCode", json!(reason));
            }
        }
    }
    put(&mut body, "transactionStatus", json!(standing.status));
    if let Some(reason) = standing.reason {
        put(&mut body, "reasonCode", json!(reason));
    }
    if let Some(payer) = accounts::of_id(row.account_id) {
        let account = json!({ "iban": payer.iban(), "currency": payer.currency });
        put(&mut body, "debtorAccount", account);
    }
    if let Some(executions) = standing.executions {
        let date = |day: Option<Day>| day.map(Day::date);
        let done = json!({ "done": executions.done, "last": date(executions.last), "next": date(executions.next) });
        put(&mut body, "executions", done);
    }
    Ok(Json(body))
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

/// `GET .../status`
pub async fn status(
    State(bank): State<BankState>,
    tpp: Tpp,
    named: Named,
) -> Result<Json<Value>, Xs2aError> {
    let (row, body) = own(&bank, &tpp, named).await?;
    let standing = now(&bank, &row, &body)?;
    Ok(Json(json!({ "transactionStatus": standing.status })))
}

/// `DELETE /v1/{payment-service}/{payment-product}/{paymentId}`: cancels it while it waits for its user, and afterwards
/// until its day has come. Cancelling twice is no error.
pub async fn cancel(
    State(bank): State<BankState>,
    tpp: Tpp,
    named: Named,
) -> Result<StatusCode, Xs2aError> {
    let (row, _) = own(&bank, &tpp, named).await?;
    let mut tx = bank.db.write().await?;
    if payments::cancel(&mut tx, row.id, bank.clock.now()).await? {
        tx.commit().await?;
        return Ok(StatusCode::NO_CONTENT);
    }
    let row = payments::find(&mut tx, row.id).await?;
    match row.and_then(|row| row.cancelled_at) {
        Some(_) => Ok(StatusCode::NO_CONTENT),
        None => Err(Xs2aError::cancellation_invalid()),
    }
}
