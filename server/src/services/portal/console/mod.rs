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
mod sealing;
#[cfg(test)]
mod tests;
mod view;

pub use self::api_caller::{ApiAnswer, ApiCall, ApiCallError, ApiCaller, PostedBody};

use app::domain::console::RunStage;
use app::domain::ids::{RunId, SessionId, TenantId};
use app::domain::person::Permission;
use app::domain::skill::SkillName;
use app::domain::tenant::Environment;
use app::portal::console::{Console, Run, RunAction, RunSummary as Listed};
use app::portal::{Actor, PortalError, PortalResult, RequestSource};
use async_trait::async_trait;
use chrono::Duration;

use super::Services;
use super::tenants::may_see;
use crate::storage::console::RunProgress;

/// Time a call may take before another may take over, which is also the lifetime of its grant.
const CLAIM: Duration = Duration::seconds(60);
/// Time a run keeps tokens and bodies.
const MEMORY: Duration = Duration::days(1);
/// Most runs in the list.
const LISTED: i64 = 50;

#[async_trait]
impl Console for Services {
    async fn runs(&self, actor: &Actor) -> PortalResult<Vec<Listed>> {
        let servicer = actor.may(Permission::UseConsole)?.servicer;
        let mut tx = self.read().await?;
        let rows = tx
            .runs(servicer, LISTED)
            .await
            .map_err(|e| self.internal_error(e))?;
        Ok(rows.into_iter().filter_map(view::listed).collect())
    }

    async fn new_run(
        &self,
        actor: &Actor,
        tenant: TenantId,
        skill: &str,
        source: &RequestSource,
    ) -> PortalResult<RunId> {
        let member = actor.may(Permission::UseConsole)?;
        let name =
            SkillName::parse(skill).map_err(|e| PortalError::field("skill", e.to_string()))?;
        let plan = self.plan(&name);
        let plan =
            plan.ok_or_else(|| PortalError::field("skill", "No such skill is published."))?;
        let held = plan.begin();
        let mut tx = self.write().await?;
        let found = tx.run_tenant(member.servicer, tenant, skill).await;
        let found = found
            .map_err(|e| self.internal_error(e))?
            .ok_or(PortalError::NotFound)?;
        if found.environment != Environment::Sandbox {
            return Err(PortalError::Forbidden(
                "The console works with sandbox tenants only: choose or create one.".into(),
            ));
        }
        if !found.whitelisted {
            may_see(&self.state, actor, skill)?;
            return Err(PortalError::Conflict(format!(
                "{} may not use {skill} yet: whitelist it on the tenant’s Skills page.",
                found.name
            )));
        }
        let id = self
            .add(
                &mut tx,
                actor,
                member.servicer,
                tenant,
                &name,
                &held,
                source,
            )
            .await?;
        tx.commit().await.map_err(|e| self.internal_error(e))?;
        Ok(id)
    }

    async fn run(&self, actor: &Actor, run: RunId) -> PortalResult<Run> {
        let servicer = actor.may(Permission::UseConsole)?.servicer;
        let mut tx = self.read().await?;
        let row = self.find(&mut tx, servicer, run).await?;
        let calls = tx
            .run_calls(run)
            .await
            .map_err(|e| self.internal_error(e))?;
        drop(tx);
        let held = self.held(&row)?;
        let skill = SkillName::parse(&row.skill).map_err(|e| self.internal_error(e))?;
        let calls = if held.is_some() { calls } else { Vec::new() };
        let calls = calls.into_iter().map(|call| self.bodies(run, call));
        let plan = self.plan(&skill);
        Ok(view::run(
            row,
            skill,
            plan.as_ref(),
            held.as_ref(),
            calls.collect(),
        ))
    }

