//! Turns are taken once, whoever asks and whatever the clock does.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::Barrier;

use super::*;
use crate::jobs::send_mail::SendMail;
use crate::storage::Db;
use crate::storage::testing::{empty_postgres, empty_sqlite, on_both, on_both_empty};
use crate::testing::state;
use crate::worker::{JobError, JobHandler, JobKind, Worker, WorkerTiming, run_one};

on_both!(
    of_many_processes_one_takes_a_turn,
    what_fell_due_while_nothing_ran_is_done_once_after_the_start,
    a_year_ahead_each_entry_runs_once,
    what_a_wrong_clock_or_a_longer_period_put_off_is_brought_forward,
    entries_of_another_version_are_forgotten,
    a_job_that_is_still_there_is_not_added_again,
    after_a_job_that_was_given_up_there_is_a_pause,
    an_entry_that_panics_or_hangs_keeps_no_other_from_its_turn,
    every_job_of_the_schedule_runs,
    every_task_of_the_schedule_gives_signs_of_life_and_ends,
);

/// Returns the kinds of the jobs that wait or run, in the order of the alphabet.
async fn waiting(state: &AppState) -> Vec<String> {
    let jobs = state.db.read().await.unwrap().jobs(false, 1_000).await;
    let jobs = jobs.unwrap().into_iter();
    let mut kinds: Vec<String> = jobs
        .filter(|job| job.failed_at.is_none())
        .map(|job| job.kind)
        .collect();
    kinds.sort_unstable();
    kinds
}

/// Returns the names of the entries that run once for all processes, in the order of the alphabet.
fn names() -> Vec<&'static str> {
    let entries = SCHEDULE.iter().filter(|entry| entry.is_once());
    let mut names: Vec<_> = entries.map(|entry| entry.name).collect();
    names.sort_unstable();
    names
}

/// Runs what is due, and returns how many jobs that were.
async fn work(state: &AppState) -> usize {
    let mut count = 0;
    while run_one(state).await.unwrap() {
        count += 1;
    }
    count
}

async fn of_many_processes_one_takes_a_turn(db: Db) {
    const PROCESSES: usize = 8;
    let url = db.url().await;
    let state = state(db);
    // Each with connections of its own, as processes have them.
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        let db = Db::open(&url).await.unwrap();
        let state = state.clone();
        processes.push(AppState { db, ..state });
    }
    for _ in 0..5 {
        let together = Arc::new(Barrier::new(PROCESSES));
        let looks = processes.iter().map(|process| {
            let (state, together) = (process.clone(), together.clone());
            tokio::spawn(async move {
                together.wait().await;
                look(&state, SCHEDULE).await.unwrap();
            })
        });
        for looked in futures_util::future::join_all(looks).await {
            looked.unwrap();
        }
        assert_eq!(waiting(&state).await, names());
        assert_eq!(work(&state).await, names().len());
        look(&state, SCHEDULE).await.unwrap();
        assert!(waiting(&state).await.is_empty(), "nothing is due yet");
        state.clock.advance(Duration::days(1));
    }
    for process in processes {
        process.db.close().await;
    }
}

async fn what_fell_due_while_nothing_ran_is_done_once_after_the_start(db: Db) {
    let state = state(db);
    prepare(&state, SCHEDULE).await.unwrap();
    work(&state).await;
    state.clock.advance(Duration::minutes(11));
    prepare(&state, SCHEDULE).await.unwrap();
    let due = [
        "delete_expired",
        "end_unproved",
        "erase_data",
        "refresh_data",
    ];
    assert_eq!(waiting(&state).await, due);
    work(&state).await;
    // A process that ends between the turn and the work leaves the job to the others.
    state.clock.advance(Duration::minutes(11));
    look(&state, SCHEDULE).await.unwrap();
    prepare(&state, SCHEDULE).await.unwrap();
    assert_eq!(waiting(&state).await, due);
}

async fn a_year_ahead_each_entry_runs_once(db: Db) {
    let state = state(db);
    prepare(&state, SCHEDULE).await.unwrap();
    assert_eq!(work(&state).await, names().len());
    state.clock.advance(Duration::days(365));
    for _ in 0..3 {
        look(&state, SCHEDULE).await.unwrap();
    }
    assert_eq!(work(&state).await, names().len());
    look(&state, SCHEDULE).await.unwrap();
    assert_eq!(work(&state).await, 0);
}

