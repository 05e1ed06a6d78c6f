//! Callbacks from providers' pages: one for each time that an end-user was sent there.

use app::domain::ids::SessionId;
use chrono::{DateTime, Utc};
use kernel::crypto::Digest;

use super::{DbResult, Tx, run};

/// Outcome of a redirect to a provider's pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "lowercase")]
pub enum CallbackOutcome {
    /// The end-user has not returned yet.
    Waiting,
    Granted,
    Refused,
}

/// One time that an end-user was sent to a provider's pages.
#[derive(Clone, sqlx::FromRow)]
pub struct CallbackRow {
    /// Digest of the `state` that the provider hands back.
    pub state: Digest,
    pub session_id: SessionId,
    pub position: i64,
    pub step: String,
    /// The tenant's own link, sealed.
    pub link: Vec<u8>,
    pub outcome: CallbackOutcome,
    pub code: Option<Digest>,
    pub created_at: DateTime<Utc>,
}

impl Tx {
    /// Returns `true` if a session's end-user was ever redirected to a provider's pages.
    pub async fn was_redirected(&mut self, session: SessionId) -> DbResult<bool> {
        let count: i64 = run!(self, |conn| {
            sqlx::query_scalar("SELECT COUNT(*) FROM bank_returns WHERE session_id = $1")
                .bind(session)
                .fetch_one(conn)
                .await
        })?;
        Ok(count > 0)
    }

    /// Binds a callback that was settled without a code to the code that its browser brought; `false` if it has one.
    pub async fn bind_callback(&mut self, state: &Digest, code: &Digest) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE bank_returns SET code = $2 WHERE state = $1 AND outcome = 'granted' AND code IS NULL",
            )
            .bind(state)
            .bind(code)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Opens a callback from a provider's pages.
    pub async fn insert_callback(&mut self, row: &CallbackRow) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO bank_returns (state, session_id, position, step, link, outcome, created_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(&row.state)
            .bind(row.session_id)
            .bind(row.position)
            .bind(&row.step)
            .bind(&row.link)
            .bind(row.outcome)
            .bind(row.created_at)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Returns the callback that a `state` belongs to.
    pub async fn callback(&mut self, state: &Digest) -> DbResult<Option<CallbackRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT state, session_id, position, step, link, outcome, code, created_at FROM bank_returns
                 WHERE state IN ($1, $2)",
            )
            .bind(state)
            .bind(state.other())
            .fetch_optional(conn)
            .await
        })
    }

    /// Returns the callback that a session still waits for.
    pub async fn waiting_callback(&mut self, session: SessionId) -> DbResult<Option<CallbackRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT state, session_id, position, step, link, outcome, code, created_at FROM bank_returns
                 WHERE session_id = $1 AND outcome = 'waiting' ORDER BY position DESC LIMIT 1",
            )
            .bind(session)
            .fetch_optional(conn)
            .await
        })
    }

    /// Settles a callback with its outcome; `false` if it had ended already.
    pub async fn settle_callback(
        &mut self,
        state: &Digest,
        outcome: CallbackOutcome,
        code: Option<&Digest>,
    ) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE bank_returns SET outcome = $2, code = $3 WHERE state IN ($1, $4) AND outcome = 'waiting'",
            )
            .bind(state)
            .bind(outcome)
            .bind(code)
            .bind(state.other())
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }
}
