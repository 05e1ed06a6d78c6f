//! Claims, leases and ends of jobs, on both databases.

use std::collections::HashSet;

use chrono::Duration;
use kernel::clock::Clock;

use super::*;
use crate::storage::Db;
use crate::storage::testing::on_both;

on_both!(
    a_job_is_claimed_once,
    a_dead_workers_job_is_taken_over,
    a_lease_from_before_the_clock_was_set_back_is_not_believed,
    many_are_revived_a_batch_at_a_time,
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

async fn a_lease_from_before_the_clock_was_set_back_is_not_believed(db: Db) {
    let clock = clock();
    let id = add(&db, &clock).await;
    clock.advance(Duration::days(400));
    claim(&db, &clock).await.unwrap();
    clock.advance(-Duration::days(400));
    let mut tx = db.read().await.unwrap();
    assert!(
        tx.oldest_due_job("mail", clock.now())
            .await
            .unwrap()
            .is_some()
    );
    let class = tx.due_class(clock.now()).await.unwrap();
    assert_eq!(class.as_deref(), Some("mail"));
    drop(tx);
    assert_eq!(claim(&db, &clock).await.unwrap().id, id);
    // One of an hour or less may be somebody's whose clock goes ahead.
    assert!(claim(&db, &clock).await.is_none());
    let mut tx = db.write().await.unwrap();
    assert!(tx.drop_job(id, clock.now()).await.unwrap().is_none());
}

async fn many_are_revived_a_batch_at_a_time(db: Db) {
    let clock = clock();
    let mut tx = db.write().await.unwrap();
    for _ in 0..=REVIVED {
        let id = JobId(clock.id());
        let now = clock.now();
        tx.add_job(id, ("test", "mail"), b"{}", now).await.unwrap();
        tx.retry_job(id, 0, None, now, "no route").await.unwrap();
    }
    for left in [REVIVED, 1, 0] {
        let revived = tx.revive_jobs(&DeadJobs::All, clock.now()).await.unwrap();
        assert_eq!(revived.len(), left);
    }
    // One that is given up again later is left alone.
    let now = clock.now();
    let id = JobId(clock.id());
    tx.add_job(id, ("test", "mail"), b"{}", now).await.unwrap();
    tx.retry_job(id, 0, None, now + Duration::seconds(1), "no route")
        .await
        .unwrap();
    let revived = tx.revive_jobs(&DeadJobs::Kind("test".into()), now).await;
    assert!(revived.unwrap().is_empty());
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
    assert!(
        tx.oldest_due_job("mail", clock.now())
            .await
            .unwrap()
            .is_none()
    );
    assert!(tx.oldest_due_job("mail", later).await.unwrap().is_some());
    assert!(tx.oldest_due_job("data", later).await.unwrap().is_none());
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
