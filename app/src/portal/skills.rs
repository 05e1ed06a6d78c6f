//! The catalogue as the portal shows it.

use async_trait::async_trait;

use super::{Actor, PortalResult};
use crate::domain::skill::{SkillName, SkillType};
use crate::domain::tenant::Environment;

/// One published skill.
#[derive(Clone, Debug)]
pub struct Skill {
    pub name: SkillName,
    pub title: String,
    pub provider: String,
    pub country: Option<String>,
    pub kind: SkillType,
    pub environment: Environment,
    pub steps: Vec<Step>,
}

/// One step of a skill, as its manifest says.
#[derive(Clone, Debug)]
pub struct Step {
    pub name: String,
    pub title: String,
    /// JSON Schema (draft 2020-12) of the step's `data`, pretty-printed.
    pub schema: String,
    /// Example `data`, pretty-printed.
    pub example: String,
    pub redirects: bool,
}

#[async_trait]
pub trait Skills: Send + Sync {
    /// Every published skill, by name. Public.
    async fn skills(&self) -> PortalResult<Vec<Skill>>;
    /// Those whose name, title or provider holds a text, as the API's catalogue finds them.
    async fn skills_with(&self, text: &str) -> PortalResult<Vec<Skill>>;
    /// The actor's tenants that whitelist a skill: name and id.
    async fn whitelisted_by(
        &self,
        actor: &Actor,
        skill: &SkillName,
    ) -> PortalResult<Vec<(crate::domain::ids::TenantId, String)>>;
}
