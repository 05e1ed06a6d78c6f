//! What a person does with a run: list, begin, look at, advance, repeat, and come back to it from a bank.

use app::domain::console::RunStage;
use app::domain::ids::{RunId, SessionId, TenantId};
use app::domain::person::Permission;
use app::domain::skill::SkillName;
use app::domain::tenant::Environment;
use app::portal::console::{Run, RunAction, RunSummary as Listed};
use app::portal::{Actor, PortalError, RequestSource};
use chrono::Duration;

use super::{apply, view};
use crate::services::portal::Services;
use crate::services::portal::tenants::may_see;
use crate::services::refusal::ServiceError;
use crate::storage::console::RunProgress;

/// Time a call may take before another may take over, which is also the lifetime of its grant.
const CLAIM: Duration = Duration::seconds(60);
/// Time a run keeps tokens and bodies.
pub(super) const MEMORY: Duration = Duration::days(1);
/// Most runs in the list.
const LISTED: i64 = 50;

impl Services {
    pub(super) async fn list_runs(&self, actor: &Actor) -> Result<Vec<Listed>, ServiceError> {
        let servicer = actor.may(Permission::UseConsole)?.servicer;
        let mut tx = self.state.db.read().await?;
        let rows = tx.runs(servicer, LISTED).await?;
        Ok(rows.into_iter().filter_map(view::listed).collect())
    }

    pub(super) async fn begin_run(
        &self,
        actor: &Actor,
        tenant: TenantId,
        skill: &str,
        source: &RequestSource,
    ) -> Result<RunId, ServiceError> {
        let member = actor.may(Permission::UseConsole)?;
        let name =
            SkillName::parse(skill).map_err(|e| PortalError::field("skill", e.to_string()))?;
        let plan = self.plan(&name);
        let plan =
            plan.ok_or_else(|| PortalError::field("skill", "No such skill is published."))?;
        let held = plan.begin();
        let mut tx = self.state.db.write().await?;
        let found = tx.run_tenant(member.servicer, tenant, skill).await;
        let found = found?.ok_or(PortalError::NotFound)?;
        if found.environment != Environment::Sandbox {
            return Err(PortalError::Forbidden(
                "The console works with sandbox tenants only: choose or create one.".into(),
            )
            .into());
        }
        if !found.whitelisted {
            may_see(&self.state, actor, skill)?;
            return Err(PortalError::Conflict(format!(
                "{} may not use {skill} yet: whitelist it on the tenant’s Skills page.",
                found.name
            ))
            .into());
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
        tx.commit().await?;
        Ok(id)
    }

    pub(super) async fn show_run(&self, actor: &Actor, run: RunId) -> Result<Run, ServiceError> {
        let servicer = actor.may(Permission::UseConsole)?.servicer;
        let mut tx = self.state.db.read().await?;
        let row = self.find(&mut tx, servicer, run).await?;
        let calls = tx.run_calls(run).await?;
        drop(tx);
        let held = self.held(&row)?;
        let skill = SkillName::parse(&row.skill).map_err(ServiceError::broken)?;
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

    pub(super) async fn advance_run(
        &self,
        actor: &Actor,
        run: RunId,
        at: usize,
        act: RunAction<'_>,
    ) -> Result<(), ServiceError> {
        let servicer = actor.may(Permission::UseConsole)?.servicer;
        let mut tx = self.state.db.write().await?;
        let row = self.find(&mut tx, servicer, run).await?;
        if i64::try_from(at) != Ok(row.calls) {
            // The form was sent twice, or from an old page: what it asked for has happened.
            return Ok(());
        }
        let mut held = self.held(&row)?.ok_or_else(over)?;
        let skill = SkillName::parse(&row.skill).map_err(ServiceError::broken)?;
        let plan = self.plan(&skill).ok_or_else(withdrawn)?;
        let call = self.call_of(&row, &plan, &mut held, act)?;
        let now = self.state.clock.now();
        let until = now + CLAIM;
        if !tx.claim_run(&row, now, until).await? {
            return Ok(());
        }
        tx.commit().await?;
        match self.call(&row, &call, until).await {
            Ok(answer) => self.finish(&row, &plan, held, call, until, answer).await,
            Err(error) => {
                let mut tx = self.state.db.write().await?;
                tx.release_run(row.id, until).await?;
                tx.commit().await?;
                Err(error)
            }
        }
    }

    pub(super) async fn repeat_run(
        &self,
        actor: &Actor,
        run: RunId,
        source: &RequestSource,
    ) -> Result<RunId, ServiceError> {
        let servicer = actor.may(Permission::UseConsole)?.servicer;
        let mut tx = self.state.db.write().await?;
        let row = self.find(&mut tx, servicer, run).await?;
        let skill = SkillName::parse(&row.skill).map_err(ServiceError::broken)?;
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
        tx.commit().await?;
        Ok(id)
    }

    pub(super) async fn take_bank_return(
        &self,
        actor: &Actor,
        session: SessionId,
        temp_token: Option<&str>,
        error: Option<&str>,
    ) -> Result<RunId, ServiceError> {
        let servicer = actor.may(Permission::UseConsole)?.servicer;
        let mut tx = self.state.db.write().await?;
        let row = tx.run_by_session(servicer, session).await?;
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
        tx.move_run(&row, now, &progress).await?;
        tx.commit().await?;
        Ok(row.id)
    }
}

impl Services {
    pub(super) fn token_life(&self) -> i64 {
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
