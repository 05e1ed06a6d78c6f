//! What a run keeps, sealed: where it lies, and who may open it.

use app::domain::ids::{RunId, ServicerId};
use app::portal::{Answered, Trouble};
use zeroize::Zeroizing;

use super::held::Held;
use super::view::Bodies;
use crate::services::Services;
use crate::storage::Tx;
use crate::storage::console::{CallRow, RunRow};

impl Services {
    pub(super) async fn find(
        &self,
        tx: &mut Tx,
        servicer: ServicerId,
        run: RunId,
    ) -> Answered<RunRow> {
        let found = tx
            .run_by_id(servicer, run)
            .await
            .map_err(|e| self.broken(e))?;
        found.ok_or(Trouble::NotFound)
    }

    /// What a run holds; none once its day is over, whether or not the job that forgets it has run yet.
    pub(super) fn held(&self, row: &RunRow) -> Answered<Option<Held>> {
        let sealed = row
            .held
            .as_ref()
            .filter(|_| row.forget_at > self.state.clock.now());
        sealed
            .map(|sealed| self.open(&place_of_run(row.id), sealed))
            .transpose()
    }

    pub(super) fn bodies(&self, run: RunId, call: CallRow) -> Answered<(CallRow, Bodies)> {
        let bodies = self.open(&place_of_call(run, call.position), &call.bodies)?;
        Ok((call, bodies))
    }

    pub(super) fn sealed(&self, run: RunId, held: &Held) -> Answered<Vec<u8>> {
        self.seal(&place_of_run(run), held)
    }

    pub(super) fn seal<T: serde::Serialize>(&self, place: &str, value: &T) -> Answered<Vec<u8>> {
        let plain = Zeroizing::new(serde_json::to_vec(value).map_err(|e| self.broken(e))?);
        self.state
            .vault
            .seal(&self.state.clock, place, &plain)
            .map_err(|e| self.broken(e))
    }

    fn open<T: serde::de::DeserializeOwned>(&self, place: &str, sealed: &[u8]) -> Answered<T> {
        let plain = self
            .state
            .vault
            .open(place, sealed)
            .map_err(|e| self.broken(e))?;
        serde_json::from_slice(&plain).map_err(|e| self.broken(e))
    }
}

fn place_of_run(run: RunId) -> String {
    format!("console_runs.held/{run}")
}

pub(super) fn place_of_call(run: RunId, position: i64) -> String {
    format!("console_calls.bodies/{run}/{position}")
}