    async fn advance(
        &self,
        actor: &Actor,
        run: RunId,
        at: usize,
        act: RunAction<'_>,
        _source: &RequestSource,
    ) -> PortalResult<()> {
        let servicer = actor.may(Permission::UseConsole)?.servicer;
        let mut tx = self.write().await?;
        let row = self.find(&mut tx, servicer, run).await?;
        if i64::try_from(at) != Ok(row.calls) {
            // The form was sent twice, or from an old page: what it asked for has happened.
            return Ok(());
        }
        let mut held = self.held(&row)?.ok_or_else(over)?;
        let skill = SkillName::parse(&row.skill).map_err(|e| self.internal_error(e))?;
        let plan = self.plan(&skill).ok_or_else(withdrawn)?;
        let call = self.call_of(&row, &plan, &mut held, act)?;
        let now = self.state.clock.now();
        let until = now + CLAIM;
        if !tx
            .claim_run(&row, now, until)
            .await
            .map_err(|e| self.internal_error(e))?
        {
            return Ok(());
        }
        tx.commit().await.map_err(|e| self.internal_error(e))?;
        match self.call(&row, &call, until).await {
            Ok(answer) => self.finish(&row, &plan, held, call, until, answer).await,
            Err(error) => {
                let mut tx = self.write().await?;
                tx.release_run(row.id, until)
                    .await
                    .map_err(|e| self.internal_error(e))?;
                tx.commit().await.map_err(|e| self.internal_error(e))?;
                Err(error)
            }
        }
    }

    async fn run_all(&self, actor: &Actor, run: RunId, source: &RequestSource) -> PortalResult<()> {
        self.walk(actor, run, source).await
    }

    async fn decided(&self, actor: &Actor, run: RunId) -> PortalResult<bool> {
        self.is_decided(actor, run).await
    }

    async fn repeat(
        &self,
        actor: &Actor,
        run: RunId,
        source: &RequestSource,
    ) -> PortalResult<RunId> {
        let servicer = actor.may(Permission::UseConsole)?.servicer;
        let mut tx = self.write().await?;
        let row = self.find(&mut tx, servicer, run).await?;
        let skill = SkillName::parse(&row.skill).map_err(|e| self.internal_error(e))?;
        let plan = self.plan(&skill).ok_or_else(withdrawn)?;
        let mut fresh = plan.begin();
        if let Some(old) = self.held(&row)? {
            fresh.typed = old.typed;
            fresh.typed.insert(old.step, old.data);
            let first = fresh.typed.get(&fresh.step);
            fresh.data = first.cloned().unwrap_or(fresh.data);
        }
        let id = self
            .add(
                &mut tx,
                actor,
                servicer,
                row.tenant_id,
                &skill,
                &fresh,
                source,
            )
            .await?;
        tx.commit().await.map_err(|e| self.internal_error(e))?;
        Ok(id)
    }

    async fn bank_return(
        &self,
        actor: &Actor,
        session: SessionId,
        temp_token: Option<&str>,
        error: Option<&str>,
    ) -> PortalResult<RunId> {
        let servicer = actor.may(Permission::UseConsole)?.servicer;
        let mut tx = self.write().await?;
        let row = tx
            .run_by_session(servicer, session)
            .await
            .map_err(|e| self.internal_error(e))?;
        let row = row.ok_or(PortalError::NotFound)?;
        let Some(mut held) = self.held(&row)?.filter(|held| held.access_token.is_none()) else {
            // Over, or exchanged already: a late or repeated return changes nothing.
            return Ok(row.id);
        };
        let next = match (temp_token, error) {
            (Some(token), _) => {
                apply::take_token(&mut held, token, self.state.clock.now(), self.token_life());
                RunStage::Exchange
            }
            (None, Some(error)) if row.next_call == RunStage::Bank => {
                held.refusal = Some(error.chars().take(64).collect());
                RunStage::Ask
            }
            // Neither: the session goes on, or came to its end before.
            (None, None) if row.next_call == RunStage::Bank => RunStage::Ask,
            (None, _) => return Ok(row.id),
        };
        let progress = RunProgress {
            next,
            session: None,
            status: None,
            held: self.sealed(row.id, &held)?,
        };
        let now = self.state.clock.now();
        tx.move_run(&row, now, &progress)
            .await
            .map_err(|e| self.internal_error(e))?;
        tx.commit().await.map_err(|e| self.internal_error(e))?;
        Ok(row.id)
    }
}

impl Services {
    fn token_life(&self) -> i64 {
        self.state.config.sandbox.temp_token_seconds
    }
}

fn over() -> PortalError {
    PortalError::Conflict(
        "This run was forgotten a day after it began. Start again with a new one.".into(),
    )
}

fn withdrawn() -> PortalError {
    PortalError::Conflict("This skill is published no more. Start a run of another one.".into())
}
