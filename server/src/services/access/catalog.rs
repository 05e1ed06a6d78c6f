//! The catalogue for apps: which skills there are, and which of them a tenant may use.

use std::collections::HashSet;

use app::domain::problem::Code;
use app::domain::skill::{SkillName, SkillType};
use app::domain::tenant::Environment;

use super::keys::Client;
use crate::services::refusal::{ApiError, Refusal};
use crate::skills::PublishedSkill;
use crate::state::AppState;
use crate::text::fold;

/// Filter of the catalogue; `None` matches everything.
#[derive(Clone, Debug, Default)]
pub struct CatalogFilter {
    pub kind: Option<SkillType>,
    pub country: Option<String>,
    pub flavour: Option<Environment>,
    pub servicer: Option<String>,
    /// Found in name, title or provider.
    pub q: Option<String>,
    /// Names after this one.
    pub after: Option<String>,
}

/// A skill and, for a tenant, whether it may use it.
pub struct Offer {
    pub skill: PublishedSkill,
    pub whitelisted: Option<bool>,
}

/// The skills a caller may see, by name. Without keys: those of the sandbox.
pub async fn list(
    state: &AppState,
    client: Option<&Client>,
    filter: &CatalogFilter,
) -> Result<Vec<Offer>, ApiError> {
    let own = whitelist(state, client).await?;
    let offers = state
        .skills
        .known()
        .filter(|skill| is_shown(skill, own.as_ref()) && filter.matches(skill));
    Ok(offers.map(|skill| offer(skill, own.as_ref())).collect())
}

/// One skill; `None` if there is none of this name for this caller. One that is not published is refused to whoever does
/// not have it on their whitelist.
pub async fn one(
    state: &AppState,
    client: Option<&Client>,
    name: &str,
) -> Result<Option<Offer>, ApiError> {
    let Ok(name) = SkillName::parse(name) else {
        return Ok(None);
    };
    let own = whitelist(state, client).await?;
    let skill = state.skills.get(&name);
    if skill.is_some_and(|skill| !skill.published && !is_shown(skill, own.as_ref())) {
        return Err(unpublished(&name).into());
    }
    let skill = skill.filter(|skill| is_shown(skill, own.as_ref()));
    Ok(skill.map(|skill| offer(skill, own.as_ref())))
}

async fn whitelist(
    state: &AppState,
    client: Option<&Client>,
) -> Result<Option<HashSet<SkillName>>, ApiError> {
    let Some(client) = client else {
        return Ok(None);
    };
    let rows = state
        .db
        .read()
        .await?
        .tenant_skills(client.tenant())
        .await?;
    Ok(Some(rows.into_iter().map(|row| row.skill).collect()))
}

/// Returns `true` if a caller may see a skill. `own` is the whitelist of the caller's tenant, `None` for a caller
/// without keys.
fn is_shown(skill: &PublishedSkill, own: Option<&HashSet<SkillName>>) -> bool {
    match own {
        Some(own) => skill.published || own.contains(&skill.name),
        None => skill.published && skill.name.environment() == Environment::Sandbox,
    }
}

fn offer(skill: &PublishedSkill, own: Option<&HashSet<SkillName>>) -> Offer {
    Offer {
        skill: skill.clone(),
        whitelisted: own.map(|own| own.contains(&skill.name)),
    }
}

/// Returns `true` if the name, title or provider of a skill holds a text, whatever its case.
pub fn holds(skill: &PublishedSkill, text: &str) -> bool {
    let manifest = &skill.manifest;
    let wanted = fold(text);
    [
        skill.name.as_str(),
        &manifest.title,
        &manifest.provider.name,
    ]
    .iter()
    .any(|text| fold(text).contains(&wanted))
}

impl CatalogFilter {
    fn matches(&self, skill: &PublishedSkill) -> bool {
        let manifest = &skill.manifest;
        let is = |wanted: &Option<String>, has: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == has)
        };
        let code = fold(&manifest.provider.code);
        self.q.as_deref().is_none_or(|q| holds(skill, q))
            && self.kind.is_none_or(|kind| kind == manifest.kind)
            && is(
                &self.country,
                manifest.country.as_deref().unwrap_or_default(),
            )
            && self
                .flavour
                .is_none_or(|flavour| flavour == skill.name.environment())
            && self
                .servicer
                .as_deref()
                .is_none_or(|wanted| fold(wanted) == code)
            && self
                .after
                .as_deref()
                .is_none_or(|after| skill.name.as_str() > after)
    }
}

/// The refusal of a skill that is not published, for whoever may not see it.
pub fn unpublished(skill: &SkillName) -> Refusal {
    Refusal::new(Code::Forbidden).says(format!(
        "{skill} is not published: only administrators may see it."
    ))
}
