//! Jobs that put themselves back: makes sure that each is in the table, at start and from then on.

use std::time::Duration as StdDuration;

use chrono::Duration;
use tokio_util::sync::CancellationToken;

use crate::jobs::Job;
use crate::jobs::erase_data::EraseData;
use crate::jobs::refresh_data::RefreshData;
use crate::jobs::remind_owners::RemindOwners;
use crate::state::AppState;
use crate::storage::DbError;

/// The name of the task that runs this, as `/readyz` gives it.
pub const TASK: &str = "schedule";
/// Time between two checks of the table.
const EVERY: StdDuration = StdDuration::from_secs(20);
/// Longest time that a job of every few minutes waits, its longest delay after a failure included; and one that waits for
/// the next day's morning.
const OFTEN: Duration = Duration::hours(2);
const DAILY: Duration = Duration::hours(32);
/// Pause after such a job was given up, before the next one is added.
const PAUSE: Duration = Duration::hours(1);

/// Looks now and then until told to stop.
pub async fn run(state: AppState, stop: CancellationToken) {
    loop {
        state.pulse.beat(TASK);
        if let Err(error) = ensure(&state).await {
            tracing::warn!(%error, "the schedule could not be looked after; it is tried again");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Adds each job that puts itself back, unless it is there or was given up a short while ago. One that waits longer than
/// it ever puts itself off is due now.
pub async fn ensure(state: &AppState) -> Result<(), DbError> {
    ensure_one(state, &EraseData {}, OFTEN).await?;
    ensure_one(state, &RefreshData {}, OFTEN).await?;
    ensure_one(state, &RemindOwners {}, DAILY).await
}

async fn ensure_one<J: Job>(state: &AppState, job: &J, longest: Duration) -> Result<(), DbError> {
    let now = state.clock.now();
    let (since, latest) = (now - PAUSE, now + longest);
    let mut tx = state.db.read().await?;
    let is_there = tx.has_job_since(J::KIND, since).await?;
    let is_late = tx.has_job_after(J::KIND, latest).await?;
    drop(tx);
    if is_there && !is_late {
        return Ok(());
    }
    let mut tx = state.db.write().await?;
    if is_late {
        let jobs = tx.bring_forward_jobs(J::KIND, now, latest).await?;
        tracing::warn!(
            kind = J::KIND,
            jobs,
            "jobs were put off by a clock that was wrong; they are due now"
        );
        return tx.commit().await;
    }
    if !tx.has_job_since(J::KIND, since).await? {
        state.queue.add(&mut tx, job).await?;
        tx.commit().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::testing::state;
    use crate::storage::Db;
    use crate::storage::testing::on_both;

    on_both!(what_was_put_off_by_a_wrong_clock_is_due_now);

    async fn what_was_put_off_by_a_wrong_clock_is_due_now(db: Db) {
        let state = state(db);
        ensure(&state).await.unwrap();
        while crate::worker::run_one(&state).await.unwrap() {}
        let latest = state.clock.now() + DAILY;
        let is_late = async || {
            let mut tx = state.db.read().await.unwrap();
            let mut late = Vec::new();
            for kind in [EraseData::KIND, RefreshData::KIND, RemindOwners::KIND] {
                late.push(tx.has_job_after(kind, latest).await.unwrap());
            }
            late
        };
        assert_eq!(is_late().await, [false; 3], "each put itself back as usual");
        // A month ahead they run once, and put themselves off from there.
        state.clock.advance(Duration::days(30));
        while crate::worker::run_one(&state).await.unwrap() {}
        state.clock.advance(-Duration::days(30));
        assert_eq!(is_late().await, [true; 3]);
        ensure(&state).await.unwrap();
        assert_eq!(is_late().await, [false; 3]);
        let mut tx = state.db.read().await.unwrap();
        for kind in [EraseData::KIND, RefreshData::KIND, RemindOwners::KIND] {
            assert_eq!(tx.count_jobs(kind).await.unwrap(), 1, "{kind}");
        }
    }
}
