//! Asks a provider for the result of an offline verification. Each enquiry that brings no decision adds the next one to
//! the table; its number makes a repeated one find that it took place.

use app::domain::ids::SessionId;
use serde::{Deserialize, Serialize};

use super::{Class, Job, JobError};
use crate::services::sessions::verifications;
use crate::state::AppState;

/// One enquiry at the provider.
#[derive(Clone, Serialize, Deserialize)]
pub struct ResumeSession {
    pub session: SessionId,
    /// The session's position while it is pending.
    pub position: i64,
    /// Number of enquiries made before this one.
    pub asked: i64,
}

impl ResumeSession {
    /// Returns the first enquiry of a verification.
    pub fn first(session: SessionId, position: i64) -> Self {
        Self {
            session,
            position,
            asked: 0,
        }
    }
}

#[async_trait::async_trait]
impl Job for ResumeSession {
    const KIND: &'static str = "resume_session";
    const CLASS: Class = Class::Sessions;
    /// It is never given up: without it the session would wait forever.
    const TRIES: i64 = i64::MAX;

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        verifications::poll(state, self)
            .await
            .map_err(|failure| JobError(failure.to_string()))
    }
}
