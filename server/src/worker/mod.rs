//! Runs what services left for later. One file per kind of job holds its [`JobHandler`], `schedule` all that runs by the
//! clock, `retention` what is deleted by a rule. This room lies above services, which know nothing of it.
//!
//! The worker claims due jobs, runs each in a task of its own outside any transaction, and writes down how it went. Each
//! class of jobs has a worker, and places of its own: what hangs in one is not waited for in another. A job is
//! watched while it runs: its lease is renewed, its time is limited, and a panic ends that try alone. A try counts from
//! its claim, so that a job which takes the process down with it is given up as well.

mod console;
mod decide_verification;
mod end_unproved;
mod erase_data;
mod fetch_data;
mod follow_payment;
mod forward_upload;
mod password_link;
mod refresh_data;
mod remind_owners;
mod resume_session;
pub mod retention;
mod revoke_grant;
pub mod schedule;
mod send_mail;
mod stop_session;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration as StdDuration, Instant};

use app::domain::ids::JobId;
use chrono::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::field::Empty;

use self::watch::TryOutcome;
use crate::aad;
use crate::jobs::console::ForgetRun;
use crate::jobs::decide_verification::DecideVerification;
use crate::jobs::delete_expired::DeleteExpired;
use crate::jobs::end_unproved::EndUnproved;
use crate::jobs::erase_data::EraseData;
use crate::jobs::fetch_data::FetchData;
use crate::jobs::follow_payment::FollowPayment;
use crate::jobs::forward_upload::ForwardUpload;
use crate::jobs::password_link::SendPasswordLink;
use crate::jobs::refresh_data::{RefreshConsent, RefreshData};
use crate::jobs::remind_owners::RemindOwners;
use crate::jobs::resume_session::ResumeSession;
use crate::jobs::revoke_grant::RevokeGrant;
use crate::jobs::send_mail::SendMail;
use crate::jobs::stop_session::StopSession;
use crate::jobs::{Class, Job};
use crate::scope::Scope;
use crate::state::AppState;
use crate::storage::jobs::{self, JobRow};
use crate::storage::{DbError, Subscription};

/// Number of times in a row that a job's process may end without an outcome before the job itself is taken for the
/// cause and is given up.
const DEATHS: i64 = 5;
/// Number of tries of a job that this process knows no handler for: while a new version is rolled out, some processes
/// are older.
const UNKNOWN_TRIES: i64 = 10;
/// Number of attempts to write the outcome of a job before it is left to the end of its lease.
const WRITES: u32 = 5;

/// Durations that the workers go by; tests use shorter ones.
#[derive(Clone, Copy, Debug)]
pub struct WorkerTiming {
    /// Time between two looks at the table: jobs become due by the clock, and signals may be lost.
    pub look: StdDuration,
    /// Duration of a lease on a job.
    pub lease: Duration,
    /// Time between two renewals of a lease.
    pub renew: StdDuration,
    /// Time a handler is given to end after it was cut off. One that computes or blocks is never interrupted.
    pub grace: StdDuration,
    /// Time jobs in hand are given to finish when the server stops; then they are put back.
    pub finish: StdDuration,
    /// Time between two attempts to write an outcome, multiplied by the number of attempts made.
    pub breath: StdDuration,
}

impl Default for WorkerTiming {
    fn default() -> Self {
        Self {
            look: StdDuration::from_secs(1),
            lease: Duration::seconds(60),
            renew: StdDuration::from_secs(15),
            grace: StdDuration::from_secs(5),
            finish: StdDuration::from_secs(8),
            breath: StdDuration::from_millis(500),
        }
    }
}

/// Handler of a kind of jobs.
#[async_trait::async_trait]
pub trait JobHandler: Job {
    /// Longest duration of one try, after which it is cut off.
    const LIMIT: StdDuration = StdDuration::from_mins(1);
    /// Number of tries after which it is given up. A try that takes its process down counts, and a few of those in a
    /// row end any job.
    const TRIES: i64 = 10;
    /// Does the work. An error is stored, without secrets, and the job is tried again with a growing delay.
    async fn run(&self, state: &AppState) -> Result<(), JobError>;
}

/// Error of a try, in words fit for a log: no secret, nothing that identifies an end-user.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct JobError(pub String);

impl From<DbError> for JobError {
    fn from(error: DbError) -> Self {
        Self(error.to_string())
    }
}

/// A kind of job: its name in the table, its rules, and what runs it.
#[derive(Clone, Copy)]
pub struct JobKind {
    name: &'static str,
    tries: i64,
    limit: StdDuration,
    run: fn(AppState, JobId, Vec<u8>) -> Running,
}

