//! Deletes what is past its time: every table, by the rules of `storage/retention.rs` and those of the sandbox bank. Data
//! of consents and the one-time things of sessions are erased by the job `erase_data`.
//!
//! A round goes on until nothing is left, so that no load is too much for it; one that takes longer than a job may goes on
//! in its next try.

pub mod request_log;

use std::time::Duration as StdDuration;

use chrono::Duration;
use kernel::retention::{BATCH, RuledDatabase};

use super::{JobError, JobHandler};
use crate::jobs::delete_expired::DeleteExpired;
use crate::state::AppState;
use crate::storage::DbError;
use crate::storage::retention::{RULES, RetentionRule};

#[async_trait::async_trait]
impl JobHandler for DeleteExpired {
    const LIMIT: StdDuration = StdDuration::from_mins(10);
    /// It is never given up.
    const TRIES: i64 = i64::MAX;

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        sweep(state).await?;
        Ok(())
    }
}

/// Deletes all that is past its time, in short transactions; says how many rows.
pub async fn sweep(state: &AppState) -> Result<u64, DbError> {
    let mut gone = 0;
    for rule in RULES {
        gone += one(state, rule).await?;
    }
    gone += request_log::trim(state).await?;
    if let Some(bank) = &state.bank_database {
        gone += all_of(state, bank).await?;
    }
    if gone > 0 {
        tracing::debug!(rows = gone, "deleted what was past its time");
    }
    Ok(gone)
}

/// Does a rule's work until nothing is left of it.
async fn one(state: &AppState, rule: &RetentionRule) -> Result<u64, DbError> {
    let audit = Duration::days(state.config.data.audit_days);
    let mut gone = 0;
    loop {
        let bound = rule.kept.bound(state.clock.now(), audit);
        // A look costs no turn of the one who writes.
        if gone == 0 && !rule.is_due(&mut state.db.read().await?, bound).await? {
            break;
        }
        let mut tx = state.db.write().await?;
        let rows = tx.forget(rule, bound, BATCH).await?;
        tx.commit().await?;
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
) -> Result<u64, DbError> {
    let mut gone = 0;
    for rule in *rules {
        let bound = state.clock.now() - rule.kept;
        let mut rows = BATCH;
        let due = rule.is_due(&mut db.read().await?, bound).await?;
        while due && rows == BATCH {
            let mut tx = db.write().await?;
            let forgotten = rule.forget(&mut tx, bound, BATCH).await?;
            tx.commit().await?;
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
