//! Everything that runs by the clock, in one table: [`SCHEDULE`].
//!
//! What is to happen once for all processes is a job. Whoever finds an entry due takes its turn by one conditional
//! statement (`storage/schedule.rs`) and adds the job in the same transaction; the job table sees to leases, limits and
//! further tries. One that is still there from the turn before is left to finish. What a process does with what it
//! holds itself runs in each of them, as a task that is started again when it falls.

mod turns;

#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::time::Duration as StdDuration;

use chrono::{DateTime, Days, Duration, NaiveTime, Utc};
use kernel::background::{Restarts, supervise};
use tokio_util::sync::CancellationToken;

pub use self::turns::{ScheduledTurn, look, prepare, turns};
use crate::jobs::delete_expired::DeleteExpired;
use crate::jobs::end_unproved::EndUnproved;
use crate::jobs::erase_data::EraseData;
use crate::jobs::refresh_data::RefreshData;
use crate::jobs::remind_owners::RemindOwners;
use crate::jobs::{Class, Job, Queue};
use crate::services::background::{self, KEY_USE_TASK};
use crate::services::portal::secrets::watch::{self, Watch};
use crate::state::{AppState, request_log};
use crate::storage::{DbError, Tx};

/// All that runs by the clock; nothing else begins a loop of its own (`server/tests/it/rooms/loops.rs`).
#[rustfmt::skip]
pub const SCHEDULE: &[ScheduleEntry] = &[
    // Once for all processes: adds a job.
    once::<RefreshData>(Period::Every(MINUTE), "fetches bank data again that nobody has read for a while"),
    once::<EraseData>(Period::Every(TEN_MINUTES), "erases data of consents, and of sessions, that are past their time"),
    once::<DeleteExpired>(Period::Every(HALF_A_MINUTE), "deletes what a retention rule says is past its time"),
    once::<EndUnproved>(Period::Every(TEN_MINUTES), "ends accounts whose address nobody proved in 30 days"),
    once::<RemindOwners>(Period::DailyAt(SIX), "tells owners of tenants which consents end soon"),
    // In each process: looks at what others have left for it, and writes what it holds in memory.
    each(TASK, FIVE_SECONDS, "takes the turns of the entries above that are due", turns::run),
    each(SIGNALS_TASK, QUARTER_SECOND, "hears what other processes have changed", hear_signals),
    each(Class::Mail.task(), SECOND, "runs jobs that send letters", |state, every, stop| {
        Box::pin(super::run_class(state, Class::Mail, every, stop))
    }),
    each(Class::Data.task(), SECOND, "runs jobs that ask banks for data", |state, every, stop| {
        Box::pin(super::run_class(state, Class::Data, every, stop))
    }),
    each(Class::Erasure.task(), SECOND, "runs jobs that delete", |state, every, stop| {
        Box::pin(super::run_class(state, Class::Erasure, every, stop))
    }),
    each(Class::Sessions.task(), SECOND, "runs jobs that sessions wait for, and revocations", |state, every, stop| {
        Box::pin(super::run_class(state, Class::Sessions, every, stop))
    }),
    each(Class::Payments.task(), SECOND, "runs jobs that follow payments", |state, every, stop| {
        Box::pin(super::run_class(state, Class::Payments, every, stop))
    }),
    each(request_log::TASK, MOMENT, "writes finished calls into the request log", |state, every, stop| {
        Box::pin(async move { state.request_log.run(&state.db, &state.heartbeats, every, stop).await })
    }),
    each(KEY_USE_TASK, SECOND, "writes which keys were used, and digests that a rotation renews", |state, every, stop| {
        Box::pin(background::note_key_use(state, every, stop))
    }),
    each(watch::TASK, HALF_A_SECOND, "takes a new key file into use, and forgets erased data keys", |state, every, stop| {
        Box::pin(Watch::new(state).run(every, stop))
    }),
];

/// The name of the task that takes turns, as `/readyz` gives it.
pub const TASK: &str = "schedule";
/// The name of the task that hears other processes, as `/readyz` gives it.
const SIGNALS_TASK: &str = "signals";

