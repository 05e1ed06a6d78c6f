//! Carries a person's decision to the sandbox's provider, and asks it at once what follows.

use app::domain::ids::SessionId;
use app::domain::session::Decision;
use serde::{Deserialize, Serialize};

use super::{Class, Job, JobError};
use crate::services::sessions::verifications;
use crate::state::AppState;

/// One decision on one verification.
#[derive(Serialize, Deserialize)]
pub struct DecideVerification {
    pub session: SessionId,
    /// The session's position while it is pending: a later verification is another one's to decide.
    pub position: i64,
    pub decision: Decision,
}

#[async_trait::async_trait]
impl Job for DecideVerification {
    const KIND: &'static str = "decide_verification";
    const CLASS: Class = Class::Sessions;

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        verifications::decided(state, self)
            .await
            .map_err(|failure| JobError(failure.to_string()))
    }
}
