//! Seals and opens the state of a run.

use app::domain::ids::{RunId, ServicerId};
use app::portal::PortalError;
use zeroize::Zeroizing;

use super::run_state::RunState;
use super::view::Bodies;
use crate::aad;
use crate::services::portal::Services;
use crate::services::refusal::ServiceError;
use crate::storage::Tx;
use crate::storage::console::{CallRow, RunRow};

impl Services {
    pub(super) async fn find(
        &self,
        tx: &mut Tx,
        servicer: ServicerId,
        run: RunId,
    ) -> Result<RunRow, ServiceError> {
        let found = tx.run_by_id(servicer, run).await?;
        Ok(found.ok_or(PortalError::NotFound)?)
    }

    /// Opens the state of a run; `None` once its day is over, whether or not the job that erases it has run yet.
    pub(super) fn held(&self, row: &RunRow) -> Result<Option<RunState>, ServiceError> {
        let sealed = row
            .held
            .as_ref()
            .filter(|_| row.forget_at > self.state.clock.now());
        sealed
            .map(|sealed| self.open(&aad::console_run(row.id), sealed))
            .transpose()
    }

    pub(super) fn bodies(&self, run: RunId, call: CallRow) -> (CallRow, Bodies) {
        let bodies = self.open(&aad::console_call(run, call.position), &call.bodies);
        // One call whose bodies are lost costs no run.
        let bodies = bodies.unwrap_or_else(|_| Bodies {
            request: String::new(),
            response: "What was sent and answered can no longer be opened.".to_owned(),
        });
        (call, bodies)
    }

    pub(super) fn sealed(&self, run: RunId, held: &RunState) -> Result<Vec<u8>, ServiceError> {
        self.seal(&aad::console_run(run), held)
    }

    pub(super) fn seal<T: serde::Serialize>(
        &self,
        aad: &str,
        value: &T,
    ) -> Result<Vec<u8>, ServiceError> {
        let plain = Zeroizing::new(serde_json::to_vec(value).map_err(ServiceError::broken)?);
        Ok(self.state.vault.seal(&self.state.clock, aad, &plain)?)
    }

    fn open<T: serde::de::DeserializeOwned>(
        &self,
        aad: &str,
        sealed: &[u8],
    ) -> Result<T, ServiceError> {
        let plain = self.state.vault.open(aad, sealed)?;
        serde_json::from_slice(&plain).map_err(ServiceError::broken)
    }
}
