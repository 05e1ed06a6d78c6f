//! Ends a grant at its provider, after the consent here has ended.

use app::domain::skill::SkillName;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Class, Job, JobError};
use crate::services::consents::provider_access;
use crate::skills::{Grant, Opaque};
use crate::state::AppState;

/// The skill and the grant itself: the consent's row may be erased by the time this runs.
#[derive(Serialize, Deserialize)]
pub struct RevokeGrant {
    skill: SkillName,
    /// Base64.
    grant: String,
}

impl RevokeGrant {
    pub fn new(skill: &SkillName, grant: &Grant) -> Self {
        Self {
            skill: skill.clone(),
            grant: STANDARD.encode(grant.0.expose()),
        }
    }
}

#[async_trait::async_trait]
impl Job for RevokeGrant {
    const KIND: &'static str = "revoke_grant";
    const CLASS: Class = Class::Sessions;

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        let connector = provider_access::connector(state, &self.skill);
        let connector = connector.map_err(|failure| JobError(failure.to_string()))?;
        let bytes = STANDARD.decode(&self.grant);
        let bytes = bytes.map_err(|_| JobError("the grant cannot be read".into()))?;
        let revoked = connector.revoke(&Grant(Opaque::new(bytes))).await;
        revoked.map_err(|error| JobError(error.to_string()))
    }
}
