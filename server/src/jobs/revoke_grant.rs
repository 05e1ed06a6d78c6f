//! Ending a grant at its provider, after the consent here has ended.

use app::domain::skill::SkillName;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Class, Job};

/// The skill and the grant itself: the consent's row may be erased by the time this runs.
#[derive(Serialize, Deserialize)]
pub struct RevokeGrant {
    pub skill: SkillName,
    /// Base64.
    grant: String,
}

impl RevokeGrant {
    pub fn new(skill: &SkillName, grant: &[u8]) -> Self {
        Self {
            skill: skill.clone(),
            grant: STANDARD.encode(grant),
        }
    }

    /// Returns the grant's bytes; `None` if they cannot be read.
    pub fn grant(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.grant).ok()
    }
}

impl Job for RevokeGrant {
    const KIND: &'static str = "revoke_grant";
    const CLASS: Class = Class::Sessions;
}
