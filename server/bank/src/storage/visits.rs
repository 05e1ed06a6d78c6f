//! Visits: one of one browser to the authorise page, from sign-in to the code's redemption. What is authorised is a
//! consent or a payment.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{DbResult, Tx, run};

/// Kind of a visit's subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT")]
pub enum VisitSubject {
    /// A consent to account information.
    #[sqlx(rename = "AIS")]
    Consent,
    /// A payment initiation.
    #[sqlx(rename = "PIS")]
    Payment,
}

impl VisitSubject {
    /// The first word of the OAuth scope that names a subject of this kind.
    pub const fn scope(self) -> &'static str {
        match self {
            Self::Consent => "AIS",
            Self::Payment => "PIS",
        }
    }
}

/// A visit as stored.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct VisitRow {
    pub id: Uuid,
    pub kind: VisitSubject,
    /// The consent or payment.
    pub subject_id: Uuid,
    pub redirect_uri: String,
    /// `started`, `signed_in`, `approved` or `refused`.
    pub state: String,
    /// Digest of the browser's cookie.
    pub cookie: String,
    pub client_state: String,
    pub username: Option<String>,
    pub expires_at: DateTime<Utc>,
    /// Name of the app that the client asks for, as the client gives it.
    pub brand: Option<String>,
}

/// A new visit.
pub struct NewVisit<'a> {
    pub id: Uuid,
    pub kind: VisitSubject,
    pub subject_id: Uuid,
    pub redirect_uri: &'a str,
    pub cookie: &'a str,
    pub client_state: &'a str,
    pub code_challenge: &'a str,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub brand: Option<&'a str>,
}

/// Subject and PKCE challenge of a redeemed authorization code.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RedeemedRow {
    pub kind: VisitSubject,
    pub subject_id: Uuid,
    pub code_challenge: String,
}

pub async fn start(tx: &mut Tx, new: &NewVisit<'_>) -> DbResult<()> {
    run!(tx, |conn| {
        sqlx::query(
            "INSERT INTO bank_visits (id, kind, subject_id, redirect_uri, state, cookie, client_state, code_challenge,
                                      created_at, expires_at, brand)
             VALUES ($1, $2, $3, $4, 'started', $5, $6, $7, $8, $9, $10)",
        )
        .bind(new.id)
        .bind(new.kind)
        .bind(new.subject_id)
        .bind(new.redirect_uri)
        .bind(new.cookie)
        .bind(new.client_state)
        .bind(new.code_challenge)
        .bind(new.created_at)
        .bind(new.expires_at)
        .bind(new.brand)
        .execute(conn)
        .await
        .map(|_| ())
    })
}

pub async fn find(tx: &mut Tx, id: Uuid) -> DbResult<Option<VisitRow>> {
    run!(tx, |conn| {
        sqlx::query_as(
            "SELECT id, kind, subject_id, redirect_uri, state, cookie, client_state, username, expires_at, brand
             FROM bank_visits WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(conn)
        .await
    })
}

/// Signs a user in; false if the visit is over or further on.
pub async fn sign_in(tx: &mut Tx, id: Uuid, username: &str, now: DateTime<Utc>) -> DbResult<bool> {
    let done: Option<Uuid> = run!(tx, |conn| {
        sqlx::query_scalar(
            "UPDATE bank_visits SET state = 'signed_in', username = $2
             WHERE id = $1 AND state = 'started' AND expires_at > $3 RETURNING id",
        )
        .bind(id)
        .bind(username)
        .bind(now)
        .fetch_optional(conn)
        .await
    })?;
    Ok(done.is_some())
}

/// Approves, once, with the digest of the code that the browser carries away.
pub async fn approve(
    tx: &mut Tx,
    id: Uuid,
    code: &str,
    code_expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let done: Option<Uuid> = run!(tx, |conn| {
        sqlx::query_scalar(
            "UPDATE bank_visits SET state = 'approved', code = $2, code_expires_at = $3
             WHERE id = $1 AND state = 'signed_in' AND expires_at > $4 RETURNING id",
        )
        .bind(id)
        .bind(code)
        .bind(code_expires_at)
        .bind(now)
        .fetch_optional(conn)
        .await
    })?;
    Ok(done.is_some())
}

/// Refuses, once, before or after signing in.
pub async fn refuse(tx: &mut Tx, id: Uuid, now: DateTime<Utc>) -> DbResult<bool> {
    let done: Option<Uuid> = run!(tx, |conn| {
        sqlx::query_scalar(
            "UPDATE bank_visits SET state = 'refused'
             WHERE id = $1 AND state IN ('started', 'signed_in') AND expires_at > $2 RETURNING id",
        )
        .bind(id)
        .bind(now)
        .fetch_optional(conn)
        .await
    })?;
    Ok(done.is_some())
}

/// Redeems a code, once and in time, for the address it was sent to.
pub async fn redeem(
    tx: &mut Tx,
    code: &str,
    redirect_uri: &str,
    now: DateTime<Utc>,
) -> DbResult<Option<RedeemedRow>> {
    run!(tx, |conn| {
        sqlx::query_as(
            "UPDATE bank_visits SET code_used_at = $3
             WHERE code = $1 AND code_used_at IS NULL AND code_expires_at > $3 AND redirect_uri = $2
             RETURNING kind, subject_id, code_challenge",
        )
        .bind(code)
        .bind(redirect_uri)
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}