type Running = std::pin::Pin<Box<dyn Future<Output = Result<(), TryError>> + Send>>;

/// Error of a try; `hopeless` if another try cannot help.
struct TryError {
    why: JobError,
    hopeless: bool,
}

impl JobKind {
    /// The kind of jobs that `J` is.
    pub fn of<J: JobHandler + 'static>() -> Self {
        Self {
            name: J::KIND,
            tries: J::TRIES,
            limit: J::LIMIT,
            run: |state, id, payload| Box::pin(run_as::<J>(state, id, payload)),
        }
    }

    /// Every kind the server knows; add a line for a new one.
    pub fn all() -> Vec<Self> {
        vec![
            Self::of::<DecideVerification>(),
            Self::of::<DeleteExpired>(),
            Self::of::<EndUnproved>(),
            Self::of::<EraseData>(),
            Self::of::<FetchData>(),
            Self::of::<FollowPayment>(),
            Self::of::<ForgetRun>(),
            Self::of::<ForwardUpload>(),
            Self::of::<SendPasswordLink>(),
            Self::of::<RefreshConsent>(),
            Self::of::<RefreshData>(),
            Self::of::<RemindOwners>(),
            Self::of::<ResumeSession>(),
            Self::of::<RevokeGrant>(),
            Self::of::<SendMail>(),
            Self::of::<StopSession>(),
        ]
    }
}

async fn run_as<J: JobHandler>(
    state: AppState,
    id: JobId,
    payload: Vec<u8>,
) -> Result<(), TryError> {
    let hopeless = |why: String| TryError {
        why: JobError(why),
        hopeless: true,
    };
    let plain = state.vault.open(&aad::job_payload(id), &payload);
    let plain = plain.map_err(|error| hopeless(error.to_string()))?;
    let job: J = serde_json::from_slice(&plain).map_err(|error| hopeless(error.to_string()))?;
    job.run(&state).await.map_err(|why| TryError {
        why,
        hopeless: false,
    })
}

/// Runs jobs. Cheap to clone.
#[derive(Clone)]
pub struct Worker {
    state: AppState,
    kinds: Arc<[JobKind]>,
    pace: WorkerTiming,
    /// Jobs that were cut off and go on all the same.
    stuck: Arc<AtomicUsize>,
}

/// Runs the worker of a class, which looks at the table this often, until told to stop. Jobs in hand are finished first,
/// or put back.
async fn run_class(state: AppState, class: Class, look: StdDuration, stop: CancellationToken) {
    let timing = WorkerTiming {
        look,
        ..WorkerTiming::default()
    };
    let worker = Worker::new(state, JobKind::all(), timing);
    worker.run(class, stop).await;
}

/// Runs the job due longest, of whatever class; says whether there was one.
pub async fn run_one(state: &AppState) -> Result<bool, DbError> {
    let worker = Worker::new(state.clone(), JobKind::all(), WorkerTiming::default());
    worker.run_one().await
}

impl Worker {
    /// A worker that knows these kinds.
    pub fn new(state: AppState, kinds: Vec<JobKind>, pace: WorkerTiming) -> Self {
        Self {
            state,
            kinds: kinds.into(),
            pace,
            stuck: Arc::default(),
        }
    }