const MOMENT: StdDuration = StdDuration::from_millis(150);
const HALF_A_SECOND: StdDuration = StdDuration::from_millis(400);
const QUARTER_SECOND: StdDuration = StdDuration::from_millis(250);
const SECOND: StdDuration = StdDuration::from_secs(1);
const FIVE_SECONDS: StdDuration = StdDuration::from_secs(5);
const HALF_A_MINUTE: Duration = Duration::seconds(30);
const MINUTE: Duration = Duration::minutes(1);
const TEN_MINUTES: Duration = Duration::minutes(10);
const SIX: NaiveTime = match NaiveTime::from_hms_opt(6, 0, 0) {
    Some(hour) => hour,
    None => NaiveTime::MIN,
};

/// An entry of the schedule.
#[derive(Clone, Copy)]
pub struct ScheduleEntry {
    /// The kind of the job it adds, or the name of its task, as `/readyz` gives it.
    pub name: &'static str,
    /// What it does, for a reader of the table.
    pub does: &'static str,
    pub runs: Runs,
}

/// Where an entry runs, and when.
#[derive(Clone, Copy)]
pub enum Runs {
    /// Once for all processes: whoever takes the turn adds a job.
    Once {
        period: Period,
        class: Class,
        add: AddJob,
    },
    /// In each process, which looks or writes this often.
    Each { every: StdDuration, run: RunTask },
}

/// Time between two turns of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    Every(Duration),
    /// Once a day, UTC.
    DailyAt(NaiveTime),
}

type Running<'r, T> = Pin<Box<dyn Future<Output = T> + Send + 'r>>;
/// Adds an entry's job in the transaction that takes its turn.
pub type AddJob = for<'a> fn(&'a Queue, &'a mut Tx) -> Running<'a, Result<(), DbError>>;
/// Runs an entry's task until told to stop.
pub type RunTask = fn(AppState, StdDuration, CancellationToken) -> Running<'static, ()>;

/// An entry that adds a job of this kind, once for all processes.
pub const fn once<J: Job + Default>(period: Period, does: &'static str) -> ScheduleEntry {
    let runs = Runs::Once {
        period,
        class: J::CLASS,
        add: |queue, tx| Box::pin(async move { queue.add(tx, &J::default()).await }),
    };
    ScheduleEntry {
        name: J::KIND,
        does,
        runs,
    }
}

/// An entry that runs in each process.
const fn each(
    name: &'static str,
    every: StdDuration,
    does: &'static str,
    run: RunTask,
) -> ScheduleEntry {
    let runs = Runs::Each { every, run };
    ScheduleEntry { name, does, runs }
}

impl ScheduleEntry {
    /// Returns `true` for an entry that runs once for all processes.
    pub const fn is_once(&self) -> bool {
        matches!(self.runs, Runs::Once { .. })
    }
}

impl Period {
    /// Returns the time of the turn after one that is taken now. It does not go by when that one was due: a clock that
    /// jumps ahead makes one turn of all that it passed.
    pub fn next(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Every(time) => now + time,
            Self::DailyAt(hour) => {
                let today = now.date_naive().and_time(hour).and_utc();
                if today > now {
                    today
                } else {
                    today + Days::new(1)
                }
            }
        }
    }
}

/// Runs what runs in each process until told to stop: each task by itself, started again when it falls. Jobs in hand are
/// finished or put back, and what is held in memory is written.
pub async fn run(state: AppState, stop: CancellationToken) {
    let tasks = SCHEDULE.iter().filter_map(|entry| match entry.runs {
        Runs::Each { every, run } => Some((entry.name, every, run)),
        Runs::Once { .. } => None,
    });
    let tasks = tasks.map(|(name, every, run)| {
        let (state, stop) = (state.clone(), stop.clone());
        async move {
            let heartbeats = state.heartbeats.clone();
            let make = || run(state.clone(), every, stop.clone());
            supervise(name, &heartbeats, &stop, Restarts::default(), make).await;
        }
    });
    futures_util::future::join_all(tasks).await;
}

/// Hears the signals of other processes until told to stop.
fn hear_signals(
    state: AppState,
    every: StdDuration,
    stop: CancellationToken,
) -> Running<'static, ()> {
    Box::pin(async move {
        let alive = || state.heartbeats.beat(SIGNALS_TASK);
        while let Err(error) = state.db.hear_signals(every, &stop, alive).await {
            tracing::warn!(%error, "signals of other processes are not heard: what they change is found by the clock");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(FIVE_SECONDS) => alive(),
            }
        }
    })
}
