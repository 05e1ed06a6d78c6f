//! Later, or again: work that leaves the request that wanted it. One file per kind of job.
//!
//! `Queue::add` writes a job in the caller's transaction; `worker::run` claims, runs and retries. A job runs at least
//! once, so every handler bears repetition.

pub mod console;
pub mod decide_verification;
pub mod erase_data;
pub mod fetch_data;
pub mod follow_payment;
pub mod forward_upload;
pub mod password_link;
pub mod refresh_data;
pub mod remind_owners;
pub mod resume_session;
pub mod revoke_grant;
pub mod send_mail;
pub mod stop_session;

use std::sync::Arc;
use std::time::Duration;

use app::domain::ids::JobId;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::crypto::Vault;
use crate::state::AppState;
use crate::storage::{DbError, Tx};

/// Class of jobs. Jobs of one class may have to wait for each other, and for no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Letters to people.
    Mail,
    /// Asking banks for data.
    Data,
    /// Deleting what is past its time.
    Erasure,
    /// Work that a session waits for, and revocations at a provider.
    Sessions,
    /// Following payments.
    Payments,
}

impl Class {
    pub const ALL: [Self; 5] = [
        Self::Mail,
        Self::Data,
        Self::Erasure,
        Self::Sessions,
        Self::Payments,
    ];

    /// The name stored with a job.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Data => "data",
            Self::Erasure => "erasure",
            Self::Sessions => "sessions",
            Self::Payments => "payments",
        }
    }

    /// The name of its worker, as `/readyz` gives it.
    pub const fn task(self) -> &'static str {
        match self {
            Self::Mail => "jobs: mail",
            Self::Data => "jobs: data",
            Self::Erasure => "jobs: erasure",
            Self::Sessions => "jobs: sessions",
            Self::Payments => "jobs: payments",
        }
    }

    /// Returns the number of its jobs that a process runs at once. Never only one, so that a job that hangs blocks no
    /// other.
    pub const fn slots(self) -> usize {
        match self {
            Self::Erasure => 2,
            Self::Mail | Self::Data | Self::Sessions | Self::Payments => 4,
        }
    }
}

/// A kind of background work: its payload, its name in the table and its handler.
#[async_trait::async_trait]
pub trait Job: Serialize + DeserializeOwned + Send + Sync {
    /// The name stored with the job; never change one that has been released.
    const KIND: &'static str;
    /// Class of jobs that it may have to wait for.
    const CLASS: Class;
    /// Longest duration of one try, after which it is cut off.
    const LIMIT: Duration = Duration::from_mins(1);
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

/// Adds jobs and wakes the worker.
#[derive(Clone)]
pub struct Queue {
    clock: Clock,
    vault: Vault,
    wake: Arc<[Notify; Class::ALL.len()]>,
}

impl Queue {
    pub fn new(clock: Clock, vault: Vault) -> Self {
        Self {
            clock,
            vault,
            wake: Arc::default(),
        }
    }

    /// Adds a job in the caller's transaction, due at once.
    pub async fn add<J: Job>(&self, tx: &mut Tx, job: &J) -> Result<(), DbError> {
        self.add_at(tx, job, self.clock.now()).await
    }

    /// Adds a job in the caller's transaction, due at a time.
    pub async fn add_at<J: Job>(
        &self,
        tx: &mut Tx,
        job: &J,
        run_at: DateTime<Utc>,
    ) -> Result<(), DbError> {
        let id = JobId(self.clock.id());
        let plain = serde_json::to_vec(job).map_err(|error| DbError::Encode(error.into()))?;
        let sealed = self
            .vault
            .seal(&self.clock, &payload_aad(id), &plain)
            .map_err(|error| DbError::Encode(error.into()))?;
        tx.add_job(id, (J::KIND, J::CLASS.as_str()), &sealed, run_at)
            .await?;
        // The worker looks again soon after; if it looks before the commit it finds the job at its next look.
        self.notify(J::CLASS).notify_one();
        Ok(())
    }

    /// Wakes the workers now: call after a commit that added a job whose delay somebody watches.
    pub fn wake(&self) {
        for class in Class::ALL {
            self.notify(class).notify_one();
        }
    }

    /// Waits until a job of a class was added by this process.
    pub async fn wanted(&self, class: Class) {
        self.notify(class).notified().await;
    }

    fn notify(&self, class: Class) -> &Notify {
        let [mail, data, erasure, sessions, payments] = &*self.wake;
        match class {
            Class::Mail => mail,
            Class::Data => data,
            Class::Erasure => erasure,
            Class::Sessions => sessions,
            Class::Payments => payments,
        }
    }
}

pub(crate) fn payload_aad(id: JobId) -> String {
    format!("jobs.payload/{id}")
}
