//! Preparing runs and acts: what a new run holds, and which call an act makes.

use app::domain::console::RunStage;
use app::domain::ids::{RunId, ServicerId, TenantId};
use app::domain::skill::SkillName;
use app::links;
use app::portal::console::RunAction;
use app::portal::{Actor, PortalError, PortalResult, RequestSource};
use json::ReadLimits;
use serde_json::json;

use super::calls::{self, Outgoing};
use super::files;
use super::plan::{self, RunPlan};
use super::run_state::RunState;
use super::runs::MEMORY;
use crate::jobs::console::ForgetRun;
use crate::security::SecurityEvent;
use crate::services::portal::Services;
use crate::services::portal::outcome::audit_entry;
use crate::services::refusal::ServiceError;
use crate::storage::Tx;
use crate::storage::console::{NewRun, RunRow};

impl Services {
    /// Returns the script of a skill; `None` if the skill is no longer known.
    pub(super) fn plan(&self, skill: &SkillName) -> Option<RunPlan<'_>> {
        let known = self.state.skills.get(skill)?;
        Some(RunPlan {
            manifest: &known.manifest,
            return_link: format!("{}{}", self.state.public_url, links::CONSOLE_RETURN),
        })
    }

    /// Returns the call that an act makes, and updates what the run holds before it is made.
    pub(super) fn call_of(
        &self,
        row: &RunRow,
        plan: &RunPlan<'_>,
        held: &mut RunState,
        act: RunAction<'_>,
    ) -> PortalResult<Outgoing> {
        let call = match act {
            RunAction::Next(data) => {
                if row.next_call == RunStage::Step {
                    if let Some(data) = data {
                        held.data = checked(data)?;
                    }
                    held.typed.insert(held.step.clone(), held.data.clone());
                }
                calls::next(row, held)
            }
            RunAction::Upload { kind, file } if row.next_call == RunStage::Uploads => {
                let step = held.filed.as_ref().and_then(|filed| plan.step(&filed.step));
                if step.is_none_or(|step| step.upload(kind).is_none()) {
                    return Err(PortalError::NotFound);
                }
                files::upload(row, held, kind, file, self.state.clock.id())
            }
            RunAction::Offered(offer) if plan::is_for(plan.manifest.kind, offer) => {
                calls::offered(row, held, offer)
            }
            RunAction::Upload { .. } | RunAction::Offered(_) => None,
        };
        call.ok_or_else(|| nothing_to_call(row.next_call))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one row; a struct would only rename them"
    )]
    pub(super) async fn add(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        servicer: ServicerId,
        tenant: TenantId,
        skill: &SkillName,
        held: &RunState,
        source: &RequestSource,
    ) -> Result<RunId, ServiceError> {
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
        let audit = audit_entry(
            &self.state,
            actor,
            source,
            SecurityEvent::ConsoleRunStarted,
            id,
            detail,
        );
        tx.add_run(&new).await?;
        tx.audit(&audit).await?;
        let forget = ForgetRun { run: id };
        self.state.queue.add_at(tx, &forget, now + MEMORY).await?;
        Ok(id)
    }
}

/// The data of a step as typed: any JSON; whether it fits the step is the API's to say.
fn checked(data: &str) -> PortalResult<String> {
    let wrong = |message: String| PortalError::field("data", message);
    let value = json::read(data.as_bytes(), ReadLimits::BODY).map_err(|fault| {
        let json::Fault {
            why, line, column, ..
        } = fault;
        wrong(format!(
            "This is not JSON yet: line {line}, column {column}: {why}."
        ))
    })?;
    // The call is made of what the library keeps of it.
    let kept = value.to_value();
    kept.map_err(|inexact| wrong(format!("{inexact}.")))?;
    Ok(data.to_owned())
}

fn nothing_to_call(stage: RunStage) -> PortalError {
    PortalError::Conflict(match stage {
        RunStage::Bank => {
            "The end-user is at the bank: open the bank’s page and decide there.".into()
        }
        RunStage::Uploads => "The step submitted last waits for its files: send them first.".into(),
        RunStage::Done => "Every call of this run was made.".into(),
        _ => "This run cannot go on. Start again with the same data.".into(),
    })
}