async fn what_a_wrong_clock_or_a_longer_period_put_off_is_brought_forward(db: Db) {
    let state = state(db);
    state.clock.advance(Duration::days(30));
    prepare(&state, SCHEDULE).await.unwrap();
    // The jobs that it added wait for that time, too.
    state.clock.advance(-Duration::days(30));
    assert_eq!(work(&state).await, 0);
    look(&state, SCHEDULE).await.unwrap();
    for turn in turns(&state).await.unwrap() {
        let next = turn.next_at.unwrap();
        assert!(next <= state.clock.now() + Duration::days(1), "{turn:?}");
    }
    state.clock.advance(Duration::days(1));
    look(&state, SCHEDULE).await.unwrap();
    assert_eq!(work(&state).await, names().len(), "each once");
    // A version with a longer period was here.
    let weekly = once::<RefreshData>(Period::Every(Duration::days(7)), "");
    state.clock.advance(Duration::minutes(1));
    look(&state, &[weekly]).await.unwrap();
    work(&state).await;
    look(&state, SCHEDULE).await.unwrap();
    state.clock.advance(Duration::minutes(1));
    look(&state, SCHEDULE).await.unwrap();
    assert!(waiting(&state).await.contains(&"refresh_data".to_owned()));
}

async fn entries_of_another_version_are_forgotten(db: Db) {
    let state = state(db);
    let mut tx = state.db.write().await.unwrap();
    let now = state.clock.now();
    tx.add_schedule_entry("of_yesterday", now).await.unwrap();
    tx.commit().await.unwrap();
    prepare(&state, SCHEDULE).await.unwrap();
    let rows = state.db.read().await.unwrap().schedule().await.unwrap();
    let rows: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(rows, names());
}

async fn a_job_that_is_still_there_is_not_added_again(db: Db) {
    let state = state(db);
    // An earlier version put its jobs back into the table by itself.
    let mut tx = state.db.write().await.unwrap();
    let later = state.clock.now() + Duration::minutes(9);
    let job = EraseData::default();
    state.queue.add_at(&mut tx, &job, later).await.unwrap();
    tx.commit().await.unwrap();
    prepare(&state, SCHEDULE).await.unwrap();
    assert_eq!(waiting(&state).await, names());
    assert_eq!(work(&state).await, names().len(), "it is due at its turn");
    state.clock.advance(Duration::minutes(9));
    assert_eq!(work(&state).await, 0, "and it does not come back by itself");
    // One that runs for longer than its period.
    look(&state, SCHEDULE).await.unwrap();
    let mut tx = state.db.write().await.unwrap();
    let (now, until) = (state.clock.now(), state.clock.now() + Duration::minutes(10));
    let running = tx.claim_job("erasure", now, until).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    assert_eq!(running.kind, "delete_expired");
    state.clock.advance(HALF_A_MINUTE);
    look(&state, SCHEDULE).await.unwrap();
    assert_eq!(waiting(&state).await, ["delete_expired", "refresh_data"]);
}

async fn after_a_job_that_was_given_up_there_is_a_pause(db: Db) {
    let state = state(db);
    prepare(&state, SCHEDULE).await.unwrap();
    let jobs = state.db.read().await.unwrap().jobs(false, 100).await;
    let jobs = jobs.unwrap();
    let bad = jobs.iter().find(|job| job.kind == "refresh_data").unwrap();
    let mut tx = state.db.write().await.unwrap();
    let now = state.clock.now();
    tx.retry_job(bad.id, 0, None, now, "it took five processes with it")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let is_there = async || {
        look(&state, SCHEDULE).await.unwrap();
        waiting(&state).await.contains(&"refresh_data".to_owned())
    };
    state.clock.advance(Duration::minutes(59));
    assert!(!is_there().await);
    state.clock.advance(Duration::minutes(1));
    assert!(is_there().await);
}

/// A job whose handler panics, and one whose handler hangs.
#[derive(Default, Serialize, Deserialize)]
struct Panics {}
#[derive(Default, Serialize, Deserialize)]
struct Hangs {}

impl Job for Panics {
    const KIND: &'static str = "panics";
    const CLASS: Class = Class::Data;
}
impl Job for Hangs {
    const KIND: &'static str = "hangs";
    const CLASS: Class = Class::Data;
}

#[async_trait::async_trait]
impl JobHandler for Panics {
    async fn run(&self, _: &AppState) -> Result<(), JobError> {
        panic!("with a secret")
    }
}

#[async_trait::async_trait]
impl JobHandler for Hangs {
    const LIMIT: StdDuration = StdDuration::from_millis(20);
    async fn run(&self, _: &AppState) -> Result<(), JobError> {
        std::future::pending().await
    }
}

