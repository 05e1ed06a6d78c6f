//! Asks a provider what came of an offline verification. Each asking that brings no decision puts the next one into the
//! table; the number of the asking makes a repeated one find that it took place.

use app::domain::ids::SessionId;
use serde::{Deserialize, Serialize};

use super::{Class, Job, JobError};
use crate::services::verifications;
use crate::state::AppState;

/// One asking.
#[derive(Clone, Serialize, Deserialize)]
pub struct ResumeSession {
    pub session: SessionId,
    /// The session's position while it is pending.
    pub position: i64,
    /// How often was asked before.
    pub asked: i64,
}

impl ResumeSession {
    /// The first asking of a verification.
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
        verifications::ask(state, self)
            .await
            .map_err(|failure| JobError(failure.to_string()))
    }
}
