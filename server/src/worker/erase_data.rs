//! Erases what is past its time, every ten minutes: the job puts itself back.

use chrono::Duration;

use super::{JobError, JobHandler};
use crate::jobs::Job as _;
use crate::jobs::erase_data::EraseData;
use crate::services::sessions::erasure;
use crate::state::AppState;

/// Time between two runs. Readers go by the clock and never wait for this.
const EVERY: Duration = Duration::minutes(10);

#[async_trait::async_trait]
impl JobHandler for EraseData {
    const LIMIT: std::time::Duration = std::time::Duration::from_mins(10);
    /// It is never given up.
    const TRIES: i64 = i64::MAX;

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        erasure::erase(state).await?;
        let mut tx = state.db.write().await?;
        // This very job is still in the table; another one beside it is enough.
        if tx.count_jobs(Self::KIND).await? <= 1 {
            let next = state.clock.now() + EVERY;
            state.queue.add_at(&mut tx, self, next).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