    /// Runs the jobs of a class, as many at once as it has places, until told to stop.
    pub async fn run(&self, class: Class, stop: CancellationToken) {
        let slots = Arc::new(Semaphore::new(class.slots()));
        let cut = CancellationToken::new();
        let mut running = JoinSet::new();
        let mut due = self.state.db.signals().subscribe(jobs::due(class.as_str()));
        while !stop.is_cancelled() {
            // A class whose every place is held by what nothing ends is not moving.
            if self.stuck.load(Ordering::Relaxed) < class.slots() {
                self.state.heartbeats.beat(class.task());
            }
            while running.try_join_next().is_some() {}
            let slot = tokio::select! {
                slot = slots.clone().acquire_owned() => slot,
                () = stop.cancelled() => break,
                () = tokio::time::sleep(self.pace.look) => continue,
            };
            match self.claim(class).await {
                Ok(Some(row)) => {
                    let (worker, cut) = (self.clone(), cut.clone());
                    running.spawn(async move {
                        worker.run_row(row, &cut).await;
                        drop(slot);
                    });
                }
                Ok(None) => self.sleep(&mut due, &stop).await,
                Err(error) => {
                    tracing::error!(%error, "the job table cannot be read");
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(self.pace.look) => {}
                    }
                }
            }
        }
        let all = async { while running.join_next().await.is_some() {} };
        tokio::pin!(all);
        if tokio::time::timeout(self.pace.finish, &mut all)
            .await
            .is_err()
        {
            cut.cancel();
            // What was cut off says so, and is put back.
            tokio::time::timeout(self.pace.grace * 2, &mut all)
                .await
                .ok();
        }
    }

    /// Runs the job due longest, of whatever class; says whether there was one.
    pub async fn run_one(&self) -> Result<bool, DbError> {
        let now = self.state.clock.now();
        let class = self.state.db.read().await?.due_class(now).await?;
        let Some(class) = class else {
            return Ok(false);
        };
        let Some(row) = self.claim_in(&class).await? else {
            return Ok(false);
        };
        self.run_row(row, &CancellationToken::new()).await;
        Ok(true)
    }

    /// Claims a job of a class, if one is due.
    async fn claim(&self, class: Class) -> Result<Option<JobRow>, DbError> {
        // A look costs no turn of the one who writes.
        let mut tx = self.state.db.read().await?;
        let now = self.state.clock.now();
        if tx.oldest_due_job(class.as_str(), now).await?.is_none() {
            return Ok(None);
        }
        drop(tx);
        self.claim_in(class.as_str()).await
    }

    async fn claim_in(&self, class: &str) -> Result<Option<JobRow>, DbError> {
        let now = self.state.clock.now();
        let mut tx = self.state.db.write().await?;
        let row = tx.claim_job(class, now, now + self.pace.lease).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Runs a claimed job and writes down how it went.
    async fn run_row(&self, row: JobRow, cut: &CancellationToken) {
        let span = tracing::error_span!(
            target: "job",
            "job",
            job = %row.id,
            kind = row.kind,
            attempt = row.attempts,
            tenant = Empty,
            otel.name = format_args!("job {}", row.kind),
            otel.kind = "consumer",
        );
        Scope::of_job(span).run(self.run_claimed(row, cut)).await;
    }

    async fn run_claimed(&self, row: JobRow, cut: &CancellationToken) {
        let began = Instant::now();
        let kind = self.kinds.iter().find(|kind| kind.name == row.kind);
        let tries = kind.map_or(UNKNOWN_TRIES, |kind| kind.tries);
        let outcome = match kind {
            _ if row.lost > DEATHS => TryOutcome::GivenUp(format!(
                "it was begun {DEATHS} times and never heard of again: whatever ran it ended with it"
            )),
            // The last try ended with its process, and no more of them are left.
            _ if row.attempts > tries => {
                TryOutcome::GivenUp("its last try was begun and never heard of again".to_owned())
            }
            None => TryOutcome::Failed(format!("no handler for jobs of kind {}", row.kind)),
            Some(kind) => self.watch(&row, kind, cut).await,
        };
        let name = kind.map_or("(unknown)", |kind| kind.name);
        let metrics = &self.state.metrics;
        metrics.count_job(name, outcome.name(), began.elapsed());
        for write in 1..=WRITES {
            match self.write_down(&row, tries, &outcome).await {
                Ok(()) => return,
                Err(error) if write == WRITES => {
                    tracing::error!(job = %row.id, %error, "how a job ended could not be written; it runs again");
                }
                Err(_) => tokio::time::sleep(self.pace.breath * write).await,
            }
        }
    }

    async fn write_down(
        &self,
        row: &JobRow,
        tries: i64,
        outcome: &TryOutcome,
    ) -> Result<(), DbError> {
        let now = self.state.clock.now();
        let mut tx = self.state.db.write().await?;
        let failed = match outcome {
            TryOutcome::Done => {
                tx.finish_job(row.id, row.attempts).await?;
                None
            }
            TryOutcome::PutBack => {
                tx.put_back_job(row.id, row.attempts).await?;
                None
            }
            // Somebody else has it now, and writes down how it goes.
            TryOutcome::Lost => return Ok(()),
            TryOutcome::Failed(error) => Some((error, row.attempts < tries)),
            TryOutcome::GivenUp(error) => Some((error, false)),
        };
        if let Some((error, again)) = failed {
            let at = again.then(|| now + delay(row.attempts));
            tx.retry_job(row.id, row.attempts, at, now, error).await?;
            tracing::warn!(job = %row.id, kind = row.kind, attempt = row.attempts, gives_up = !again, error, "job failed");
        }
        tx.commit().await
    }

    async fn sleep(&self, due: &mut Subscription, stop: &CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = due.heard() => {}
            () = tokio::time::sleep(self.pace.look) => {}
        }
    }
}

/// 5 s, 10 s, 20 s ... up to an hour.
fn delay(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.clamp(1, 11) - 1).unwrap_or(0);
    Duration::seconds((5_i64 << doublings).min(3600))
}
