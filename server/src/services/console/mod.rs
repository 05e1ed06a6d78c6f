//! The sandbox console: runs whose calls are ordinary API calls, made in this process through the router that serves
//! everybody, with a short-lived grant for one sandbox tenant instead of a stored secret.
//!
//! An advance is three steps, so that no transaction is open while a call is made: claim the run (one conditional
//! statement, bound to the number of calls the asker saw), make the call, write down what came of it.

mod all;
mod calls;
mod files;
mod held;
mod keep;
mod make;
mod prepare;
mod script;
mod settle;
#[cfg(test)]
mod tests;
mod view;

use app::domain::console::RunStage;
use app::domain::ids::{RunId, SessionId, TenantId};
use app::domain::person::Permission;
use app::domain::skill::SkillName;
use app::domain::tenant::Environment;
use app::portal::console::{Act, Console, Run, RunRow as Listed};
use app::portal::{Actor, Answered, Source, Trouble};
use async_trait::async_trait;
use chrono::Duration;

use super::Services;
use super::tenants::may_see;
use crate::storage::console::Stand;

/// How long one call may take before another may take over, and how long its grant lasts.
const CLAIM: Duration = Duration::seconds(60);
/// How long a run keeps tokens and bodies.
const MEMORY: Duration = Duration::days(1);
/// Runs in the list.
const LISTED: i64 = 50;

#[async_trait]
impl Console for Services {
    async fn runs(&self, actor: &Actor) -> Answered<Vec<Listed>> {
        let servicer = actor.may(Permission::UseConsole)?.servicer;
        let mut tx = self.read().await?;
        let rows = tx
            .runs(servicer, LISTED)
            .await
            .map_err(|e| self.broken(e))?;
        Ok(rows.into_iter().filter_map(view::listed).collect())
    }

    async fn new_run(
        &self,
        actor: &Actor,
        tenant: TenantId,
        skill: &str,
        source: &Source,
    ) -> Answered<RunId> {
        let member = actor.may(Permission::UseConsole)?;
        let name = SkillName::parse(skill).map_err(|e| Trouble::field("skill", e.to_string()))?;
        let script = self.script(&name);
        let script =
            script.ok_or_else(|| Trouble::field("skill", "No such skill is published."))?;
        let held = script.begin();
        let mut tx = self.write().await?;
        let found = tx.run_tenant(member.servicer, tenant, skill).await;
        let found = found
            .map_err(|e| self.broken(e))?
            .ok_or(Trouble::NotFound)?;
        if found.environment != Environment::Sandbox {
            return Err(Trouble::Forbidden(
                "The console works with sandbox tenants only: choose or create one.".into(),
            ));
        }
        if !found.whitelisted {
            may_see(&self.state, actor, skill)?;
            return Err(Trouble::Conflict(format!(
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
        tx.commit().await.map_err(|e| self.broken(e))?;
        Ok(id)
    }

    async fn run(&self, actor: &Actor, run: RunId) -> Answered<Run> {
        let servicer = actor.may(Permission::UseConsole)?.servicer;
        let mut tx = self.read().await?;
        let row = self.find(&mut tx, servicer, run).await?;
        let calls = tx.run_calls(run).await.map_err(|e| self.broken(e))?;
        drop(tx);
        let held = self.held(&row)?;
        let skill = SkillName::parse(&row.skill).map_err(|e| self.broken(e))?;
        let calls = if held.is_some() { calls } else { Vec::new() };
        let calls: Answered<Vec<_>> = calls
            .into_iter()
            .map(|call| self.bodies(run, call))
            .collect();
        let script = self.script(&skill);
        Ok(view::run(
            row,
            skill,
            script.as_ref(),
            held.as_ref(),
            calls?,
        ))
    }

    async fn advance(
        &self,
        actor: &Actor,
        run: RunId,
        at: usize,
        act: Act<'_>,
        _source: &Source,
    ) -> Answered<()> {
        let servicer = actor.may(Permission::UseConsole)?.servicer;
        let mut tx = self.write().await?;
        let row = self.find(&mut tx, servicer, run).await?;
        if i64::try_from(at) != Ok(row.calls) {
            // The form was sent twice, or from an old page: what it asked for has happened.
            return Ok(());
        }
        let mut held = self.held(&row)?.ok_or_else(over)?;
        let skill = SkillName::parse(&row.skill).map_err(|e| self.broken(e))?;
        let script = self.script(&skill).ok_or_else(withdrawn)?;
        let call = self.call_of(&row, &script, &mut held, act)?;
        let now = self.state.clock.now();
        let until = now + CLAIM;
        if !tx
            .claim_run(&row, now, until)
            .await
            .map_err(|e| self.broken(e))?
        {
            return Ok(());
        }
        tx.commit().await.map_err(|e| self.broken(e))?;
        match self.call(&row, &call, until).await {
            Ok(answer) => self.finish(&row, &script, held, call, until, answer).await,
            Err(trouble) => {
                let mut tx = self.write().await?;
                tx.release_run(row.id, until)
                    .await
                    .map_err(|e| self.broken(e))?;
                tx.commit().await.map_err(|e| self.broken(e))?;
                Err(trouble)
            }
        }
    }

    async fn run_all(&self, actor: &Actor, run: RunId, source: &Source) -> Answered<()> {
        self.walk(actor, run, source).await
    }

    async fn decided(&self, actor: &Actor, run: RunId) -> Answered<bool> {
        self.is_decided(actor, run).await
    }

    async fn again(&self, actor: &Actor, run: RunId, source: &Source) -> Answered<RunId> {
        let servicer = actor.may(Permission::UseConsole)?.servicer;
        let mut tx = self.write().await?;
        let row = self.find(&mut tx, servicer, run).await?;
        let skill = SkillName::parse(&row.skill).map_err(|e| self.broken(e))?;
        let script = self.script(&skill).ok_or_else(withdrawn)?;
        let mut fresh = script.begin();
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
        tx.commit().await.map_err(|e| self.broken(e))?;
        Ok(id)
    }

    async fn bank_return(
        &self,
        actor: &Actor,
        session: SessionId,
        temp_token: Option<&str>,
        error: Option<&str>,
    ) -> Answered<RunId> {
        let servicer = actor.may(Permission::UseConsole)?.servicer;
        let mut tx = self.write().await?;
        let row = tx
            .run_by_session(servicer, session)
            .await
            .map_err(|e| self.broken(e))?;
        let row = row.ok_or(Trouble::NotFound)?;
        let Some(mut held) = self.held(&row)?.filter(|held| held.access_token.is_none()) else {
            // Over, or exchanged already: a late or repeated return changes nothing.
            return Ok(row.id);
        };
        let next = match (temp_token, error) {
            (Some(token), _) => {
                settle::take_token(&mut held, token, self.state.clock.now(), self.token_life());
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
        let stand = Stand {
            next,
            session: None,
            status: None,
            held: self.sealed(row.id, &held)?,
        };
        let now = self.state.clock.now();
        tx.move_run(&row, now, &stand)
            .await
            .map_err(|e| self.broken(e))?;
        tx.commit().await.map_err(|e| self.broken(e))?;
        Ok(row.id)
    }
}

impl Services {
    fn token_life(&self) -> i64 {
        self.state.config.sandbox.temp_token_seconds
    }
}

fn over() -> Trouble {
    Trouble::Conflict(
        "This run was forgotten a day after it began. Start again with a new one.".into(),
    )
}

fn withdrawn() -> Trouble {
    Trouble::Conflict("This skill is published no more. Start a run of another one.".into())
}
