//! Nonces: each authorises one step of one session, once.

use app::domain::ids::SessionId;
use chrono::{DateTime, Utc};
use kernel::crypto::Digest;

use super::{DbResult, Tx, run};

/// One nonce. It is not delivered yet while `expires_at` is `None`.
#[derive(Clone, sqlx::FromRow)]
pub struct NonceRow {
    pub digest: Digest,
    pub session_id: SessionId,
    pub position: i64,
    /// The nonce itself, to be handed out again until it is used.
    pub sealed: Vec<u8>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub used_at: Option<DateTime<Utc>>,
}

impl Tx {
    /// Issues a nonce.
    pub async fn insert_nonce(&mut self, row: &NonceRow) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO nonces (digest, session_id, position, sealed, created_at, expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(&row.digest)
            .bind(row.session_id)
            .bind(row.position)
            .bind(&row.sealed)
            .bind(row.created_at)
            .bind(row.expires_at)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// A nonce by its digest.
    pub async fn nonce(&mut self, digest: &Digest) -> DbResult<Option<NonceRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT digest, session_id, position, sealed, created_at, expires_at, used_at FROM nonces
                 WHERE digest IN ($1, $2)",
            )
            .bind(digest)
            .bind(digest.other())
            .fetch_optional(conn)
            .await
        })
    }

    /// Uses a nonce up; `false` if it was used before.
    pub async fn use_nonce(&mut self, digest: &Digest, now: DateTime<Utc>) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE nonces SET used_at = $2 WHERE digest IN ($1, $3) AND used_at IS NULL",
            )
            .bind(digest)
            .bind(now)
            .bind(digest.other())
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Returns the unused nonce of a step, and sets its expiry if it has none yet; `None` if it was used or never made.
    pub async fn deliver_nonce(
        &mut self,
        session: SessionId,
        position: i64,
        expires_at: DateTime<Utc>,
    ) -> DbResult<Option<NonceRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "UPDATE nonces SET expires_at = COALESCE(expires_at, $3)
                 WHERE session_id = $1 AND position = $2 AND used_at IS NULL
                 RETURNING digest, session_id, position, sealed, created_at, expires_at, used_at",
            )
            .bind(session)
            .bind(position)
            .bind(expires_at)
            .fetch_optional(conn)
            .await
        })
    }
}
