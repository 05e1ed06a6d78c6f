//! The catalogue.

use app::domain::ids::TenantId;
use app::domain::skill::{SkillName, SkillType};
use app::domain::tenant::Environment;
use app::portal::skills::{Skill, Skills, Step};
use app::portal::{Actor, PortalResult};
use async_trait::async_trait;

use super::{Fake, World, skill_name, tenant_id};

#[async_trait]
impl Skills for Fake {
    async fn skills(&self) -> PortalResult<Vec<Skill>> {
        if self.0 == World::Empty {
            return Ok(Vec::new());
        }
        let skill = |name: &str, country: Option<&str>| Skill {
            name: skill_name(name),
            title: "Account information".into(),
            provider: "XYZ Bank".into(),
            country: country.map(str::to_owned),
            kind: SkillType::AccountInformation,
            environment: Environment::Sandbox,
            steps: vec![Step {
                name: "sca".into(),
                title: "Strong customer authentication".into(),
                schema: "{\n  \"type\": \"object\",\n  \"required\": [\"psu_redirect_link\"]\n}"
                    .into(),
                example: "{\n  \"psu_redirect_link\": \"myapp://return\"\n}".into(),
                redirects: true,
            }],
        };
        Ok(vec![
            skill("xyz_aisp_sbx_#1.0", None),
            skill("xyz_ro_aisp_sbx_#1.0", Some("RO")),
        ])
    }
    async fn skills_with(&self, text: &str) -> PortalResult<Vec<Skill>> {
        let mut skills = self.skills().await?;
        skills.retain(|skill| skill.name.as_str().contains(text));
        Ok(skills)
    }
    async fn whitelisted_by(
        &self,
        _: &Actor,
        skill: &SkillName,
    ) -> PortalResult<Vec<(TenantId, String)>> {
        Ok(if skill.as_str() == "xyz_aisp_sbx_#1.0" {
            vec![(tenant_id(), self.name())]
        } else {
            Vec::new()
        })
    }
}
