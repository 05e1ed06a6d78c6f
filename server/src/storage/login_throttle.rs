//! Failed sign-ins in a row, counted per subject: an account seen from one source, or a source. A subject is a digest,
//! so that the table holds no address.

use chrono::{DateTime, Utc};

use super::{DbResult, Tx, run};

impl Tx {
    /// Counts a try before it is made, unless the subject has to wait. A row untouched since `forgotten` starts anew.
    /// Answers how many tries there have been, this one included; none if it has to wait.
    pub async fn count_attempt(
        &mut self,
        subject: &str,
        now: DateTime<Utc>,
        forgotten: DateTime<Utc>,
    ) -> DbResult<Option<i64>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "INSERT INTO sign_in_failures (subject, failures, last_at) VALUES ($1, 1, $2)
                 ON CONFLICT (subject) DO UPDATE SET
                     failures = CASE WHEN sign_in_failures.last_at < $3 THEN 1 ELSE sign_in_failures.failures + 1 END,
                     last_at = $2, blocked_until = NULL
                 WHERE sign_in_failures.blocked_until IS NULL OR sign_in_failures.blocked_until <= $2
                 RETURNING failures",
            )
            .bind(subject)
            .bind(now)
            .bind(forgotten)
            .fetch_optional(conn)
            .await
        })
    }

    /// Makes a subject wait.
    pub async fn block_attempts(&mut self, subject: &str, until: DateTime<Utc>) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("UPDATE sign_in_failures SET blocked_until = $2 WHERE subject = $1")
                .bind(subject)
                .bind(until)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Returns the time until which a subject has to wait; `None` if it need not.
    pub async fn attempts_blocked(
        &mut self,
        subject: &str,
        now: DateTime<Utc>,
    ) -> DbResult<Option<DateTime<Utc>>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT blocked_until FROM sign_in_failures WHERE subject = $1 AND blocked_until > $2",
            )
            .bind(subject)
            .bind(now)
            .fetch_optional(conn)
            .await
        })
    }

    /// Takes one counted try back: it was no failure.
    pub async fn refund_attempt(&mut self, subject: &str) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE sign_in_failures SET failures = failures - 1 WHERE subject = $1 AND failures > 0",
            )
            .bind(subject)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Forgets a subject's tries.
    pub async fn forget_attempts(&mut self, subject: &str) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("DELETE FROM sign_in_failures WHERE subject = $1")
                .bind(subject)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }
}
