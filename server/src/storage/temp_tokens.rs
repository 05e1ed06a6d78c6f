//! Temporary tokens: each is exchanged once, by the tenant that opened its session. A session has at most one alive;
//! its row is what an exchange, a cancellation and a repeated return race for.

use app::domain::ids::{SessionId, TenantId};
use chrono::{DateTime, Utc};

use super::{Stored, Tx, run};
use crate::crypto::Digest;

/// One `temp_token`. Its life has not started while `expires_at` is none.
#[derive(Clone, sqlx::FromRow)]
pub struct TempTokenRow {
    pub digest: Digest,
    pub session_id: SessionId,
    pub tenant_id: TenantId,
    /// The token itself, to be handed out again until it is exchanged.
    pub sealed: Vec<u8>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub exchanged_at: Option<DateTime<Utc>>,
    /// Replaced by a later one, or ended with its session.
    pub died_at: Option<DateTime<Utc>>,
}

impl Tx {
    /// Issues a token; fails if the session has one alive.
    pub async fn insert_temp_token(&mut self, row: &TempTokenRow) -> Stored<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO temp_tokens (digest, session_id, tenant_id, sealed, created_at, expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(&row.digest)
            .bind(row.session_id)
            .bind(row.tenant_id)
            .bind(&row.sealed)
            .bind(row.created_at)
            .bind(row.expires_at)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// A token by its digest.
    pub async fn temp_token(&mut self, digest: &Digest) -> Stored<Option<TempTokenRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT digest, session_id, tenant_id, sealed, created_at, expires_at, exchanged_at, died_at
                 FROM temp_tokens WHERE digest IN ($1, $2)",
            )
            .bind(digest)
            .bind(digest.other())
            .fetch_optional(conn)
            .await
        })
    }

    /// Exchanges a token; `false` unless it is this tenant's, alive, unexchanged and in time.
    pub async fn exchange_temp_token(
        &mut self,
        digest: &Digest,
        tenant: TenantId,
        now: DateTime<Utc>,
    ) -> Stored<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE temp_tokens SET exchanged_at = $3
                 WHERE digest IN ($1, $4) AND tenant_id = $2 AND exchanged_at IS NULL AND died_at IS NULL AND expires_at > $3",
            )
            .bind(digest)
            .bind(tenant)
            .bind(now)
            .bind(digest.other())
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Ends a session's unexchanged token; `false` if there is none, which for a completed session means that it was
    /// exchanged.
    pub async fn kill_temp_token(
        &mut self,
        session: SessionId,
        now: DateTime<Utc>,
    ) -> Stored<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE temp_tokens SET died_at = $2
                 WHERE session_id = $1 AND exchanged_at IS NULL AND died_at IS NULL",
            )
            .bind(session)
            .bind(now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// A session's unexchanged token, as it is.
    pub async fn living_temp_token(&mut self, session: SessionId) -> Stored<Option<TempTokenRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT digest, session_id, tenant_id, sealed, created_at, expires_at, exchanged_at, died_at
                 FROM temp_tokens WHERE session_id = $1 AND exchanged_at IS NULL AND died_at IS NULL",
            )
            .bind(session)
            .fetch_optional(conn)
            .await
        })
    }

    /// A session's unexchanged token, its life starting now if it had not.
    pub async fn deliver_temp_token(
        &mut self,
        session: SessionId,
        expires_at: DateTime<Utc>,
    ) -> Stored<Option<TempTokenRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "UPDATE temp_tokens SET expires_at = COALESCE(expires_at, $2)
                 WHERE session_id = $1 AND exchanged_at IS NULL AND died_at IS NULL
                 RETURNING digest, session_id, tenant_id, sealed, created_at, expires_at, exchanged_at, died_at",
            )
            .bind(session)
            .bind(expires_at)
            .fetch_optional(conn)
            .await
        })
    }
}
