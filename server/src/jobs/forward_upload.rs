//! Hands a file that came with a step on to the provider.

use app::domain::ids::{SessionId, UploadId};
use serde::{Deserialize, Serialize};

use super::{Class, Job, JobError};
use crate::services::sessions::uploads;
use crate::state::AppState;

/// One file of a session.
#[derive(Serialize, Deserialize)]
pub struct ForwardUpload {
    pub session: SessionId,
    pub upload: UploadId,
}

#[async_trait::async_trait]
impl Job for ForwardUpload {
    const KIND: &'static str = "forward_upload";
    const CLASS: Class = Class::Sessions;
    const LIMIT: std::time::Duration = std::time::Duration::from_mins(3);

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        uploads::forward(state, self.session, self.upload)
            .await
            .map_err(|failure| JobError(failure.to_string()))
    }
}
