//! The sandbox console: runs whose calls are ordinary API calls, made in this process by the route that serves everybody
//! ([`ApiCaller`]), with a short-lived grant for one sandbox tenant instead of a stored secret.
//!
//! An advance is three steps, so that no transaction is open while a call is made: claim the run (one conditional
//! statement, bound to the number of calls the asker saw), make the call, write down what came of it.

mod api_caller;
mod apply;
mod calls;
mod execute;
mod files;
mod plan;
mod prepare;
mod run_all;
mod run_state;
mod runs;
mod sealing;
#[cfg(test)]
mod tests;
mod view;

pub use self::api_caller::{ApiAnswer, ApiCall, ApiCallError, ApiCaller, PostedBody};

use app::domain::ids::{RunId, SessionId, TenantId};
use app::portal::console::{Console, Run, RunAction, RunSummary as Listed};
use app::portal::{Actor, PortalResult, RequestSource};
use async_trait::async_trait;

use super::Services;
use super::outcome::portal_result;

#[async_trait]
impl Console for Services {
    async fn runs(&self, actor: &Actor) -> PortalResult<Vec<Listed>> {
        portal_result(self, self.list_runs(actor).await)
    }

    async fn new_run(
        &self,
        actor: &Actor,
        tenant: TenantId,
        skill: &str,
        source: &RequestSource,
    ) -> PortalResult<RunId> {
        portal_result(self, self.begin_run(actor, tenant, skill, source).await)
    }

    async fn run(&self, actor: &Actor, run: RunId) -> PortalResult<Run> {
        portal_result(self, self.show_run(actor, run).await)
    }

    async fn advance(
        &self,
        actor: &Actor,
        run: RunId,
        at: usize,
        act: RunAction<'_>,
        _source: &RequestSource,
    ) -> PortalResult<()> {
        portal_result(self, self.advance_run(actor, run, at, act).await)
    }

    async fn run_all(
        &self,
        actor: &Actor,
        run: RunId,
        _source: &RequestSource,
    ) -> PortalResult<()> {
        portal_result(self, self.walk(actor, run).await)
    }

    async fn decided(&self, actor: &Actor, run: RunId) -> PortalResult<bool> {
        portal_result(self, self.is_decided(actor, run).await)
    }

    async fn repeat(
        &self,
        actor: &Actor,
        run: RunId,
        source: &RequestSource,
    ) -> PortalResult<RunId> {
        portal_result(self, self.repeat_run(actor, run, source).await)
    }

    async fn bank_return(
        &self,
        actor: &Actor,
        session: SessionId,
        temp_token: Option<&str>,
        error: Option<&str>,
    ) -> PortalResult<RunId> {
        let taken = self.take_bank_return(actor, session, temp_token, error);
        portal_result(self, taken.await)
    }
}
