//! Erases data of consents and one-time things of sessions that are past their time. Readers go by the clock and never
//! wait for this.

use super::{JobError, JobHandler};
use crate::jobs::erase_data::EraseData;
use crate::services::sessions::erasure;
use crate::state::AppState;

#[async_trait::async_trait]
impl JobHandler for EraseData {
    const LIMIT: std::time::Duration = std::time::Duration::from_mins(10);
    /// It is never given up.
    const TRIES: i64 = i64::MAX;

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        Ok(erasure::erase(state).await?)
    }
}
