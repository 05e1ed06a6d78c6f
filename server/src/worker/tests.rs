//! Jobs that panic, hang, take long or take their process down stop nothing else. Clocks stand still but for what a test
//! moves; whatever takes real time is made short, and waited for by looking.

use std::time::Duration as StdDuration;

use app::domain::ids::JobId;
use serde::{Deserialize, Serialize};

use super::*;
use crate::storage::Db;
use crate::storage::jobs::ListedJob;
use crate::storage::testing::on_both;
use crate::testing::state;

on_both!(
    a_panic_ends_one_try_and_nothing_else,
    a_job_that_hangs_is_cut_off_and_tried_again,
    a_long_job_keeps_its_lease_and_runs_once,
    a_job_whose_worker_dies_with_it_is_given_up,
    a_job_that_aborts_the_process_is_given_up,
    what_hangs_in_one_class_is_not_waited_for_in_another,
    a_stop_lets_jobs_finish,
    a_kind_that_nobody_knows_waits_for_a_newer_version,
    jobs_of_another_process_are_run_at_once,
);

const QUICK: WorkerTiming = WorkerTiming {
    look: StdDuration::from_secs(1),
    lease: Duration::seconds(60),
    renew: StdDuration::from_millis(2),
    grace: StdDuration::from_secs(5),
    finish: StdDuration::from_millis(20),
    breath: StdDuration::from_millis(1),
};
/// Time a test waits for what must happen at once.
const PATIENCE: StdDuration = StdDuration::from_secs(30);

/// Writes down that it ran.
#[derive(Serialize, Deserialize)]
struct Notes(String);
#[derive(Serialize, Deserialize)]
struct Panics;
#[derive(Serialize, Deserialize)]
struct Hangs;
#[derive(Serialize, Deserialize)]
struct Aborts;
/// Says that it has begun, and ends once it is told to go.
#[derive(Serialize, Deserialize)]
struct Waits(u32);

impl Job for Notes {
    const KIND: &'static str = "notes";
    const CLASS: Class = Class::Mail;
}

#[async_trait::async_trait]
impl JobHandler for Notes {
    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        note(state, &self.0).await;
        Ok(())
    }
}

impl Job for Panics {
    const KIND: &'static str = "panics";
    const CLASS: Class = Class::Mail;
}

#[async_trait::async_trait]
impl JobHandler for Panics {
    const TRIES: i64 = 2;
    async fn run(&self, _: &AppState) -> Result<(), JobError> {
        panic!("with a secret")
    }
}

impl Job for Hangs {
    const KIND: &'static str = "hangs";
    const CLASS: Class = Class::Mail;
}

#[async_trait::async_trait]
impl JobHandler for Hangs {
    const LIMIT: StdDuration = StdDuration::from_millis(20);
    async fn run(&self, _: &AppState) -> Result<(), JobError> {
        std::future::pending().await
    }
}

impl Job for Aborts {
    const KIND: &'static str = "aborts";
    const CLASS: Class = Class::Mail;
}

#[async_trait::async_trait]
impl JobHandler for Aborts {
    const TRIES: i64 = i64::MAX;
    async fn run(&self, _: &AppState) -> Result<(), JobError> {
        std::process::abort()
    }
}

impl Job for Waits {
    const KIND: &'static str = "waits";
    const CLASS: Class = Class::Data;
}

#[async_trait::async_trait]
impl JobHandler for Waits {
    const TRIES: i64 = i64::MAX;
    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        note(state, &format!("begun {}", self.0)).await;
        while !is_noted(state, "go").await {
            tokio::task::yield_now().await;
        }
        note(state, &format!("done {}", self.0)).await;
        Ok(())
    }
}

fn worker(state: &AppState) -> Worker {
    let kinds = vec![
        JobKind::of::<Notes>(),
        JobKind::of::<Panics>(),
        JobKind::of::<Hangs>(),
        JobKind::of::<Aborts>(),
        JobKind::of::<Waits>(),
    ];
    Worker::new(state.clone(), kinds, QUICK)
}

async fn note(state: &AppState, what: &str) {
    let mut tx = state.db.write().await.unwrap();
    tx.claim_meta(what, "x").await.unwrap();
    tx.commit().await.unwrap();
}

