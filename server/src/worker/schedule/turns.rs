//! Taking turns: of all processes, one adds the job of an entry that is due.

use std::time::Duration as StdDuration;

use chrono::{DateTime, Duration, Utc};
use tokio_util::sync::CancellationToken;

use super::{Period, Running, Runs, SCHEDULE, ScheduleEntry, TASK};
use crate::state::AppState;
use crate::storage::schedule::ScheduleRow;
use crate::storage::{DbError, Tx};

/// Time by which an entry may be due later than its period allows before it is brought forward: no two processes' clocks
/// are so far apart.
const SLACK: Duration = Duration::minutes(1);
/// Pause after a job was given up, before the next one of its kind is added.
const PAUSE: Duration = Duration::hours(1);

/// An entry as an operator sees it; without times until some process has looked.
#[derive(Clone, Debug)]
pub struct ScheduledTurn {
    pub entry: &'static str,
    pub last_at: Option<DateTime<Utc>>,
    pub next_at: Option<DateTime<Utc>>,
}

/// Looks again and again until told to stop.
pub(super) fn run(
    state: AppState,
    every: StdDuration,
    stop: CancellationToken,
) -> Running<'static, ()> {
    Box::pin(async move {
        loop {
            state.heartbeats.beat(TASK);
            if let Err(error) = look(&state, SCHEDULE).await {
                tracing::warn!(%error, "the schedule could not be looked at; it is tried again");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(every) => {}
            }
        }
    })
}

/// Forgets entries that this version does not have, and takes the first look.
pub async fn prepare(state: &AppState, entries: &[ScheduleEntry]) -> Result<(), DbError> {
    let rows = state.db.read().await?.schedule().await?;
    let gone = rows
        .iter()
        .filter(|row| !entries.iter().any(|entry| entry.name == row.name));
    for row in gone {
        let mut tx = state.db.write().await?;
        tx.remove_schedule_entry(&row.name).await?;
        tx.commit().await?;
    }
    look(state, entries).await
}

/// Takes the turn of each entry that is due and that nobody else has taken. An entry that cannot be taken keeps no other
/// from its turn.
pub async fn look(state: &AppState, entries: &[ScheduleEntry]) -> Result<(), DbError> {
    let rows = state.db.read().await?.schedule().await?;
    for entry in entries {
        let Runs::Once { period, .. } = entry.runs else {
            continue;
        };
        let row = rows.iter().find(|row| row.name == entry.name);
        if let Err(error) = look_at(state, entry, period, row).await {
            tracing::warn!(entry = entry.name, %error, "a turn could not be taken; it is tried again");
        }
    }
    Ok(())
}

async fn look_at(
    state: &AppState,
    entry: &ScheduleEntry,
    period: Period,
    row: Option<&ScheduleRow>,
) -> Result<(), DbError> {
    let now = state.clock.now();
    let next = period.next(now);
    let mut tx = match row {
        Some(row) if row.next_at <= now => state.db.write().await?,
        // Left behind by a clock that was wrong, or by a version with a longer period.
        Some(row) if row.next_at > next + SLACK => {
            let mut tx = state.db.write().await?;
            tx.bring_forward_turn(entry.name, next).await?;
            return tx.commit().await;
        }
        Some(_) => return Ok(()),
        None => {
            let mut tx = state.db.write().await?;
            tx.add_schedule_entry(entry.name, now).await?;
            tx
        }
    };
    if tx.take_turn(entry.name, now, next).await? {
        add_job(state, &mut tx, entry, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Adds the job of an entry. One that is still there runs on, or is tried again now; after one that was given up there is
/// a pause.
async fn add_job(
    state: &AppState,
    tx: &mut Tx,
    entry: &ScheduleEntry,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let Runs::Once { add, .. } = entry.runs else {
        return Ok(());
    };
    if tx.has_job_since(entry.name, now - PAUSE).await? {
        return tx.bring_forward_jobs(entry.name, now).await;
    }
    add(&state.queue, tx).await
}

/// Returns the entries that run once for all processes, each with its last and next turn.
pub async fn turns(state: &AppState) -> Result<Vec<ScheduledTurn>, DbError> {
    let rows = state.db.read().await?.schedule().await?;
    let entries = SCHEDULE.iter().filter(|entry| entry.is_once());
    let turns = entries.map(|entry| {
        let row = rows.iter().find(|row| row.name == entry.name);
        ScheduledTurn {
            entry: entry.name,
            last_at: row.and_then(|row| row.last_at),
            next_at: row.map(|row| row.next_at),
        }
    });
    Ok(turns.collect())
}
