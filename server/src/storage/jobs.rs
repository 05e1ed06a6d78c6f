//! The job table: what must happen later or outside, written in the transaction that wants it.
//!
//! A job is claimed by one conditional statement that gives its worker a lease; a worker that dies loses the lease
//! and the job is taken over. Jobs therefore run at least once and must bear repetition.

use app::domain::ids::JobId;
use chrono::{DateTime, Utc};

use super::{Stored, Tx, run};

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

/// Which jobs that were given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GivenUp {
    One(JobId),
    Kind(String),
    All,
}

impl Tx {
    /// Adds a job of a kind and class, due at `run_at`.
    pub async fn add_job(
        &mut self,
        id: JobId,
        (kind, class): (&str, &str),
        payload: &[u8],
        run_at: DateTime<Utc>,
    ) -> Stored<()> {
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
        })
    }

    /// The class of the job due longest.
    pub async fn due_class(&mut self, now: DateTime<Utc>) -> Stored<Option<String>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT class FROM jobs
                 WHERE failed_at IS NULL AND run_at <= $1 AND (lease_until IS NULL OR lease_until <= $1)
                 ORDER BY run_at, id LIMIT 1",
            )
            .bind(now)
            .fetch_optional(conn)
            .await
        })
    }

    /// Whether a job of a class waits for somebody to claim it.
    pub async fn is_job_due(&mut self, class: &str, now: DateTime<Utc>) -> Stored<bool> {
        let found: Option<i64> = run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT attempts FROM jobs
                 WHERE class = $1 AND failed_at IS NULL AND run_at <= $2 AND (lease_until IS NULL OR lease_until <= $2)
                 ORDER BY run_at, id LIMIT 1",
            )
            .bind(class)
            .bind(now)
            .fetch_optional(conn)
            .await
        })?;
        Ok(found.is_some())
    }

    /// Claims the job of a class that is due longest, until `lease_until`; `None` if nothing is due. The try counts from
    /// here, and as lost until something is heard of it.
    pub async fn claim_job(
        &mut self,
        class: &str,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Stored<Option<JobRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "UPDATE jobs SET lease_until = $3, attempts = attempts + 1, lost = lost + 1
                 WHERE id = (SELECT id FROM jobs
                             WHERE class = $1 AND failed_at IS NULL AND run_at <= $2
                               AND (lease_until IS NULL OR lease_until <= $2)
                             ORDER BY run_at, id LIMIT 1)
                   AND failed_at IS NULL AND (lease_until IS NULL OR lease_until <= $2)
                 RETURNING id, kind, payload, attempts, lost",
            )
            .bind(class)
            .bind(now)
            .bind(lease_until)
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
    ) -> Stored<bool> {
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
    pub async fn put_back_job(&mut self, id: JobId, attempts: i64) -> Stored<()> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE jobs SET lease_until = NULL, attempts = attempts - 1, lost = 0 WHERE id = $1 AND attempts = $2",
            )
            .bind(id)
            .bind(attempts)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Forgets a job that is done, if it still has the lease of this try.
    pub async fn finish_job(&mut self, id: JobId, attempts: i64) -> Stored<()> {
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
    ) -> Stored<()> {
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

    /// How many jobs of a kind wait or run.
    pub async fn count_jobs(&mut self, kind: &str) -> Stored<i64> {
        run!(self, |conn| {
            sqlx::query_scalar("SELECT COUNT(*) FROM jobs WHERE kind = $1 AND failed_at IS NULL")
                .bind(kind)
                .fetch_one(conn)
                .await
        })
    }

    /// Whether a job of a kind waits or runs, or was given up after a time.
    pub async fn has_job_since(&mut self, kind: &str, since: DateTime<Utc>) -> Stored<bool> {
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

    /// Jobs for an operator's eyes, those due longest first; those given up alone, the latest first.
    pub async fn jobs(&mut self, given_up: bool, limit: i64) -> Stored<Vec<ListedJob>> {
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

    /// How many jobs there are, and how many of them were given up.
    pub async fn count_all_jobs(&mut self) -> Stored<(i64, i64)> {
        run!(self, |conn| {
            sqlx::query_as("SELECT COUNT(*), COUNT(failed_at) FROM jobs")
                .fetch_one(conn)
                .await
        })
    }

    /// Makes jobs that were given up due again, with all their tries; answers which.
    pub async fn revive_jobs(
        &mut self,
        which: &GivenUp,
        now: DateTime<Utc>,
    ) -> Stored<Vec<(JobId, String)>> {
        const SET: &str = "UPDATE jobs SET failed_at = NULL, attempts = 0, lost = 0, lease_until = NULL, run_at = $1
                           WHERE failed_at IS NOT NULL";
        run!(self, |conn| match which {
            GivenUp::All => {
                sqlx::query_as(sqlx::AssertSqlSafe(format!("{SET} RETURNING id, kind")))
                    .bind(now)
                    .fetch_all(conn)
                    .await
            }
            GivenUp::One(id) => {
                let sql = format!("{SET} AND id = $2 RETURNING id, kind");
                sqlx::query_as(sqlx::AssertSqlSafe(sql))
                    .bind(now)
                    .bind(id)
                    .fetch_all(conn)
                    .await
            }
            GivenUp::Kind(kind) => {
                let sql = format!("{SET} AND kind = $2 RETURNING id, kind");
                sqlx::query_as(sqlx::AssertSqlSafe(sql))
                    .bind(now)
                    .bind(kind)
                    .fetch_all(conn)
                    .await
            }
        })
    }

    /// Deletes a job that nobody runs just now; answers its kind.
    pub async fn drop_job(&mut self, id: JobId, now: DateTime<Utc>) -> Stored<Option<String>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "DELETE FROM jobs WHERE id = $1 AND (failed_at IS NOT NULL OR lease_until IS NULL OR lease_until <= $2)
                 RETURNING kind",
            )
            .bind(id)
            .bind(now)
            .fetch_optional(conn)
            .await
        })
    }

    /// A job as an operator sees it.
    pub async fn job(&mut self, id: JobId) -> Stored<Option<ListedJob>> {
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use chrono::Duration;

    use super::*;
    use crate::clock::Clock;
    use crate::storage::Db;
    use crate::storage::testing::on_both;

    on_both!(
        a_job_is_claimed_once,
        a_dead_workers_job_is_taken_over,
        a_failed_job_waits_or_is_given_up
    );

    fn clock() -> Clock {
        Clock::mock("2026-01-01T00:00:00Z".parse().unwrap(), 1)
    }

    async fn add(db: &Db, clock: &Clock) -> JobId {
        let id = JobId(clock.id());
        let mut tx = db.write().await.unwrap();
        tx.add_job(id, ("test", "mail"), b"{}", clock.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn claim(db: &Db, clock: &Clock) -> Option<JobRow> {
        let mut tx = db.write().await.unwrap();
        let job = tx
            .claim_job("mail", clock.now(), clock.now() + Duration::seconds(60))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        job
    }

    async fn a_job_is_claimed_once(db: Db) {
        let clock = clock();
        let mut wanted = HashSet::new();
        for _ in 0..8 {
            wanted.insert(add(&db, &clock).await);
        }
        let tasks: Vec<_> = (0..32)
            .map(|_| {
                let (db, clock) = (db.clone(), clock.clone());
                tokio::spawn(async move { claim(&db, &clock).await.map(|job| job.id) })
            })
            .collect();
        let mut got = Vec::new();
        for task in tasks {
            got.extend(task.await.unwrap());
        }
        // On Postgres two workers may reach for the same job at once; one then goes empty-handed and asks again.
        while let Some(job) = claim(&db, &clock).await {
            got.push(job.id);
        }
        assert_eq!(got.len(), 8);
        assert_eq!(got.into_iter().collect::<HashSet<_>>(), wanted);
    }

    async fn a_dead_workers_job_is_taken_over(db: Db) {
        let clock = clock();
        add(&db, &clock).await;
        let first = claim(&db, &clock).await.unwrap();
        assert!(claim(&db, &clock).await.is_none());
        clock.advance(Duration::seconds(61));
        let second = claim(&db, &clock).await.unwrap();
        assert_eq!((first.id, second.attempts), (second.id, 2));
        let mut tx = db.write().await.unwrap();
        tx.finish_job(first.id, first.attempts).await.unwrap();
        tx.commit().await.unwrap();
        clock.advance(Duration::seconds(61));
        assert!(
            claim(&db, &clock).await.is_some(),
            "a worker that lost its lease cannot finish the job"
        );
    }

    async fn a_failed_job_waits_or_is_given_up(db: Db) {
        let clock = clock();
        let id = add(&db, &clock).await;
        let job = claim(&db, &clock).await.unwrap();
        let later = clock.now() + Duration::seconds(30);
        let mut tx = db.write().await.unwrap();
        tx.retry_job(id, job.attempts, Some(later), clock.now(), "no route")
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert!(claim(&db, &clock).await.is_none());
        let mut tx = db.read().await.unwrap();
        assert!(!tx.is_job_due("mail", clock.now()).await.unwrap());
        assert!(tx.is_job_due("mail", later).await.unwrap());
        assert!(!tx.is_job_due("data", later).await.unwrap());
        drop(tx);
        clock.advance(Duration::seconds(30));
        let job = claim(&db, &clock).await.unwrap();
        let mut tx = db.write().await.unwrap();
        tx.retry_job(id, job.attempts, None, clock.now(), "no route")
            .await
            .unwrap();
        tx.commit().await.unwrap();
        clock.advance(Duration::days(9));
        assert!(claim(&db, &clock).await.is_none());
    }
}
