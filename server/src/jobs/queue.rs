//! The queue: writes a job, sealed for its own row, in the transaction that wants it. The worker of its class is woken when
//! that commits, in whatever process.

use app::domain::ids::JobId;
use chrono::{DateTime, Utc};
use kernel::clock::Clock;
use kernel::crypto::Vault;

use super::Job;
use crate::aad;
use crate::storage::{DbError, Tx};

/// Adds jobs. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    clock: Clock,
    vault: Vault,
}

impl Queue {
    pub fn new(clock: Clock, vault: Vault) -> Self {
        Self { clock, vault }
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
            .await
    }
}
