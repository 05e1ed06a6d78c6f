//! Forgets what a run of the sandbox console held, a day after it began.

use app::domain::ids::RunId;
use serde::{Deserialize, Serialize};

use super::{Class, Job, JobError};
use crate::state::AppState;

/// Forgets one run's tokens, nonces and bodies.
#[derive(Serialize, Deserialize)]
pub struct ForgetRun {
    pub run: RunId,
}

#[async_trait::async_trait]
impl Job for ForgetRun {
    const KIND: &'static str = "console_run.forget";
    const CLASS: Class = Class::Erasure;

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        let mut tx = state.db.write().await?;
        tx.forget_run(self.run, state.clock.now()).await?;
        tx.commit().await?;
        Ok(())
    }
}
