//! One tenant: what its tabs show, and what may be changed there.

use app::domain::ids::TenantId;
use app::domain::skill::SkillName;
use app::domain::tenant::TenantStatus;
use app::portal::tenants::{Tenant, WhitelistedSkill};
use app::portal::{Actor, FieldError, PortalError};
use serde_json::json;

use super::change::Change;
use super::create::{checked_links, checked_name, known_skill, terms};
use super::own;
use crate::security::SecurityEvent;
use crate::services::access::networks::Networks;
use crate::services::refusal::ServiceError;
use crate::state::AppState;

/// Everything the settings and skills tabs show.
pub async fn tenant(state: &AppState, actor: &Actor, id: TenantId) -> Result<Tenant, ServiceError> {
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
        version: row.version,
        redirect_links: tx.tenant_links(id).await?,
        origins: tx.tenant_origins(id).await?,
        networks: tx
            .tenant_networks(id)
            .await?
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
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

pub async fn rename(mut change: Change<'_>, version: i64, name: &str) -> Result<(), ServiceError> {
    let name = checked_name(name).map_err(|error| PortalError::Refused(vec![error]))?;
    change.since(version).await?;
    let (id, from) = (change.tenant().id, change.tenant().name.clone());
    change.tx.rename_tenant(id, &name).await?;
    let detail = json!({ "from": from, "to": name });
    change.finish(SecurityEvent::TenantRenamed, detail).await
}

pub async fn set_links(
    mut change: Change<'_>,
    version: i64,
    links: &[String],
    origins: &[String],
) -> Result<(), ServiceError> {
    let mut wrong = Vec::new();
    let environment = change.tenant().environment;
    let (links, origins) = checked_links(links, origins, environment, &mut wrong);
    if !wrong.is_empty() {
        return Err(PortalError::Refused(wrong).into());
    }
    change.since(version).await?;
    let id = change.tenant().id;
    change.tx.set_tenant_links(id, &links, &origins).await?;
    let detail = json!({ "redirect_links": links, "origins": origins });
    change.finish(SecurityEvent::TenantLinksSet, detail).await
}

/// Replaces the networks that the tenant's server may call from. `own` is the address that saves them, if they must not
/// leave it out.
pub async fn set_networks(
    mut change: Change<'_>,
    version: i64,
    typed: &[String],
    own: Option<&str>,
) -> Result<(), ServiceError> {
    let refused = |messages: Vec<String>| {
        let error = |message| FieldError {
            name: "networks",
            message,
        };
        ServiceError::from(PortalError::Refused(
            messages.into_iter().map(error).collect(),
        ))
    };
    let networks = Networks::typed(typed).map_err(refused)?;
    if let Some(own) = own {
        // IPv6 sources are known by their /64: its first address stands for it.
        let address = own.split('/').next().unwrap_or_default().parse();
        if address.is_ok_and(|address| !networks.lets_in(address)) {
            return Err(refused(vec![format!(
                "The list leaves out the address you come from now, {own}. If your server calls from elsewhere, tick the box below and save again."
            )]));
        }
    }
    change.since(version).await?;
    let (id, texts) = (change.tenant().id, networks.texts());
    change.tx.set_tenant_networks(id, &texts.join(" ")).await?;
    let detail = json!({ "networks": texts });
    change
        .finish(SecurityEvent::TenantNetworksSet, detail)
        .await
}

pub async fn pause(mut change: Change<'_>, paused: bool) -> Result<(), ServiceError> {
    let (status, action) = if paused {
        (TenantStatus::Paused, SecurityEvent::TenantPaused)
    } else {
        (TenantStatus::Active, SecurityEvent::TenantResumed)
    };
    let id = change.tenant().id;
    if !change.tx.set_tenant_status(id, status).await? {
        return Ok(());
    }
    change.finish(action, json!({})).await
}

pub async fn whitelist(mut change: Change<'_>, skill: &str, on: bool) -> Result<(), ServiceError> {
    let (id, environment) = (change.tenant().id, change.tenant().environment);
    let (changed, action) = if on {
        change.may_see(skill)?;
        let skill = known_skill(change.state, skill, environment)
            .map_err(|message| PortalError::field("skill", message))?;
        let now = change.state.clock.now();
        let added = change.tx.add_tenant_skill(id, &terms(skill), now).await?;
        (added, SecurityEvent::TenantSkillAdded)
    } else {
        let skill = SkillName::parse(skill).map_err(|_| PortalError::NotFound)?;
        (
            change.tx.remove_tenant_skill(id, &skill).await?,
            SecurityEvent::TenantSkillRemoved,
        )
    };
    if !changed {
        return Ok(());
    }
    change.finish(action, json!({ "skill": skill })).await
}
