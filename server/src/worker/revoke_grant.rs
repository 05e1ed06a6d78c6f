//! Ends a grant at its provider, after the consent here has ended.

use super::{JobError, JobHandler};
use crate::jobs::revoke_grant::RevokeGrant;
use crate::services::consents::provider_access;
use crate::skills::{Grant, Opaque};
use crate::state::AppState;

#[async_trait::async_trait]
impl JobHandler for RevokeGrant {
    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        let connector = provider_access::connector(state, &self.skill);
        let connector = connector.map_err(|failure| JobError(failure.to_string()))?;
        let bytes = self.grant();
        let bytes = bytes.ok_or_else(|| JobError("the grant cannot be read".into()))?;
        let revoked = connector.revoke(&Grant(Opaque::new(bytes))).await;
        revoked.map_err(|error| JobError(error.to_string()))
    }
}
