//! The job table: what must happen later or outside, written in the transaction that wants it.
//!
//! A job is claimed by one conditional statement that gives its worker a lease; a worker that dies loses the lease
//! and the job is taken over. Jobs therefore run at least once and must bear repetition.

#[cfg(test)]
mod tests;

use app::domain::ids::JobId;
use chrono::{DateTime, Duration, Utc};

use super::{DbResult, Signal, Tx, run};

/// A claimed job. The payload is sealed: it may hold an address or a one-time link.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct JobRow {
    pub id: JobId,
    pub kind: String,
    pub payload: Vec<u8>,
    /// Tries so far, this one included.
    pub attempts: i64,
    /// Tries in a row that nothing was heard of, this one included.
    pub lost: i64,
}

/// A job as an operator sees it: its payload stays sealed.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ListedJob {
    pub id: JobId,
    pub kind: String,
    pub class: String,
    pub run_at: DateTime<Utc>,
    pub attempts: i64,
    pub lease_until: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
    pub failed_at: Option<DateTime<Utc>>,
}

/// Selection of jobs that were given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeadJobs {
    One(JobId),
    Kind(String),
    All,
}

/// Jobs made due again in one transaction, so that nobody waits long for the writer.
pub const REVIVED: usize = 500;
/// Time beyond which no lease is believed: it was taken by a clock that has been set back since. No lease is so long, and
/// no two processes' clocks are so far apart.
const BELIEVED: Duration = Duration::hours(1);

/// The signal that a job of a class may be due.
pub fn due(class: &str) -> Signal {
    Signal::about("jobs", class)
}

