//! The sandbox console: runs whose calls are ordinary API calls, made in this process through the router that serves
//! everybody, with a short-lived grant for one sandbox tenant instead of a stored secret.
//!
//! An advance is three steps, so that no transaction is open while a call is made: claim the run (one conditional
//! statement, bound to the number of calls the asker saw), make the call, write down what came of it.

mod calls;
mod held;
mod keep;
mod make;
#[cfg(test)]
mod tests;
mod view;

use app::domain::console::RunStage;
use app::domain::ids::{RunId, ServicerId, SessionId, TenantId};
use app::domain::person::Permission;
use app::domain::skill::SkillName;
use app::domain::tenant::Environment;
use app::links;
use app::portal::console::{Console, Run, RunRow as Listed};
use app::portal::{Actor, Answered, Source, Trouble};
use async_trait::async_trait;
use chrono::Duration;
use serde_json::{Value, json};

use super::Services;
use super::trouble::act;
use crate::jobs::console::ForgetRun;
use crate::storage::console::{NewRun, Stand};
use crate::storage::{DbError, Tx};
use held::Held;

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
        let held = self.prepared(&name)?;
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
        Ok(view::run(row, skill, held.as_ref(), calls?))
    }

    async fn advance(
        &self,
        actor: &Actor,
        run: RunId,
        at: usize,
        data: Option<&str>,
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
        if row.next_call == RunStage::Step
            && let Some(data) = data
        {
            held.data = checked(data)?;
        }
        let call = calls::next(&row, &held).ok_or_else(|| nothing_to_call(row.next_call))?;
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
            Ok(answer) => self.finish(&row, held, call, until, answer).await,
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

    async fn again(&self, actor: &Actor, run: RunId, source: &Source) -> Answered<RunId> {
        let servicer = actor.may(Permission::UseConsole)?.servicer;
        let mut tx = self.write().await?;
        let row = self.find(&mut tx, servicer, run).await?;
        let skill = SkillName::parse(&row.skill).map_err(|e| self.broken(e))?;
        let mut fresh = self.prepared(&skill)?;
        if let Some(old) = self.held(&row)?
            && old.step == fresh.step
        {
            fresh.data = old.data;
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
                calls::take_token(&mut held, token, self.state.clock.now(), self.token_life());
                RunStage::Exchange
            }
            (None, Some(error)) if row.next_call == RunStage::Bank => {
                held.refusal = Some(error.chars().take(64).collect());
                RunStage::Ask
            }
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
    /// What a new run holds: the first step of its skill and the example of the manifest, returning to the console.
    fn prepared(&self, skill: &SkillName) -> Answered<Held> {
        let known = self.state.skills.get(skill);
        let known = known.ok_or_else(|| Trouble::field("skill", "No such skill is published."))?;
        let mut held = Held::default();
        if let Some(first) = known.manifest.steps.first() {
            first.name.clone_into(&mut held.step);
            let mut data = first.example.clone();
            if let Some(link) = data.get_mut("psu_redirect_link") {
                *link = format!("{}{}", self.state.public_url, links::CONSOLE_RETURN).into();
            }
            held.data = serde_json::to_string_pretty(&data).unwrap_or_default();
        }
        Ok(held)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one row; a struct would only rename them"
    )]
    async fn add(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        servicer: ServicerId,
        tenant: TenantId,
        skill: &SkillName,
        held: &Held,
        source: &Source,
    ) -> Answered<RunId> {
        let id = RunId(self.state.clock.id());
        let now = self.state.clock.now();
        let new = NewRun {
            id,
            servicer,
            tenant,
            person: actor.person,
            skill: skill.to_string(),
            held: self.sealed(id, held)?,
            started_at: now,
            forget_at: now + MEMORY,
        };
        let detail = json!({"tenant": tenant, "skill": skill.as_str()});
        let audit = act(
            &self.state,
            actor,
            source,
            "console_run.started",
            id,
            detail,
        );
        let broken = |error: DbError| self.broken(error);
        tx.add_run(&new).await.map_err(broken)?;
        tx.audit(&audit).await.map_err(broken)?;
        let forget = ForgetRun { run: id };
        self.state
            .queue
            .add_at(tx, &forget, now + MEMORY)
            .await
            .map_err(broken)?;
        Ok(id)
    }

    fn token_life(&self) -> i64 {
        self.state.config.sandbox.temp_token_seconds
    }
}

/// The data of a step as typed: any JSON; whether it fits the step is the API's to say.
fn checked(data: &str) -> Answered<String> {
    match serde_json::from_str::<Value>(data) {
        Ok(_) => Ok(data.to_owned()),
        Err(error) => Err(Trouble::field(
            "data",
            format!(
                "This is not JSON yet: line {}, column {}: {}.",
                error.line(),
                error.column(),
                reason(&error)
            ),
        )),
    }
}

/// The parser's reason without the place, which is said already.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ")
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn over() -> Trouble {
    Trouble::Conflict(
        "This run was forgotten a day after it began. Start again with a new one.".into(),
    )
}

fn nothing_to_call(stage: RunStage) -> Trouble {
    Trouble::Conflict(match stage {
        RunStage::Bank => {
            "The end-user is at the bank: open the bank’s page and decide there.".into()
        }
        RunStage::Done => "Every call of this run was made.".into(),
        _ => "This run cannot go on. Start again with the same data.".into(),
    })
}
