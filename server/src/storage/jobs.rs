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
}

impl Tx {
    /// Adds a job, due at `run_at`.
    pub async fn add_job(
        &mut self,
        id: JobId,
        kind: &str,
        payload: &[u8],
        run_at: DateTime<Utc>,
    ) -> Stored<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO jobs (id, kind, payload, run_at, attempts) VALUES ($1, $2, $3, $4, 0)",
            )
            .bind(id)
            .bind(kind)
            .bind(payload)
            .bind(run_at)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Claims the job due longest, until `lease_until`; `None` if nothing is due.
    pub async fn claim_job(
        &mut self,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Stored<Option<JobRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "UPDATE jobs SET lease_until = $2, attempts = attempts + 1
                 WHERE id = (SELECT id FROM jobs
                             WHERE failed_at IS NULL AND run_at <= $1 AND (lease_until IS NULL OR lease_until <= $1)
                             ORDER BY run_at, id LIMIT 1)
                   AND failed_at IS NULL AND (lease_until IS NULL OR lease_until <= $1)
                 RETURNING id, kind, payload, attempts",
            )
            .bind(now)
            .bind(lease_until)
            .fetch_optional(conn)
            .await
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
                "UPDATE jobs SET run_at = COALESCE($3, run_at), lease_until = NULL, last_error = $5,
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

    /// When the next job is due, to know how long to sleep.
    pub async fn next_job_at(&mut self) -> Stored<Option<DateTime<Utc>>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT CASE WHEN lease_until IS NULL OR lease_until < run_at THEN run_at ELSE lease_until END
                 FROM jobs WHERE failed_at IS NULL ORDER BY 1 LIMIT 1",
            )
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
        tx.add_job(id, "test", b"{}", clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn claim(db: &Db, clock: &Clock) -> Option<JobRow> {
        let mut tx = db.write().await.unwrap();
        let job = tx
            .claim_job(clock.now(), clock.now() + Duration::seconds(60))
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
        assert_eq!(
            db.read().await.unwrap().next_job_at().await.unwrap(),
            Some(later)
        );
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
