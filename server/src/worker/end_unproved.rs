//! Ends accounts whose address nobody proved, with their sandboxes.

use super::{JobError, JobHandler};
use crate::jobs::end_unproved::EndUnproved;
use crate::services::portal::people::endings;
use crate::state::AppState;

#[async_trait::async_trait]
impl JobHandler for EndUnproved {
    const LIMIT: std::time::Duration = std::time::Duration::from_mins(10);
    /// It is never given up.
    const TRIES: i64 = i64::MAX;

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        let ended = endings::end_unproved(state).await;
        ended.map_err(|failure| JobError(failure.to_string()))?;
        Ok(())
    }
}
