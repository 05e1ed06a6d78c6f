//! Calls off at a provider what a session had under way there, after the session here was called off.

use app::domain::skill::SkillName;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Class, Job, JobError};
use crate::services::consents::provider_access;
use crate::skills::Opaque;
use crate::state::AppState;

/// The skill, and what its connector had kept: the session's row no longer has it.
#[derive(Serialize, Deserialize)]
pub struct StopSession {
    skill: SkillName,
    /// Base64.
    bank_ref: String,
}

impl StopSession {
    pub fn new(skill: &SkillName, bank_ref: &Opaque) -> Self {
        Self {
            skill: skill.clone(),
            bank_ref: STANDARD.encode(bank_ref.expose()),
        }
    }
}

#[async_trait::async_trait]
impl Job for StopSession {
    const KIND: &'static str = "stop_session";
    const CLASS: Class = Class::Sessions;

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        let connector = provider_access::connector(state, &self.skill);
        let connector = connector.map_err(|failure| JobError(failure.to_string()))?;
        let bytes = STANDARD.decode(&self.bank_ref);
        let bytes = bytes.map_err(|_| JobError("what was kept cannot be read".into()))?;
        let stopped = connector.stop(&Opaque::new(bytes)).await;
        stopped.map_err(|error| JobError(error.to_string()))
    }
}
