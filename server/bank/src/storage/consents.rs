//! Consents, what was ticked in them, and the tokens that open them.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{DbResult, Tx, run};

/// A consent as stored; see the migration for what each column is.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct BankConsentRow {
    pub id: Uuid,
    pub client_id: String,
    pub status: String,
    pub redirect_uri: String,
    pub recurring: bool,
    pub frequency_per_day: i64,
    pub username: Option<String>,
    pub created_at: DateTime<Utc>,
    pub authorise_by: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
    /// Name of the app that the client asks for, as the client gives it.
    pub brand: Option<String>,
    /// Time its user ended it at the bank.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl BankConsentRow {
    /// The Berlin Group `consentStatus` at an instant.
    pub fn status_at(&self, now: DateTime<Utc>) -> &str {
        if self.revoked_at.is_some() {
            return "revokedByPsu";
        }
        let ended = match self.status.as_str() {
            "valid" => self.expires_at <= now,
            "received" => self.authorise_by <= now,
            _ => false,
        };
        if ended { "expired" } else { &self.status }
    }
}

/// Writes a new consent.
pub async fn add(tx: &mut Tx, row: &BankConsentRow) -> DbResult<()> {
    run!(tx, |conn| {
        sqlx::query(
            "INSERT INTO bank_consents (id, client_id, status, redirect_uri, recurring, frequency_per_day, created_at,
                                        authorise_by, expires_at, changed_at, brand)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(row.id)
        .bind(&row.client_id)
        .bind(&row.status)
        .bind(&row.redirect_uri)
        .bind(row.recurring)
        .bind(row.frequency_per_day)
        .bind(row.created_at)
        .bind(row.authorise_by)
        .bind(row.expires_at)
        .bind(row.changed_at)
        .bind(&row.brand)
        .execute(conn)
        .await
        .map(|_| ())
    })
}

pub async fn find(tx: &mut Tx, id: Uuid) -> DbResult<Option<BankConsentRow>> {
    run!(tx, |conn| {
        sqlx::query_as(
            "SELECT id, client_id, status, redirect_uri, recurring, frequency_per_day, username, created_at,
                    authorise_by, expires_at, changed_at, brand, revoked_at
             FROM bank_consents WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(conn)
        .await
    })
}

/// Makes a consent that waits for its user valid or rejected; false if it no longer waits.
pub async fn decide(
    tx: &mut Tx,
    id: Uuid,
    status: &str,
    username: Option<&str>,
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let decided: Option<Uuid> = run!(tx, |conn| {
        sqlx::query_scalar(
            "UPDATE bank_consents SET status = $2, username = $3, changed_at = $4
             WHERE id = $1 AND status = 'received' AND authorise_by > $4 RETURNING id",
        )
        .bind(id)
        .bind(status)
        .bind(username)
        .bind(now)
        .fetch_optional(conn)
        .await
    })?;
    Ok(decided.is_some())
}

/// Notes in which browser a consent was given, by the digest of its cookie.
pub async fn note_browser(tx: &mut Tx, id: Uuid, browser: &str) -> DbResult<()> {
    run!(tx, |conn| {
        sqlx::query("UPDATE bank_consents SET browser = $2 WHERE id = $1")
            .bind(id)
            .bind(browser)
            .execute(conn)
            .await
            .map(|_| ())
    })
}

/// Returns the consents given in a browser that are still valid, newest first, at most `most`.
pub async fn given_in(
    tx: &mut Tx,
    browser: &str,
    now: DateTime<Utc>,
    most: i64,
) -> DbResult<Vec<BankConsentRow>> {
    run!(tx, |conn| {
        sqlx::query_as(
            "SELECT id, client_id, status, redirect_uri, recurring, frequency_per_day, username, created_at,
                    authorise_by, expires_at, changed_at, brand, revoked_at
             FROM bank_consents
             WHERE browser = $1 AND status = 'valid' AND revoked_at IS NULL AND expires_at > $2
             ORDER BY created_at DESC, id DESC LIMIT $3",
        )
        .bind(browser)
        .bind(now)
        .bind(most)
        .fetch_all(conn)
        .await
    })
}

/// Ends a consent for its user, tokens and all, in the browser it was given in; false if it is another's or over.
pub async fn revoke(tx: &mut Tx, id: Uuid, browser: &str, now: DateTime<Utc>) -> DbResult<bool> {
    let revoked: Option<Uuid> = run!(tx, |conn| {
        sqlx::query_scalar(
            "UPDATE bank_consents SET revoked_at = $3, changed_at = $3
             WHERE id = $1 AND browser = $2 AND status = 'valid' AND revoked_at IS NULL RETURNING id",
        )
        .bind(id)
        .bind(browser)
        .bind(now)
        .fetch_optional(conn)
        .await
    })?;
    if revoked.is_none() {
        return Ok(false);
    }
    run!(tx, |conn| {
        sqlx::query("DELETE FROM bank_tokens WHERE consent_id = $1")
            .bind(id)
            .execute(conn)
            .await
            .map(|_| ())
    })?;
    Ok(true)
}

/// Puts an account under a consent.
pub async fn tick(tx: &mut Tx, consent: Uuid, resource: Uuid, account: i64) -> DbResult<()> {
    run!(tx, |conn| {
        sqlx::query(
            "INSERT INTO bank_consent_accounts (consent_id, resource_id, account_id) VALUES ($1, $2, $3)",
        )
        .bind(consent)
        .bind(resource)
        .bind(account)
        .execute(conn)
        .await
        .map(|_| ())
    })
}

/// Ends a consent for its third-party provider, tokens and all. Ending it twice changes nothing.
pub async fn terminate(tx: &mut Tx, id: Uuid, now: DateTime<Utc>) -> DbResult<()> {
    run!(tx, |conn| {
        sqlx::query(
            "UPDATE bank_consents SET status = 'terminatedByTpp', changed_at = $2
             WHERE id = $1 AND status IN ('received', 'valid')",
        )
        .bind(id)
        .bind(now)
        .execute(conn)
        .await
        .map(|_| ())
    })?;
    run!(tx, |conn| {
        sqlx::query("DELETE FROM bank_tokens WHERE consent_id = $1")
            .bind(id)
            .execute(conn)
            .await
            .map(|_| ())
    })
}

/// Writes an access token's digest.
pub async fn add_token(
    tx: &mut Tx,
    digest: &str,
    consent: Uuid,
    expires_at: DateTime<Utc>,
) -> DbResult<()> {
    run!(tx, |conn| {
        sqlx::query("INSERT INTO bank_tokens (digest, consent_id, expires_at) VALUES ($1, $2, $3)")
            .bind(digest)
            .bind(consent)
            .bind(expires_at)
            .execute(conn)
            .await
            .map(|_| ())
    })
}

/// The consent a token opens and when the token ends.
pub async fn token(tx: &mut Tx, digest: &str) -> DbResult<Option<(Uuid, DateTime<Utc>)>> {
    run!(tx, |conn| {
        sqlx::query_as("SELECT consent_id, expires_at FROM bank_tokens WHERE digest = $1")
            .bind(digest)
            .fetch_optional(conn)
            .await
    })
}