impl Tx {
    /// Adds a job of a kind and class, due at `run_at`.
    pub async fn add_job(
        &mut self,
        id: JobId,
        (kind, class): (&str, &str),
        payload: &[u8],
        run_at: DateTime<Utc>,
    ) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO jobs (id, kind, class, payload, run_at, attempts) VALUES ($1, $2, $3, $4, $5, 0)",
            )
            .bind(id)
            .bind(kind)
            .bind(class)
            .bind(payload)
            .bind(run_at)
            .execute(conn)
            .await
            .map(|_| ())
        })?;
        self.signal(due(class));
        Ok(())
    }

    /// The class of the job due longest.
    pub async fn due_class(&mut self, now: DateTime<Utc>) -> DbResult<Option<String>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT class FROM jobs
                 WHERE failed_at IS NULL AND run_at <= $1
                   AND (lease_until IS NULL OR lease_until <= $1 OR lease_until > $2)
                 ORDER BY run_at, id LIMIT 1",
            )
            .bind(now)
            .bind(now + BELIEVED)
            .fetch_optional(conn)
            .await
        })
    }

    /// Returns the time since when the job of a class is due that is due longest and not leased; `None` if there is none.
    pub async fn oldest_due_job(
        &mut self,
        class: &str,
        now: DateTime<Utc>,
    ) -> DbResult<Option<DateTime<Utc>>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT run_at FROM jobs
                 WHERE class = $1 AND failed_at IS NULL AND run_at <= $2
                   AND (lease_until IS NULL OR lease_until <= $2 OR lease_until > $3)
                 ORDER BY run_at, id LIMIT 1",
            )
            .bind(class)
            .bind(now)
            .bind(now + BELIEVED)
            .fetch_optional(conn)
            .await
        })
    }

    /// Claims the job of a class that is due longest, until `lease_until`; `None` if nothing is due. The try counts from
    /// here, and as lost until something is heard of it.
    pub async fn claim_job(
        &mut self,
        class: &str,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> DbResult<Option<JobRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "UPDATE jobs SET lease_until = $3, attempts = attempts + 1, lost = lost + 1
                 WHERE id = (SELECT id FROM jobs
                             WHERE class = $1 AND failed_at IS NULL AND run_at <= $2
                               AND (lease_until IS NULL OR lease_until <= $2 OR lease_until > $4)
                             ORDER BY run_at, id LIMIT 1)
                   AND failed_at IS NULL AND (lease_until IS NULL OR lease_until <= $2 OR lease_until > $4)
                 RETURNING id, kind, payload, attempts, lost",
            )
            .bind(class)
            .bind(now)
            .bind(lease_until)
            .bind(now + BELIEVED)
            .fetch_optional(conn)
            .await
        })
    }

    /// Prolongs the lease of this try; `false` if another worker has the job.
    pub async fn renew_job(
        &mut self,
        id: JobId,
        attempts: i64,
        lease_until: DateTime<Utc>,
    ) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE jobs SET lease_until = $3 WHERE id = $1 AND attempts = $2 AND failed_at IS NULL",
            )
            .bind(id)
            .bind(attempts)
            .bind(lease_until)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Puts a job back as if this try had not begun.
    pub async fn put_back_job(&mut self, id: JobId, attempts: i64) -> DbResult<()> {
        let class: Option<String> = run!(self, |conn| {
            sqlx::query_scalar(
                "UPDATE jobs SET lease_until = NULL, attempts = attempts - 1, lost = 0 WHERE id = $1 AND attempts = $2
                 RETURNING class",
            )
            .bind(id)
            .bind(attempts)
            .fetch_optional(conn)
            .await
        })?;
        self.signal_due(class);
        Ok(())
    }

    /// Forgets a job that is done, if it still has the lease of this try.
    pub async fn finish_job(&mut self, id: JobId, attempts: i64) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("DELETE FROM jobs WHERE id = $1 AND attempts = $2")
                .bind(id)
                .bind(attempts)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Puts a job back, due at `run_at`, or gives it up for good when `run_at` is none.
    pub async fn retry_job(
        &mut self,
        id: JobId,
        attempts: i64,
        run_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
        error: &str,
    ) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE jobs SET run_at = COALESCE($3, run_at), lease_until = NULL, lost = 0, last_error = $5,
                                 failed_at = CASE WHEN $3 IS NULL THEN $4 ELSE NULL END
                 WHERE id = $1 AND attempts = $2",
            )
            .bind(id)
            .bind(attempts)
            .bind(run_at)
            .bind(now)
            .bind(error)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Returns `true` if a job of a kind waits or runs, or was given up after `since`.
    pub async fn has_job_since(&mut self, kind: &str, since: DateTime<Utc>) -> DbResult<bool> {
        let found: Option<i64> = run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT attempts FROM jobs WHERE kind = $1 AND (failed_at IS NULL OR failed_at > $2) LIMIT 1",
            )
            .bind(kind)
            .bind(since)
            .fetch_optional(conn)
            .await
        })?;
        Ok(found.is_some())
    }

    /// Makes the waiting jobs of a kind due now, whose turn would come later: after a failure, or because they were put
    /// off by a clock that has been set back since.
    pub async fn bring_forward_jobs(&mut self, kind: &str, now: DateTime<Utc>) -> DbResult<()> {
        let classes: Vec<String> = run!(self, |conn| {
            sqlx::query_scalar(
                "UPDATE jobs SET run_at = $2 WHERE kind = $1 AND failed_at IS NULL AND run_at > $2 RETURNING class",
            )
            .bind(kind)
            .bind(now)
            .fetch_all(conn)
            .await
        })?;
        self.signal_due(classes);
        Ok(())
    }

    fn signal_due(&mut self, classes: impl IntoIterator<Item = String>) {
        for class in classes {
            self.signal(due(&class));
        }
    }

    /// Jobs for an operator's eyes, those due longest first; those given up alone, the latest first.
    pub async fn jobs(&mut self, given_up: bool, limit: i64) -> DbResult<Vec<ListedJob>> {
        let sql = if given_up {
            "SELECT id, kind, class, run_at, attempts, lease_until, last_error, failed_at FROM jobs
             WHERE failed_at IS NOT NULL ORDER BY failed_at DESC, id LIMIT $1"
        } else {
            "SELECT id, kind, class, run_at, attempts, lease_until, last_error, failed_at FROM jobs
             ORDER BY run_at, id LIMIT $1"
        };
        run!(self, |conn| sqlx::query_as(sql)
            .bind(limit)
            .fetch_all(conn)
            .await)
    }

    /// Counts all jobs, and those of them that were given up.
    pub async fn count_all_jobs(&mut self) -> DbResult<(i64, i64)> {
        run!(self, |conn| {
            sqlx::query_as("SELECT COUNT(*), COUNT(failed_at) FROM jobs")
                .fetch_one(conn)
                .await
        })
    }

    /// Makes at most [`REVIVED`] jobs that were given up by `now` due again, with all their tries; answers which.
    pub async fn revive_jobs(
        &mut self,
        which: &DeadJobs,
        now: DateTime<Utc>,
    ) -> DbResult<Vec<(JobId, String)>> {
        const SET: &str = "UPDATE jobs SET failed_at = NULL, attempts = 0, lost = 0, lease_until = NULL, run_at = $1
                           WHERE failed_at IS NOT NULL AND id IN (SELECT id FROM jobs WHERE failed_at <= $1";
        let end = format!(" ORDER BY failed_at, id LIMIT {REVIVED}) RETURNING id, kind, class");
        let revived: Vec<(JobId, String, String)> = run!(self, |conn| match which {
            DeadJobs::All => {
                sqlx::query_as(sqlx::AssertSqlSafe(format!("{SET}{end}")))
                    .bind(now)
                    .fetch_all(conn)
                    .await
            }
            DeadJobs::One(id) => {
                let sql = format!("{SET} AND id = $2{end}");
                sqlx::query_as(sqlx::AssertSqlSafe(sql))
                    .bind(now)
                    .bind(id)
                    .fetch_all(conn)
                    .await
            }
            DeadJobs::Kind(kind) => {
                let sql = format!("{SET} AND kind = $2{end}");
                sqlx::query_as(sqlx::AssertSqlSafe(sql))
                    .bind(now)
                    .bind(kind)
                    .fetch_all(conn)
                    .await
            }
        })?;
        let revived = revived.into_iter().map(|(id, kind, class)| {
            self.signal(due(&class));
            (id, kind)
        });
        Ok(revived.collect())
    }

    /// Deletes a job that nobody runs just now; answers its kind.
    pub async fn drop_job(&mut self, id: JobId, now: DateTime<Utc>) -> DbResult<Option<String>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "DELETE FROM jobs
                 WHERE id = $1 AND (failed_at IS NOT NULL OR lease_until IS NULL OR lease_until <= $2 OR lease_until > $3)
                 RETURNING kind",
            )
            .bind(id)
            .bind(now)
            .bind(now + BELIEVED)
            .fetch_optional(conn)
            .await
        })
    }

    /// A job as an operator sees it.
    pub async fn job(&mut self, id: JobId) -> DbResult<Option<ListedJob>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT id, kind, class, run_at, attempts, lease_until, last_error, failed_at FROM jobs WHERE id = $1",
            )
            .bind(id)
            .fetch_optional(conn)
            .await
        })
    }
}