async fn is_noted(state: &AppState, what: &str) -> bool {
    let mut tx = state.db.read().await.unwrap();
    tx.meta(what).await.unwrap().is_some()
}

/// Looks until something was written down.
async fn seen(state: &AppState, what: &str) {
    until(async || is_noted(state, what).await).await;
}

async fn until(mut true_now: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !true_now().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, looking)
        .await
        .expect("it comes at once");
}

async fn add<J: Job>(state: &AppState, job: &J) {
    let mut tx = state.db.write().await.unwrap();
    state.queue.add(&mut tx, job).await.unwrap();
    tx.commit().await.unwrap();
}

async fn jobs(state: &AppState) -> Vec<ListedJob> {
    let mut tx = state.db.read().await.unwrap();
    tx.jobs(false, 100).await.unwrap()
}

async fn only_job(state: &AppState) -> ListedJob {
    let [job] = jobs(state).await.try_into().unwrap();
    job
}

async fn a_panic_ends_one_try_and_nothing_else(db: Db) {
    let state = state(db);
    let worker = worker(&state);
    add(&state, &Panics).await;
    add(&state, &Notes("after".into())).await;
    while worker.run_one().await.unwrap() {}
    assert!(is_noted(&state, "after").await, "the next job runs");
    let job = only_job(&state).await;
    assert_eq!(job.last_error.as_deref(), Some("its handler panicked"));
    assert!(job.failed_at.is_none(), "one try is left");
    state.clock.advance(Duration::seconds(5));
    assert!(worker.run_one().await.unwrap());
    assert!(only_job(&state).await.failed_at.is_some(), "given up");
}

async fn a_job_that_hangs_is_cut_off_and_tried_again(db: Db) {
    let state = state(db);
    let worker = worker(&state);
    add(&state, &Hangs).await;
    add(&state, &Notes("after".into())).await;
    while worker.run_one().await.unwrap() {}
    assert!(is_noted(&state, "after").await);
    let job = only_job(&state).await;
    assert_eq!(
        job.last_error.as_deref(),
        Some("it was cut off after 0.02 s")
    );
    assert_eq!(job.run_at, state.clock.now() + Duration::seconds(5));
}

async fn a_long_job_keeps_its_lease_and_runs_once(db: Db) {
    let state = state(db);
    let worker = worker(&state);
    add(&state, &Waits(1)).await;
    let running = tokio::spawn({
        let worker = worker.clone();
        async move { worker.run_one().await }
    });
    seen(&state, "begun 1").await;
    for _ in 0..10 {
        state.clock.advance(Duration::seconds(30));
        let renewed = state.clock.now() + QUICK.lease;
        until(async || only_job(&state).await.lease_until == Some(renewed)).await;
        assert!(!worker.run_one().await.unwrap(), "nobody else gets it");
    }
    note(&state, "go").await;
    assert!(running.await.unwrap().unwrap());
    assert!(jobs(&state).await.is_empty());
}

async fn a_job_whose_worker_dies_with_it_is_given_up(db: Db) {
    let state = state(db);
    let worker = worker(&state);
    add(&state, &Waits(1)).await;
    for death in 1..=DEATHS {
        let running = tokio::spawn({
            let worker = worker.clone();
            async move { worker.run_one().await }
        });
        until(async || only_job(&state).await.attempts == death).await;
        running.abort();
        running.await.unwrap_err();
        state.clock.advance(Duration::seconds(61));
    }
    assert!(worker.run_one().await.unwrap());
    let job = only_job(&state).await;
    assert!(
        job.failed_at.is_some(),
        "given up, though it has endless tries"
    );
    assert!(job.last_error.unwrap().contains("never heard of again"));
    assert!(!worker.run_one().await.unwrap());
}

/// A process of its own that runs one job: see `a_job_that_aborts_the_process_is_given_up`, which starts it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_job_of_the_database_that_the_environment_names() {
    let Ok(url) = std::env::var("TESSERA_TEST_ABORT") else {
        return;
    };
    let now = std::env::var("TESSERA_TEST_NOW").unwrap().parse().unwrap();
    let db = Db::open(&url).await.unwrap();
    let mut state = state(db);
    // The same keys as the parent's: both are made from the same seed.
    let keys = (state.vault.clone(), state.pepper.clone());
    state.clock = kernel::clock::Clock::mock(now, 9);
    (state.vault, state.pepper) = keys;
    worker(&state).run_one().await.unwrap();
}

