//! Forgets what a run of the sandbox console held, a day after it began.

use super::{JobError, JobHandler};
use crate::jobs::console::ForgetRun;
use crate::state::AppState;

#[async_trait::async_trait]
impl JobHandler for ForgetRun {
    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        let mut tx = state.db.write().await?;
        tx.forget_run(self.run, state.clock.now()).await?;
        tx.commit().await?;
        Ok(())
    }
}
