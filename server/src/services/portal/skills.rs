//! The catalogue for people: every published skill, and who may use it.

use app::domain::ids::TenantId;
use app::domain::person::Permission;
use app::domain::skill::SkillName;
use app::portal::skills::{Skill, Skills, Step};
use app::portal::{Actor, PortalResult};
use async_trait::async_trait;
use serde_json::Value;

use super::Services;
use super::outcome::portal_result;
use crate::services::access::catalog::holds;
use crate::services::refusal::ServiceError;

#[async_trait]
impl Skills for Services {
    async fn skills(&self) -> PortalResult<Vec<Skill>> {
        Ok(self.state.skills.all().map(portal_skill).collect())
    }

    async fn skills_with(&self, text: &str) -> PortalResult<Vec<Skill>> {
        let found = self.state.skills.all().filter(|skill| holds(skill, text));
        Ok(found.map(portal_skill).collect())
    }

    async fn whitelisted_by(
        &self,
        actor: &Actor,
        skill: &SkillName,
    ) -> PortalResult<Vec<(TenantId, String)>> {
        let tenants = async {
            let servicer = actor.may(Permission::ReadTenants)?.servicer;
            let mut tx = self.state.db.read().await?;
            Ok::<_, ServiceError>(tx.tenants_with_skill(servicer, skill).await?)
        };
        portal_result(self, tenants.await)
    }
}

fn portal_skill(skill: &crate::skills::PublishedSkill) -> Skill {
    let manifest = &skill.manifest;
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default();
    Skill {
        name: skill.name.clone(),
        title: manifest.title.clone(),
        provider: manifest.provider.name.clone(),
        country: manifest.country.clone(),
        kind: manifest.kind,
        environment: skill.name.environment(),
        steps: manifest
            .steps
            .iter()
            .map(|step| Step {
                name: step.name.clone(),
                title: step.title.clone(),
                schema: pretty(&step.schema),
                example: pretty(&step.example),
                redirects: step.redirect,
            })
            .collect(),
    }
}
