//! Tells owners of tenants whose consents end soon.

use super::{JobError, JobHandler};
use crate::jobs::remind_owners::RemindOwners;
use crate::services::consents::reminders;
use crate::state::AppState;

#[async_trait::async_trait]
impl JobHandler for RemindOwners {
    const LIMIT: std::time::Duration = std::time::Duration::from_mins(10);
    /// It is never given up.
    const TRIES: i64 = i64::MAX;

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        let sent = reminders::send(state).await;
        sent.map_err(|failure| JobError(failure.to_string()))
    }
}
