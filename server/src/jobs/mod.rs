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
pub mod worker;

use std::sync::Arc;

use app::domain::ids::JobId;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::crypto::Vault;
use crate::state::AppState;
use crate::storage::{DbError, Tx};

/// One kind of later work: its payload, its name in the table and what it does.
#[async_trait::async_trait]
pub trait Job: Serialize + DeserializeOwned + Send + Sync {
    /// The name stored with the job; never change one that has been released.
    const KIND: &'static str;
    /// How often it is tried before it is given up.
    const TRIES: i64 = 10;
    /// Does the work. An error is stored without its details' secrets and tried again with growing delay.
    async fn run(&self, state: &AppState) -> Result<(), JobError>;
}

/// Why a try failed, in words fit for a log: no secret, nothing that identifies an end-user.
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
    wake: Arc<Notify>,
}

impl Queue {
    pub fn new(clock: Clock, vault: Vault) -> Self {
        Self {
            clock,
            vault,
            wake: Arc::new(Notify::new()),
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
            .seal(&self.clock, &place(id), &plain)
            .map_err(|error| DbError::Encode(error.into()))?;
        tx.add_job(id, J::KIND, &sealed, run_at).await?;
        // The worker looks again soon after; if it looks before the commit it finds the job at its next look.
        self.wake.notify_one();
        Ok(())
    }

    /// Wakes the worker now: call after a commit that added a job whose delay somebody watches.
    pub fn wake(&self) {
        self.wake.notify_one();
    }
}

fn place(id: JobId) -> String {
    format!("jobs.payload/{id}")
}
