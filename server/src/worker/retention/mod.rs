//! Deletes what is past its time: one schedule for every table, by the rules of `storage/retention.rs` and those of the
//! sandbox bank, and accounts that were never confirmed (`people/endings.rs`). Data of consents and the one-time things of sessions are erased by the job `erase_data`.

pub mod request_log;

use std::time::Duration as StdDuration;

use chrono::Duration;
use tokio_util::sync::CancellationToken;

use crate::services::portal::people::endings;
use crate::state::AppState;
use crate::storage::DbError;
use crate::storage::retention::{BATCH, RULES, RetentionRule};

/// The name of the task that runs this, as `/readyz` gives it.
pub const TASK: &str = "retention";
/// Between two rounds. A round goes on until nothing is left, so that no load is too much for it.
const EVERY: StdDuration = StdDuration::from_secs(30);

/// Goes round until told to stop. `further` are rules of tables that are not the product's.
pub async fn run(state: AppState, further: &'static [RetentionRule], stop: CancellationToken) {
    while !stop.is_cancelled() {
        state.pulse.beat(TASK);
        if let Err(error) = round(&state, further, &stop).await {
            tracing::warn!(%error, "what is past its time could not be deleted; it is tried again");
        }
        if let Err(error) = endings::end_unproved(&state).await {
            tracing::warn!(%error, "accounts past their time could not be ended; it is tried again");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Deletes all that is past its time, in short transactions; says how many rows.
pub async fn sweep(state: &AppState, further: &'static [RetentionRule]) -> Result<u64, DbError> {
    round(state, further, &CancellationToken::new()).await
}

async fn round(
    state: &AppState,
    further: &'static [RetentionRule],
    stop: &CancellationToken,
) -> Result<u64, DbError> {
    let mut gone = 0;
    for rule in RULES.iter().chain(further) {
        gone += one(state, rule, stop).await?;
    }
    gone += request_log::trim(state, stop).await?;
    if gone > 0 {
        tracing::debug!(rows = gone, "deleted what was past its time");
    }
    Ok(gone)
}

/// Does a rule's work until nothing is left of it.
async fn one(
    state: &AppState,
    rule: &RetentionRule,
    stop: &CancellationToken,
) -> Result<u64, DbError> {
    let audit = Duration::days(state.config.data.audit_days);
    let mut gone = 0;
    while !stop.is_cancelled() {
        let bound = rule.bound(state.clock.now(), audit);
        // A look costs no turn of the one who writes.
        if gone == 0 && !state.db.read().await?.is_due(rule, bound).await? {
            break;
        }
        let mut tx = state.db.write().await?;
        let rows = tx.forget(rule, bound, BATCH).await?;
        tx.commit().await?;
        state.pulse.beat(TASK);
        gone += rows;
        if i64::try_from(rows).unwrap_or(i64::MAX) < BATCH {
            break;
        }
    }
    Ok(gone)
}
