//! Hands a file that came with a step on to the provider.

use super::{JobError, JobHandler};
use crate::jobs::forward_upload::ForwardUpload;
use crate::services::sessions::uploads;
use crate::state::AppState;

#[async_trait::async_trait]
impl JobHandler for ForwardUpload {
    const LIMIT: std::time::Duration = std::time::Duration::from_mins(3);

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        uploads::forward(state, self.session, self.upload)
            .await
            .map_err(|failure| JobError(failure.to_string()))
    }
}
