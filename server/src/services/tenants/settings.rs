//! One tenant: what its tabs show, and what may be changed there.

use app::domain::ids::TenantId;
use app::domain::skill::SkillName;
use app::domain::tenant::TenantStatus;
use app::portal::tenants::{Tenant, WhitelistedSkill};
use app::portal::{Actor, Source, Trouble};
use serde_json::{Value, json};

use super::create::{checked_links, checked_name, known_skill, terms};
use super::{own, tenants_permission};
use crate::services::trouble::{Stop, act};
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::tenants::TenantRow;

/// Everything the settings and skills tabs show.
pub async fn tenant(state: &AppState, actor: &Actor, id: TenantId) -> Result<Tenant, Stop> {
    let mut tx = state.db.read().await?;
    let row = own(&mut tx, actor, id).await?;
    let skills = tx.tenant_skills(id).await?;
    Ok(Tenant {
        id,
        servicer: row.servicer_id,
        name: row.name,
        environment: row.environment,
        status: row.status,
        created_at: row.created_at,
        redirect_links: tx.tenant_links(id).await?,
        origins: tx.tenant_origins(id).await?,
        skills: skills
            .into_iter()
            .map(|skill| WhitelistedSkill {
                skill: skill.skill,
                consent_duration: skill.consent_duration,
                cache_max_data_retention: skill.cache_max_data_retention,
            })
            .collect(),
    })
}

/// Begins an act on a tenant the actor may change.
pub(super) async fn begin(
    state: &AppState,
    actor: &Actor,
    id: TenantId,
) -> Result<(Tx, TenantRow), Stop> {
    let mut tx = state.db.write().await?;
    let tenant = own(&mut tx, actor, id).await?;
    actor.may(tenants_permission(tenant.environment))?;
    Ok((tx, tenant))
}

/// Ends an act: its audit row, then the commit.
pub(super) async fn finish(
    mut tx: Tx,
    state: &AppState,
    actor: &Actor,
    source: &Source,
    (action, id, detail): (&'static str, TenantId, Value),
) -> Result<(), Stop> {
    tx.audit(&act(state, actor, source, action, id, detail))
        .await?;
    Ok(tx.commit().await?)
}

pub async fn rename(
    state: &AppState,
    actor: &Actor,
    id: TenantId,
    name: &str,
    source: &Source,
) -> Result<(), Stop> {
    let (mut tx, tenant) = begin(state, actor, id).await?;
    let name = checked_name(name).map_err(|error| Trouble::Refused(vec![error]))?;
    tx.rename_tenant(id, &name).await?;
    let detail = json!({ "from": tenant.name, "to": name });
    finish(tx, state, actor, source, ("tenant.renamed", id, detail)).await
}

pub async fn set_links(
    state: &AppState,
    actor: &Actor,
    id: TenantId,
    links: &[String],
    origins: &[String],
    source: &Source,
) -> Result<(), Stop> {
    let (mut tx, tenant) = begin(state, actor, id).await?;
    let mut wrong = Vec::new();
    let (links, origins) = checked_links(links, origins, tenant.environment, &mut wrong);
    if !wrong.is_empty() {
        return Err(Trouble::Refused(wrong).into());
    }
    tx.set_tenant_links(id, &links, &origins).await?;
    let detail = json!({ "redirect_links": links, "origins": origins });
    finish(tx, state, actor, source, ("tenant.links_set", id, detail)).await
}

pub async fn pause(
    state: &AppState,
    actor: &Actor,
    id: TenantId,
    paused: bool,
    source: &Source,
) -> Result<(), Stop> {
    let (mut tx, _) = begin(state, actor, id).await?;
    let (status, action) = if paused {
        (TenantStatus::Paused, "tenant.paused")
    } else {
        (TenantStatus::Active, "tenant.resumed")
    };
    if !tx.set_tenant_status(id, status).await? {
        return Ok(());
    }
    finish(tx, state, actor, source, (action, id, json!({}))).await
}

pub async fn whitelist(
    state: &AppState,
    actor: &Actor,
    id: TenantId,
    skill: &str,
    on: bool,
    source: &Source,
) -> Result<(), Stop> {
    let (mut tx, tenant) = begin(state, actor, id).await?;
    let (changed, action) = if on {
        let skill = known_skill(state, skill, tenant.environment)
            .map_err(|message| Trouble::field("skill", message))?;
        let added = tx
            .add_tenant_skill(id, &terms(skill), state.clock.now())
            .await?;
        (added, "tenant.skill_added")
    } else {
        let skill = SkillName::parse(skill).map_err(|_| Trouble::NotFound)?;
        (
            tx.remove_tenant_skill(id, &skill).await?,
            "tenant.skill_removed",
        )
    };
    if !changed {
        return Ok(());
    }
    finish(
        tx,
        state,
        actor,
        source,
        (action, id, json!({ "skill": skill })),
    )
    .await
}
