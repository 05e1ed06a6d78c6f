//! Calling off at a provider what a session had under way there, after the session here was called off.

use app::domain::skill::SkillName;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Class, Job};

/// The skill, and what its connector had kept: the session's row no longer has it.
#[derive(Serialize, Deserialize)]
pub struct StopSession {
    pub skill: SkillName,
    /// Base64.
    bank_ref: String,
}

impl StopSession {
    pub fn new(skill: &SkillName, bank_ref: &[u8]) -> Self {
        Self {
            skill: skill.clone(),
            bank_ref: STANDARD.encode(bank_ref),
        }
    }

    /// Returns the bytes that the connector had kept; `None` if they cannot be read.
    pub fn bank_ref(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.bank_ref).ok()
    }
}

impl Job for StopSession {
    const KIND: &'static str = "stop_session";
    const CLASS: Class = Class::Sessions;
}
