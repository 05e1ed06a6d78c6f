//! Runs: their states are in `runs.rs` and `sandbox.rs`.

use app::domain::ids::{RunId, SessionId, TenantId};
use app::portal::console::{Console, Run, RunAction, RunSummary};
use app::portal::{Actor, PortalError, PortalResult, RequestSource};
use async_trait::async_trait;

use super::{Fake, id};

#[async_trait]
impl Console for Fake {
    async fn runs(&self, _: &Actor) -> PortalResult<Vec<RunSummary>> {
        Ok(crate::runs::runs(self.0))
    }
    async fn new_run(
        &self,
        _: &Actor,
        _: TenantId,
        _: &str,
        _: &RequestSource,
    ) -> PortalResult<RunId> {
        Ok(RunId(id(400)))
    }
    async fn run(&self, _: &Actor, run: RunId) -> PortalResult<Run> {
        let known = crate::runs::run(run).or_else(|| crate::sandbox::run(run));
        known.ok_or(PortalError::NotFound)
    }
    async fn advance(
        &self,
        _: &Actor,
        _: RunId,
        _: usize,
        act: RunAction<'_>,
        _: &RequestSource,
    ) -> PortalResult<()> {
        crate::sandbox::note(act);
        let data = match act {
            RunAction::Next(data) => data,
            RunAction::Upload { .. } | RunAction::Offered(_) => None,
        };
        match data.map(serde_json::from_str::<serde_json::Value>) {
            Some(Err(error)) => {
                let place = format!("line {}, column {}", error.line(), error.column());
                Err(PortalError::field("data", place))
            }
            _ => Ok(()),
        }
    }
    async fn run_all(&self, _: &Actor, _: RunId, _: &RequestSource) -> PortalResult<()> {
        crate::sandbox::note_all();
        Ok(())
    }
    async fn decided(&self, _: &Actor, run: RunId) -> PortalResult<bool> {
        Ok(run != RunId(id(435)))
    }
    async fn repeat(&self, _: &Actor, run: RunId, _: &RequestSource) -> PortalResult<RunId> {
        Ok(run)
    }
    async fn bank_return(
        &self,
        _: &Actor,
        _: SessionId,
        _: Option<&str>,
        _: Option<&str>,
    ) -> PortalResult<RunId> {
        Ok(RunId(id(400)))
    }
}
