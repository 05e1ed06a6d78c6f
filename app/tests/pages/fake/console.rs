//! Runs: their states are in `runs.rs` and `sandbox.rs`.

use app::domain::ids::{RunId, SessionId, TenantId};
use app::portal::console::{Act, Console, Run, RunRow};
use app::portal::{Actor, Answered, Source, Trouble};
use async_trait::async_trait;

use super::{Fake, id};

#[async_trait]
impl Console for Fake {
    async fn runs(&self, _: &Actor) -> Answered<Vec<RunRow>> {
        Ok(crate::runs::runs(self.0))
    }
    async fn new_run(&self, _: &Actor, _: TenantId, _: &str, _: &Source) -> Answered<RunId> {
        Ok(RunId(id(400)))
    }
    async fn run(&self, _: &Actor, run: RunId) -> Answered<Run> {
        let known = crate::runs::run(run).or_else(|| crate::sandbox::run(run));
        known.ok_or(Trouble::NotFound)
    }
    async fn advance(
        &self,
        _: &Actor,
        _: RunId,
        _: usize,
        act: Act<'_>,
        _: &Source,
    ) -> Answered<()> {
        crate::sandbox::note(act);
        let data = match act {
            Act::Next(data) => data,
            Act::Upload { .. } | Act::Offered(_) => None,
        };
        match data.map(serde_json::from_str::<serde_json::Value>) {
            Some(Err(error)) => {
                let place = format!("line {}, column {}", error.line(), error.column());
                Err(Trouble::field("data", place))
            }
            _ => Ok(()),
        }
    }
    async fn run_all(&self, _: &Actor, _: RunId, _: &Source) -> Answered<()> {
        crate::sandbox::note_all();
        Ok(())
    }
    async fn decided(&self, _: &Actor, run: RunId) -> Answered<bool> {
        Ok(run != RunId(id(435)))
    }
    async fn again(&self, _: &Actor, run: RunId, _: &Source) -> Answered<RunId> {
        Ok(run)
    }
    async fn bank_return(
        &self,
        _: &Actor,
        _: SessionId,
        _: Option<&str>,
        _: Option<&str>,
    ) -> Answered<RunId> {
        Ok(RunId(id(400)))
    }
}
