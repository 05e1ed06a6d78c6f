//! Calls off at a provider what a session had under way there, after the session here was called off.

use super::{JobError, JobHandler};
use crate::jobs::stop_session::StopSession;
use crate::services::consents::provider_access;
use crate::skills::Opaque;
use crate::state::AppState;

#[async_trait::async_trait]
impl JobHandler for StopSession {
    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        let connector = provider_access::connector(state, &self.skill);
        let connector = connector.map_err(|failure| JobError(failure.to_string()))?;
        let bytes = self.bank_ref();
        let bytes = bytes.ok_or_else(|| JobError("what was kept cannot be read".into()))?;
        let stopped = connector.stop(&Opaque::new(bytes)).await;
        stopped.map_err(|error| JobError(error.to_string()))
    }
}
