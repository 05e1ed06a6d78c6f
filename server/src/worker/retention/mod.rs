//! Deletes what is past its time: one schedule for every table, by the rules of `storage/retention.rs` and those of the
//! sandbox bank, and accounts that were never confirmed (`people/endings.rs`). Data of consents and the one-time things
//! of sessions are erased by the job `erase_data`.

pub mod request_log;

use std::time::Duration as StdDuration;

use chrono::Duration;
use kernel::retention::{BATCH, RuledDatabase};
use tokio_util::sync::CancellationToken;

use crate::services::portal::people::endings;
use crate::state::AppState;
use crate::storage::DbError;
use crate::storage::retention::{RULES, RetentionRule};

/// The name of the task that runs this, as `/readyz` gives it.
pub const TASK: &str = "retention";
/// Between two rounds. A round goes on until nothing is left, so that no load is too much for it.
const EVERY: StdDuration = StdDuration::from_secs(30);

/// Goes round until told to stop.
pub async fn run(state: AppState, stop: CancellationToken) {
    while !stop.is_cancelled() {
        state.pulse.beat(TASK);
        if let Err(error) = round(&state, &stop).await {
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
pub async fn sweep(state: &AppState) -> Result<u64, DbError> {
    round(state, &CancellationToken::new()).await
}

async fn round(state: &AppState, stop: &CancellationToken) -> Result<u64, DbError> {
    let mut gone = 0;
    for rule in RULES {
        gone += one(state, rule, stop).await?;
    }
    gone += request_log::trim(state, stop).await?;
    if let Some(bank) = &state.bank_database {
        gone += all_of(state, bank, stop).await?;
    }
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
        let bound = rule.kept.bound(state.clock.now(), audit);
        // A look costs no turn of the one who writes.
        if gone == 0 && !rule.is_due(&mut state.db.read().await?, bound).await? {
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

/// Does the work of the sandbox bank's rules, in its database.
async fn all_of(
    state: &AppState,
    RuledDatabase { db, rules }: &RuledDatabase,
    stop: &CancellationToken,
) -> Result<u64, DbError> {
    let mut gone = 0;
    for rule in *rules {
        let bound = state.clock.now() - rule.kept;
        let mut rows = BATCH;
        let due = rule.is_due(&mut db.read().await?, bound).await?;
        while due && rows == BATCH && !stop.is_cancelled() {
            let mut tx = db.write().await?;
            let forgotten = rule.forget(&mut tx, bound, BATCH).await?;
            tx.commit().await?;
            state.pulse.beat(TASK);
            gone += forgotten;
            rows = i64::try_from(forgotten).unwrap_or(i64::MAX);
        }
    }
    if gone > 0 {
        // Nothing deleted stays in the log of writes either; if somebody reads just now, the next round does it.
        db.scrub().await?;
    }
    Ok(gone)
}
