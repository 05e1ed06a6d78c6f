//! The first calls of a new tenant: a run with its first call made, or the whole of it.

use super::components::FIRST_SKILL;
use super::{Answer, ScreenResult, Visit};
use crate::domain::ids::{RunId, TenantId};
use crate::links;
use crate::portal::PortalError;
use crate::portal::console::RunAction;
use crate::portal::tenants::Tenant;

pub(super) async fn screen(visit: Visit) -> ScreenResult {
    let Some(form) = &visit.form else {
        return Ok(Answer::See(links::CONSOLE.into()));
    };
    let actor = visit.actor()?;
    let tenant: TenantId = form.parse("tenant").ok_or(PortalError::NotFound)?;
    let tenant = visit.portal.tenant(actor, tenant).await?;
    first(&visit, &tenant).await
}

/// Opens a session and shows the answer in the console.
pub(super) async fn first(visit: &Visit, tenant: &Tenant) -> ScreenResult {
    let Some(run) = new_run(visit, tenant).await? else {
        return Ok(Answer::See(links::tenant_skills(tenant.id)));
    };
    let (actor, open) = (visit.actor()?, RunAction::Next(None));
    let made = visit.portal.advance(actor, run, 0, open, &visit.source);
    made.await?;
    Ok(Answer::See(links::run(run)))
}

/// Walks a whole session and shows the data at its end in the console.
pub(super) async fn all(visit: &Visit, tenant: &Tenant) -> ScreenResult {
    let Some(run) = new_run(visit, tenant).await? else {
        return Ok(Answer::See(links::tenant_skills(tenant.id)));
    };
    visit
        .portal
        .run_all(visit.actor()?, run, &visit.source)
        .await?;
    Ok(Answer::See(links::run(run)))
}

/// A run on the skill of the guides, or on the tenant's first one. None where nothing is whitelisted yet: the tenant's
/// page of skills says so and mends it.
async fn new_run(visit: &Visit, tenant: &Tenant) -> Result<Option<RunId>, PortalError> {
    let listed = || tenant.skills.iter().map(|listed| listed.skill.as_str());
    let Some(skill) = listed()
        .find(|skill| *skill == FIRST_SKILL)
        .or(listed().next())
    else {
        return Ok(None);
    };
    let run = visit
        .portal
        .new_run(visit.actor()?, tenant.id, skill, &visit.source)
        .await?;
    Ok(Some(run))
}
