//! The queue: writes a job, sealed for its own row, in the transaction that wants it, and wakes the worker.

use std::sync::Arc;

use app::domain::ids::JobId;
use chrono::{DateTime, Utc};
use kernel::clock::Clock;
use kernel::crypto::Vault;
use tokio::sync::Notify;

use super::{Class, Job};
use crate::aad;
use crate::storage::{DbError, Tx};

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
            .seal(&self.clock, &aad::job_payload(id), &plain)
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