async fn a_job_that_aborts_the_process_is_given_up(db: Db) {
    let state = state(db.clone());
    add(&state, &Aborts).await;
    add(&state, &Notes("after".into())).await;
    let url = db.url().await;
    for death in 1..=DEATHS {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child
            .args([
                "--exact",
                "worker::tests::one_job_of_the_database_that_the_environment_names",
            ])
            .env("TESSERA_TEST_ABORT", &url)
            .env("TESSERA_TEST_NOW", state.clock.now().to_rfc3339());
        let ended = tokio::task::spawn_blocking(move || child.output().unwrap());
        let ended = ended.await.unwrap();
        assert!(!ended.status.success(), "death {death}: {ended:?}");
        state.clock.advance(Duration::seconds(61));
    }
    let worker = worker(&state);
    while worker.run_one().await.unwrap() {}
    let job = only_job(&state).await;
    assert_eq!((job.kind.as_str(), job.attempts), ("aborts", DEATHS + 1));
    assert!(job.failed_at.is_some());
    assert!(is_noted(&state, "after").await);
}

async fn what_hangs_in_one_class_is_not_waited_for_in_another(db: Db) {
    let state = state(db);
    let (worker, stop) = (worker(&state), CancellationToken::new());
    let places = u32::try_from(Class::Data.slots()).unwrap();
    for n in 0..=places {
        add(&state, &Waits(n)).await;
    }
    let running = [Class::Data, Class::Mail].map(|class| {
        let (worker, stop) = (worker.clone(), stop.clone());
        tokio::spawn(async move { worker.run(class, stop).await })
    });
    until(async || {
        let held = jobs(&state).await;
        held.iter().filter(|job| job.lease_until.is_some()).count() == Class::Data.slots()
    })
    .await;
    add(&state, &Notes("a letter".into())).await;
    seen(&state, "a letter").await;
    stop.cancel();
    for task in running {
        task.await.unwrap();
    }
    // What was in hand is put back, as if it had not begun.
    let left = jobs(&state).await;
    assert_eq!(left.len(), Class::Data.slots() + 1);
    for job in left {
        assert_eq!((job.attempts, job.lease_until), (0, None));
    }
}

async fn a_stop_lets_jobs_finish(db: Db) {
    let state = state(db);
    let stop = CancellationToken::new();
    let mut worker = worker(&state);
    worker.pace.finish = PATIENCE;
    add(&state, &Waits(1)).await;
    let running = tokio::spawn({
        let (worker, stop) = (worker.clone(), stop.clone());
        async move { worker.run(Class::Data, stop).await }
    });
    seen(&state, "begun 1").await;
    stop.cancel();
    note(&state, "go").await;
    running.await.unwrap();
    assert!(is_noted(&state, "done 1").await);
    assert!(jobs(&state).await.is_empty());
}

async fn a_kind_that_nobody_knows_waits_for_a_newer_version(db: Db) {
    let state = state(db);
    let mut tx = state.db.write().await.unwrap();
    let id = JobId(state.clock.id());
    tx.add_job(id, ("tomorrow", "sessions"), b"", state.clock.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(worker(&state).run_one().await.unwrap());
    let job = only_job(&state).await;
    assert!(job.failed_at.is_none(), "it is tried again");
    assert_eq!(
        job.last_error.as_deref(),
        Some("no handler for jobs of kind tomorrow")
    );
}

async fn jobs_of_another_process_are_run_at_once(db: Db) {
    let there = state(Db::open(&db.url().await).await.unwrap());
    let here = state(db);
    let stop = CancellationToken::new();
    let mut worker = worker(&there);
    // By the clock it would find none of them within this test.
    worker.pace.look = StdDuration::from_hours(1);
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { worker.run(Class::Mail, stop).await }
    });
    let hearing = tokio::spawn({
        let (db, stop) = (there.db.clone(), stop.clone());
        async move {
            let every = StdDuration::from_millis(10);
            db.hear_signals(every, &stop, || ()).await.unwrap();
        }
    });
    for n in 1..=5 {
        let what = format!("letter {n}");
        add(&here, &Notes(what.clone())).await;
        seen(&here, &what).await;
    }
    stop.cancel();
    running.await.unwrap();
    hearing.await.unwrap();
    there.db.close().await;
}
