//! "Send first request": a run on the tenant's first sandbox skill, with its first call made.

use super::{Answer, Shown, Visit};
use crate::domain::ids::TenantId;
use crate::links;
use crate::portal::Trouble;
use crate::portal::console::Act;

pub(super) async fn screen(visit: Visit) -> Shown {
    let Some(form) = &visit.form else {
        return Ok(Answer::See(links::CONSOLE.into()));
    };
    let actor = visit.actor()?;
    let tenant: TenantId = form.parse("tenant").ok_or(Trouble::NotFound)?;
    let tenant = visit.portal.tenant(actor, tenant).await?;
    let Some(first) = tenant.skills.first() else {
        // Nothing whitelisted yet: that page says so and mends it.
        return Ok(Answer::See(links::tenant_skills(tenant.id)));
    };
    let run = visit
        .portal
        .new_run(actor, tenant.id, first.skill.as_str(), &visit.source)
        .await?;
    visit
        .portal
        .advance(actor, run, 0, Act::Next(None), &visit.source)
        .await?;
    Ok(Answer::See(links::run(run)))
}
