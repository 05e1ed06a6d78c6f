//! Carries a person's decision to the sandbox's provider, and asks it at once what follows.

use super::{JobError, JobHandler};
use crate::jobs::decide_verification::DecideVerification;
use crate::services::sessions::verifications;
use crate::state::AppState;

#[async_trait::async_trait]
impl JobHandler for DecideVerification {
    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        verifications::decided(state, self)
            .await
            .map_err(|failure| JobError(failure.to_string()))
    }
}
