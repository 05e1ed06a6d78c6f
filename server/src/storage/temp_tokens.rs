//! Temporary tokens: one of a session's is exchanged, once, by the tenant that opened it. A session has as many as its
//! end-user's return was repeated; whoever changes them holds the session's row first ([`Tx::hold_session`]), so that
//! an exchange, a cancellation and a repeated return never pass each other by.

use app::domain::ids::{SessionId, TenantId};
use chrono::{DateTime, Utc};
use kernel::crypto::Digest;

use super::{DbResult, Tx, run};

/// One `temp_token`. It is not delivered yet while `expires_at` is `None`.
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
    /// Ended by the exchange of another one of its session, or with the session.
    pub died_at: Option<DateTime<Utc>>,
    /// Digest of the `Idempotency-Key` and the body it was exchanged with, if there was a key.
    pub exchange_mark: Option<Vec<u8>>,
}

impl TempTokenRow {
    /// Returns `true` if it is neither exchanged nor dead; its time may still have run out.
    pub fn is_alive(&self) -> bool {
        self.exchanged_at.is_none() && self.died_at.is_none()
    }
}

/// Every column of a token, in one place.
macro_rules! token_columns {
    () => {
        "digest, session_id, tenant_id, sealed, created_at, expires_at, exchanged_at, died_at, exchange_mark"
    };
}

impl Tx {
    /// Issues a token.
    pub async fn insert_temp_token(&mut self, row: &TempTokenRow) -> DbResult<()> {
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
    pub async fn temp_token(&mut self, digest: &Digest) -> DbResult<Option<TempTokenRow>> {
        run!(self, |conn| {
            sqlx::query_as(concat!(
                "SELECT ",
                token_columns!(),
                " FROM temp_tokens WHERE digest IN ($1, $2)"
            ))
            .bind(digest)
            .bind(digest.other())
            .fetch_optional(conn)
            .await
        })
    }

    /// Every token of a session, dead or alive; the newest first.
    pub async fn temp_tokens_of(&mut self, session: SessionId) -> DbResult<Vec<TempTokenRow>> {
        run!(self, |conn| {
            sqlx::query_as(concat!(
                "SELECT ",
                token_columns!(),
                " FROM temp_tokens WHERE session_id = $1 ORDER BY created_at DESC, digest"
            ))
            .bind(session)
            .fetch_all(conn)
            .await
        })
    }

    /// Exchanges a token; `false` unless it is this tenant's, alive, unexchanged and in time. `mark` is the digest of key
    /// and body of a call that may be repeated.
    pub async fn exchange_temp_token(
        &mut self,
        digest: &Digest,
        tenant: TenantId,
        mark: Option<&[u8]>,
        now: DateTime<Utc>,
    ) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE temp_tokens SET exchanged_at = $3, exchange_mark = $5
                 WHERE digest IN ($1, $4) AND tenant_id = $2 AND exchanged_at IS NULL AND died_at IS NULL AND expires_at > $3",
            )
            .bind(digest)
            .bind(tenant)
            .bind(now)
            .bind(digest.other())
            .bind(mark)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Ends a session's unexchanged tokens; `false` if there are none, which for a completed session means that one was
    /// exchanged.
    pub async fn kill_temp_tokens(
        &mut self,
        session: SessionId,
        now: DateTime<Utc>,
    ) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE temp_tokens SET died_at = $2
                 WHERE session_id = $1 AND exchanged_at IS NULL AND died_at IS NULL",
            )
            .bind(session)
            .bind(now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() > 0)
        })
    }

    /// A session's newest unexchanged token, as it is.
    pub async fn living_temp_token(
        &mut self,
        session: SessionId,
    ) -> DbResult<Option<TempTokenRow>> {
        run!(self, |conn| {
            sqlx::query_as(concat!(
                "SELECT ",
                token_columns!(),
                " FROM temp_tokens WHERE session_id = $1 AND exchanged_at IS NULL AND died_at IS NULL
                  ORDER BY created_at DESC, digest LIMIT 1"
            ))
            .bind(session)
            .fetch_optional(conn)
            .await
        })
    }

    /// Returns a session's newest unexchanged token, and sets its expiry if it has none yet.
    pub async fn deliver_temp_token(
        &mut self,
        session: SessionId,
        expires_at: DateTime<Utc>,
    ) -> DbResult<Option<TempTokenRow>> {
        run!(self, |conn| {
            sqlx::query_as(concat!(
                "UPDATE temp_tokens SET expires_at = COALESCE(expires_at, $2)
                 WHERE exchanged_at IS NULL AND died_at IS NULL
                   AND digest = (SELECT newest.digest FROM temp_tokens newest
                                 WHERE newest.session_id = $1 AND newest.exchanged_at IS NULL AND newest.died_at IS NULL
                                 ORDER BY newest.created_at DESC, newest.digest LIMIT 1)
                 RETURNING ",
                token_columns!()
            ))
            .bind(session)
            .bind(expires_at)
            .fetch_optional(conn)
            .await
        })
    }
}
