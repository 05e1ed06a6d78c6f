//! Payments: what was ordered and what has happened to the order. The status is worked out by `bank::payments`.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{DbResult, Tx, run};

/// A payment as stored; see the migration for what each column is.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct BankPaymentRow {
    pub id: Uuid,
    pub client_id: String,
    pub request_id: Uuid,
    pub fingerprint: String,
    pub service: String,
    pub product: String,
    pub redirect_uri: String,
    pub body: String,
    pub created_at: DateTime<Utc>,
    pub authorise_by: DateTime<Utc>,
    pub authorised_at: Option<DateTime<Utc>>,
    pub refused_at: Option<DateTime<Utc>>,
    pub cancelled_at: Option<DateTime<Utc>>,
    pub account_id: Option<i64>,
    /// Name of the app that the client asks for, as the client gives it.
    pub brand: Option<String>,
}

impl BankPaymentRow {
    /// Returns `true` if the end-user may still decide on it.
    pub fn waits(&self, now: DateTime<Utc>) -> bool {
        let undecided = [self.authorised_at, self.refused_at, self.cancelled_at];
        undecided.iter().all(Option::is_none) && self.authorise_by > now
    }
}

/// Values that the end-user's authorisation sets on a payment.
pub struct Authorised<'a> {
    pub username: &'a str,
    pub account: i64,
    /// Time from which it cannot be cancelled; `None` if it always can.
    pub binding_at: Option<DateTime<Utc>>,
}

/// Every column that is read, in one place.
macro_rules! payment_columns {
    () => {
        "id, client_id, request_id, fingerprint, service, product, redirect_uri, body, created_at, authorise_by, \
         authorised_at, refused_at, cancelled_at, account_id, brand"
    };
}

/// Writes a new payment, unless its client used the same request id before.
pub async fn add(tx: &mut Tx, row: &BankPaymentRow) -> DbResult<bool> {
    run!(tx, |conn| {
        sqlx::query(
            "INSERT INTO bank_payments (id, client_id, request_id, fingerprint, service, product, redirect_uri, body,
                                        created_at, authorise_by, brand)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (client_id, request_id) DO NOTHING",
        )
        .bind(row.id)
        .bind(&row.client_id)
        .bind(row.request_id)
        .bind(&row.fingerprint)
        .bind(&row.service)
        .bind(&row.product)
        .bind(&row.redirect_uri)
        .bind(&row.body)
        .bind(row.created_at)
        .bind(row.authorise_by)
        .bind(&row.brand)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}

/// The payment that a client ordered with a request id.
pub async fn by_request(
    tx: &mut Tx,
    client_id: &str,
    request_id: Uuid,
) -> DbResult<Option<BankPaymentRow>> {
    run!(tx, |conn| {
        sqlx::query_as(concat!(
            "SELECT ",
            payment_columns!(),
            " FROM bank_payments WHERE client_id = $1 AND request_id = $2"
        ))
        .bind(client_id)
        .bind(request_id)
        .fetch_optional(conn)
        .await
    })
}

pub async fn find(tx: &mut Tx, id: Uuid) -> DbResult<Option<BankPaymentRow>> {
    run!(tx, |conn| {
        sqlx::query_as(concat!(
            "SELECT ",
            payment_columns!(),
            " FROM bank_payments WHERE id = $1"
        ))
        .bind(id)
        .fetch_optional(conn)
        .await
    })
}

pub async fn all(tx: &mut Tx) -> DbResult<Vec<BankPaymentRow>> {
    run!(tx, |conn| {
        sqlx::query_as(concat!(
            "SELECT ",
            payment_columns!(),
            " FROM bank_payments ORDER BY created_at, id"
        ))
        .fetch_all(conn)
        .await
    })
}

/// Authorises a payment that waits for its user; false if it no longer waits.
pub async fn authorise(
    tx: &mut Tx,
    id: Uuid,
    yes: &Authorised<'_>,
    now: DateTime<Utc>,
) -> DbResult<bool> {
    run!(tx, |conn| {
        sqlx::query(
            "UPDATE bank_payments SET authorised_at = $2, username = $3, account_id = $4, binding_at = $5
             WHERE id = $1 AND authorised_at IS NULL AND refused_at IS NULL AND cancelled_at IS NULL AND authorise_by > $2",
        )
        .bind(id)
        .bind(now)
        .bind(yes.username)
        .bind(yes.account)
        .bind(yes.binding_at)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}

/// Refuses a payment that waits for its user; what was decided before stands.
pub async fn refuse(tx: &mut Tx, id: Uuid, now: DateTime<Utc>) -> DbResult<()> {
    run!(tx, |conn| {
        sqlx::query(
            "UPDATE bank_payments SET refused_at = $2
             WHERE id = $1 AND authorised_at IS NULL AND refused_at IS NULL AND cancelled_at IS NULL AND authorise_by > $2",
        )
        .bind(id)
        .bind(now)
        .execute(conn)
        .await
        .map(|_| ())
    })
}

/// Cancels a payment that waits for its user, or whose day has not come; false if it is too late.
pub async fn cancel(tx: &mut Tx, id: Uuid, now: DateTime<Utc>) -> DbResult<bool> {
    run!(tx, |conn| {
        sqlx::query(
            "UPDATE bank_payments SET cancelled_at = $2
             WHERE id = $1 AND refused_at IS NULL AND cancelled_at IS NULL
               AND ((authorised_at IS NULL AND authorise_by > $2)
                 OR (authorised_at IS NOT NULL AND (binding_at IS NULL OR binding_at > $2)))",
        )
        .bind(id)
        .bind(now)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}
