//! Jobs that put themselves back: makes sure that each is in the table, at start and from then on.

use std::time::Duration as StdDuration;

use chrono::Duration;
use tokio_util::sync::CancellationToken;

use super::Job;
use super::erase_data::EraseData;
use super::refresh_data::RefreshData;
use super::remind_owners::RemindOwners;
use crate::state::AppState;
use crate::storage::DbError;

/// The name of the task that runs this, as `/readyz` gives it.
pub const TASK: &str = "schedule";
/// Between two looks.
const EVERY: StdDuration = StdDuration::from_secs(20);
/// How long after such a job was given up the next one is begun.
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

/// Adds each job that puts itself back, unless it is there or was given up a short while ago.
pub async fn ensure(state: &AppState) -> Result<(), DbError> {
    ensure_one(state, &EraseData {}).await?;
    ensure_one(state, &RefreshData {}).await?;
    ensure_one(state, &RemindOwners {}).await
}

async fn ensure_one<J: Job>(state: &AppState, job: &J) -> Result<(), DbError> {
    let since = state.clock.now() - PAUSE;
    if state.db.read().await?.has_job_since(J::KIND, since).await? {
        return Ok(());
    }
    let mut tx = state.db.write().await?;
    if !tx.has_job_since(J::KIND, since).await? {
        state.queue.add(&mut tx, job).await?;
        tx.commit().await?;
    }
    Ok(())
}
