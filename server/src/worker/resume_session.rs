//! Asks a provider for the result of an offline verification.

use super::{JobError, JobHandler};
use crate::jobs::resume_session::ResumeSession;
use crate::services::sessions::verifications;
use crate::state::AppState;

#[async_trait::async_trait]
impl JobHandler for ResumeSession {
    /// It is never given up: without it the session would wait forever.
    const TRIES: i64 = i64::MAX;

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        verifications::poll(state, self)
            .await
            .map_err(|failure| JobError(failure.to_string()))
    }
}