async fn an_entry_that_panics_or_hangs_keeps_no_other_from_its_turn(db: Db) {
    const ENTRIES: [ScheduleEntry; 3] = [
        once::<Panics>(Period::Every(MINUTE), "panics"),
        once::<Hangs>(Period::Every(MINUTE), "hangs"),
        once::<RefreshData>(Period::Every(MINUTE), "runs"),
    ];
    let state = state(db);
    let kinds = vec![
        JobKind::of::<Panics>(),
        JobKind::of::<Hangs>(),
        JobKind::of::<RefreshData>(),
    ];
    let worker = Worker::new(state.clone(), kinds, WorkerTiming::default());
    for _ in 0..3 {
        look(&state, &ENTRIES).await.unwrap();
        let mut runs = 0;
        while worker.run_one().await.unwrap() {
            runs += 1;
        }
        assert_eq!(runs, 3, "each had its try");
        assert_eq!(waiting(&state).await, ["hangs", "panics"]);
        state.clock.advance(MINUTE);
    }
}

async fn every_job_of_the_schedule_runs(db: Db) {
    let state = state(db);
    for entry in SCHEDULE.iter().filter(|entry| entry.is_once()) {
        look(&state, std::slice::from_ref(entry)).await.unwrap();
        assert_eq!(waiting(&state).await, [entry.name]);
        assert!(run_one(&state).await.unwrap());
        let left = state.db.read().await.unwrap().jobs(false, 10).await;
        assert!(left.unwrap().is_empty(), "{}: it is done", entry.name);
    }
}

async fn every_task_of_the_schedule_gives_signs_of_life_and_ends(db: Db) {
    let state = state(db);
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(state.clone(), stop.clone()));
    let each = SCHEDULE.iter().filter(|entry| !entry.is_once());
    let each: Vec<_> = each.map(|entry| entry.name).collect();
    let known = || {
        let later = std::time::Instant::now() + kernel::background::SILENCE * 2;
        let silent = state.heartbeats.silent(later);
        each.iter()
            .all(|name| silent.iter().any(|(silent, _)| silent == name))
    };
    let looking = async {
        // The jobs of the first look were run: whoever looks and whoever works are there.
        while !known()
            || turns(&state)
                .await
                .unwrap()
                .iter()
                .any(|it| it.last_at.is_none())
        {
            tokio::task::yield_now().await;
        }
        while !waiting(&state).await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(StdDuration::from_secs(30), looking)
        .await
        .expect("all of them run");
    stop.cancel();
    running.await.unwrap();
    assert!(!known(), "what has stopped is not missed");
}

#[test]
fn names_are_told_apart_and_jobs_have_a_handler() {
    let mut all: Vec<_> = SCHEDULE.iter().map(|entry| entry.name).collect();
    all.sort_unstable();
    let count = all.len();
    all.dedup();
    assert_eq!(all.len(), count);
    let kinds = JobKind::all();
    for name in names() {
        assert!(kinds.iter().any(|kind| kind.name == name), "{name}");
    }
    assert!(!names().contains(&SendMail::KIND));
}

#[test]
fn a_day_has_one_turn_at_its_hour() {
    let daily = Period::DailyAt(SIX);
    for (now, next) in [
        ("2026-01-01T00:00:00Z", "2026-01-01T06:00:00Z"),
        ("2026-01-01T05:59:59.999999Z", "2026-01-01T06:00:00Z"),
        ("2026-01-01T06:00:00Z", "2026-01-02T06:00:00Z"),
        ("2026-12-31T23:00:00Z", "2027-01-01T06:00:00Z"),
    ] {
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(daily.next(time(now)), time(next), "{now}");
    }
}

mod upgrade {
    //! From the schema before the schedule, with the jobs that put themselves back.

    use tempfile::TempDir;

    use super::*;

    on_both_empty!(jobs_that_put_themselves_back_run_once_after_the_upgrade);

    async fn jobs_that_put_themselves_back_run_once_after_the_upgrade(make: Make) {
        let db = match make {
            Make::Sqlite(ref folder) => empty_sqlite(folder).await,
            Make::Postgres => empty_postgres().await,
        };
        db.migrate_to(44).await.unwrap();
        let state = state(db);
        let mut tx = state.db.write().await.unwrap();
        let soon = state.clock.now() + Duration::minutes(5);
        for _ in 0..2 {
            let job = EraseData::default();
            state.queue.add_at(&mut tx, &job, soon).await.unwrap();
            let job = RefreshData::default();
            state.queue.add_at(&mut tx, &job, soon).await.unwrap();
            let job = RemindOwners::default();
            state.queue.add_at(&mut tx, &job, soon).await.unwrap();
        }
        tx.commit().await.unwrap();
        state.db.migrate().await.unwrap();
        prepare(&state, SCHEDULE).await.unwrap();
        assert_eq!(waiting(&state).await, names());
        assert_eq!(work(&state).await, names().len());
        state.clock.advance(Duration::minutes(5));
        assert_eq!(work(&state).await, 0);
        state.db.close().await;
    }

    enum Make {
        Sqlite(TempDir),
        Postgres,
    }
}
