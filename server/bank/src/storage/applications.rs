//! Applications for products, their documents, and the products they led to.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{DbResult, Tx, run};

/// An application as stored; see the migration for what each column is.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ApplicationRow {
    pub id: Uuid,
    pub client_id: String,
    pub kind: String,
    pub status: String,
    pub terms: String,
    pub verification: Option<Uuid>,
    pub decide_at: Option<DateTime<Utc>>,
    pub reason: Option<String>,
    pub created_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
}

/// Metadata of a document. Its bytes are not kept.
#[derive(Clone, Debug)]
pub struct DocumentRow {
    pub application_id: Uuid,
    pub part: Uuid,
    pub kind: String,
    pub sha256: String,
    pub size: i64,
    pub wish: Option<String>,
    pub received_at: DateTime<Utc>,
}

/// A product that was opened.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct BankProductRow {
    pub id: Uuid,
    pub application_id: Uuid,
    pub client_id: String,
    pub reference: String,
    pub part: Option<Uuid>,
    pub opened_on: i64,
    pub shared: bool,
}

/// Writes an application, or what it asks for while it is a draft of the same client's.
pub async fn put(tx: &mut Tx, row: &ApplicationRow) -> DbResult<()> {
    run!(tx, |conn| {
        sqlx::query(
            "INSERT INTO bank_applications (id, client_id, kind, status, terms, created_at, changed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, terms = excluded.terms, changed_at = excluded.changed_at
             WHERE bank_applications.status = 'draft' AND bank_applications.client_id = excluded.client_id",
        )
        .bind(row.id)
        .bind(&row.client_id)
        .bind(&row.kind)
        .bind(&row.status)
        .bind(&row.terms)
        .bind(row.created_at)
        .bind(row.changed_at)
        .execute(conn)
        .await
        .map(|_| ())
    })
}

pub async fn find(tx: &mut Tx, id: Uuid) -> DbResult<Option<ApplicationRow>> {
    run!(tx, |conn| {
        sqlx::query_as(
            "SELECT id, client_id, kind, status, terms, verification, decide_at, reason, created_at, changed_at
             FROM bank_applications WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(conn)
        .await
    })
}

/// Begins a verification; false where none can begin now.
pub async fn verify(tx: &mut Tx, id: Uuid, part: Uuid, now: DateTime<Utc>) -> DbResult<bool> {
    run!(tx, |conn| {
        sqlx::query(
            "UPDATE bank_applications
             SET status = 'verifying', verification = $2, decide_at = NULL, reason = NULL, changed_at = $3
             WHERE id = $1 AND status IN ('draft', 'ask_again')",
        )
        .bind(id)
        .bind(part)
        .bind(now)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}

/// Sets the time the verification under way is decided, unless it is set already.
pub async fn decide_at(tx: &mut Tx, id: Uuid, part: Uuid, at: DateTime<Utc>) -> DbResult<()> {
    run!(tx, |conn| {
        sqlx::query(
            "UPDATE bank_applications SET decide_at = $3
             WHERE id = $1 AND verification = $2 AND status = 'verifying' AND decide_at IS NULL",
        )
        .bind(id)
        .bind(part)
        .bind(at)
        .execute(conn)
        .await
        .map(|_| ())
    })
}

/// Moves an application from one status to another; false if it is not there.
pub async fn move_on(
    tx: &mut Tx,
    id: Uuid,
    from: &str,
    (to, reason): (&str, Option<&str>),
    now: DateTime<Utc>,
) -> DbResult<bool> {
    run!(tx, |conn| {
        sqlx::query(
            "UPDATE bank_applications SET status = $3, reason = $4, changed_at = $5 WHERE id = $1 AND status = $2",
        )
        .bind(id)
        .bind(from)
        .bind(to)
        .bind(reason)
        .bind(now)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}

/// Takes an application back that has led to nothing yet.
pub async fn withdraw(tx: &mut Tx, id: Uuid, now: DateTime<Utc>) -> DbResult<()> {
    run!(tx, |conn| {
        sqlx::query(
            "UPDATE bank_applications SET status = 'withdrawn', changed_at = $2
             WHERE id = $1 AND status NOT IN ('signed', 'rejected', 'withdrawn')",
        )
        .bind(id)
        .bind(now)
        .execute(conn)
        .await
        .map(|_| ())
    })
}

/// Keeps what is kept of a document, in place of an earlier one of its kind.
pub async fn put_document(tx: &mut Tx, row: &DocumentRow) -> DbResult<()> {
    run!(tx, |conn| {
        sqlx::query(
            "INSERT INTO bank_documents (application_id, part, kind, sha256, size, wish, received_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (application_id, part, kind) DO UPDATE
             SET sha256 = excluded.sha256, size = excluded.size, wish = excluded.wish, received_at = excluded.received_at",
        )
        .bind(row.application_id)
        .bind(row.part)
        .bind(&row.kind)
        .bind(&row.sha256)
        .bind(row.size)
        .bind(&row.wish)
        .bind(row.received_at)
        .execute(conn)
        .await
        .map(|_| ())
    })
}

/// The documents of one submission: kind and wish.
pub async fn documents(
    tx: &mut Tx,
    application: Uuid,
    part: Uuid,
) -> DbResult<Vec<(String, Option<String>)>> {
    run!(tx, |conn| {
        sqlx::query_as(
            "SELECT kind, wish FROM bank_documents WHERE application_id = $1 AND part = $2 ORDER BY kind",
        )
        .bind(application)
        .bind(part)
        .fetch_all(conn)
        .await
    })
}

/// Opens a product; an application has one at most.
pub async fn add_product(tx: &mut Tx, row: &BankProductRow) -> DbResult<()> {
    run!(tx, |conn| {
        sqlx::query(
            "INSERT INTO bank_products (id, application_id, client_id, reference, part, opened_on, shared)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(row.id)
        .bind(row.application_id)
        .bind(&row.client_id)
        .bind(&row.reference)
        .bind(row.part)
        .bind(row.opened_on)
        .bind(row.shared)
        .execute(conn)
        .await
        .map(|_| ())
    })
}

pub async fn product(tx: &mut Tx, id: Uuid) -> DbResult<Option<BankProductRow>> {
    run!(tx, |conn| {
        sqlx::query_as(
            "SELECT id, application_id, client_id, reference, part, opened_on, shared FROM bank_products WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(conn)
        .await
    })
}

/// The product that an application led to.
pub async fn product_of(tx: &mut Tx, application: Uuid) -> DbResult<Option<Uuid>> {
    run!(tx, |conn| {
        sqlx::query_scalar("SELECT id FROM bank_products WHERE application_id = $1")
            .bind(application)
            .fetch_optional(conn)
            .await
    })
}

/// Every application: its status, and to how many products it led.
pub async fn all(tx: &mut Tx) -> DbResult<Vec<(String, i64)>> {
    run!(tx, |conn| {
        sqlx::query_as(
            "SELECT a.status, (SELECT COUNT(*) FROM bank_products p WHERE p.application_id = a.id)
             FROM bank_applications a ORDER BY a.created_at, a.id",
        )
        .fetch_all(conn)
        .await
    })
}

/// Hides a product from the client it was sold by.
pub async fn stop_sharing(tx: &mut Tx, id: Uuid, client: &str) -> DbResult<()> {
    run!(tx, |conn| {
        sqlx::query("UPDATE bank_products SET shared = FALSE WHERE id = $1 AND client_id = $2")
            .bind(id)
            .bind(client)
            .execute(conn)
            .await
            .map(|_| ())
    })
}
