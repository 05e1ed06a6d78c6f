//! The catalogue of skills, and the page of one.

use leptos::prelude::*;

use super::components::{done_notice, environment_chip};
use super::{Answer, Frame, Page, ScreenResult, Visit};
use crate::domain::ids::TenantId;
use crate::domain::skill::{SkillName, SkillType};
use crate::islands::CopyButton;
use crate::links;
use crate::portal::PortalError;
use crate::portal::skills::{Skill, Step};
use crate::ui::{
    Chip, Empty, Facts, Json, NoMatch, PageHead, PostButton, Search, Table, TableColumn,
};

/// Returns the name of a type for people.
pub(super) const fn type_name(kind: SkillType) -> &'static str {
    match kind {
        SkillType::AccountInformation => "Account information",
        SkillType::PaymentInitiation => "Payment initiation",
        SkillType::Marketplace => "Marketplace",
        SkillType::CustomerCare => "Customer care",
        SkillType::ResourceManagement => "Resource management",
    }
}

pub(super) async fn list(visit: Visit) -> ScreenResult {
    let query = visit.query.get("q").trim().to_owned();
    let skills = visit.portal.skills_with(&query).await?;
    Ok(Page::new(Frame::App, "Skills", move || {
        let body = if skills.is_empty() && query.is_empty() {
            view! {
                <Empty icon="skills" title="No skill is published yet">
                    <p>"Skills appear here as soon as the operators publish them."</p>
                </Empty>
            }
            .into_any()
        } else {
            view! {
                <Search action=links::SKILLS label="Skill or provider" query=query.clone() />
                {table(skills, &query)}
            }
            .into_any()
        };
        view! {
            <PageHead
                title="Skills"
                lead="Every skill is one provider’s API in one flavour. A tenant uses those on its whitelist."
            />
            {body}
        }
    })
    .into())
}

fn table(skills: Vec<Skill>, query: &str) -> impl IntoView + use<> {
    let columns = vec![
        TableColumn::text("Skill"),
        TableColumn::text("Provider"),
        TableColumn::text("Type"),
        TableColumn::text("Country"),
        TableColumn::text("Flavour"),
        TableColumn::number("Steps"),
    ];
    let none = skills.is_empty().then(|| {
        let sentence = format!("No skill matches “{query}”.");
        let columns = columns.len();
        view! { <NoMatch columns=columns sentence=sentence all=links::SKILLS label="Show all skills" /> }
    });
    let rows = skills.into_iter().map(row).collect_view();
    view! {
        <Table caption="Published skills" columns=columns linked=none.is_none() folds=true>
            {rows}
            {none}
        </Table>
    }
}

fn row(skill: Skill) -> impl IntoView {
    view! {
        <tr>
            <th scope="row">
                <a class="mono" href=links::skill(&skill.name)>
                    {skill.name.to_string()}
                </a>
                <div class="faint">{skill.title}</div>
            </th>
            <td>{skill.provider}</td>
            <td>{type_name(skill.kind)}</td>
            <td class="spare">{skill.country.unwrap_or_else(|| "any".into())}</td>
            <td>{environment_chip(skill.environment)}</td>
            <td class="num spare">{skill.steps.len()}</td>
        </tr>
    }
}

pub(super) async fn one(visit: Visit) -> ScreenResult {
    let Ok(name) = SkillName::parse(visit.params.get("skill")) else {
        return Ok(Answer::See(meant(&visit).await?));
    };
    let actor = visit.actor()?;
    if let Some(form) = &visit.form {
        let tenant: TenantId = form.parse("tenant").ok_or(PortalError::NotFound)?;
        visit
            .portal
            .whitelist(actor, tenant, name.as_str(), true, &visit.source)
            .await?;
        return Ok(Answer::See(links::with(
            &links::skill(&name),
            "done",
            "allowed",
        )));
    }
    let skills = visit.portal.skills().await?;
    let skill = skills
        .into_iter()
        .find(|skill| skill.name == name)
        .ok_or(PortalError::NotFound)?;
    let tenants = own_tenants(&visit, &skill).await?;
    let notice = done_notice(
        &visit,
        &[("allowed", "The tenant may use this skill from now on.")],
    );
    let environment = skill.environment;
    Ok(Page::new(Frame::App, name.to_string(), move || {
        let chip = environment_chip(skill.environment);
        let lead = format!("{}, by {}.", skill.title, skill.provider);
        view! {
            {notice}
            <PageHead title=skill.name.to_string() beside=chip lead=lead />
            <div class="two">
                {facts(&skill)}
                {whitelist_card(&skill, tenants)}
            </div>
            <section class="section">
                <h2>"Steps"</h2>
                <ol class="steps-list">{skill.steps.iter().enumerate().map(step).collect_view()}</ol>
            </section>
        }
    })
    .under("Skills", links::SKILLS)
    .within(environment)
    .into())
}

/// The address that somebody meant whose link holds no skill's name: a URL ends at the `#` that every name has, and a name
/// that was encoded twice has `%23` in its place.
async fn meant(visit: &Visit) -> Result<String, PortalError> {
    let typed = visit.params.get("skill").replace("%23", "#");
    if let Ok(name) = SkillName::parse(&typed) {
        return Ok(links::skill(&name));
    }
    let begins = visit.portal.skills_with(&typed).await?;
    let begins = begins
        .iter()
        .any(|skill| skill.name.as_str().starts_with(&typed));
    if !begins || typed.is_empty() || visit.form.is_some() {
        return Err(PortalError::NotFound);
    }
    Ok(links::with(links::SKILLS, "q", &typed))
}

/// A tenant of the reader, and whether it may use the skill.
struct OwnTenant {
    id: TenantId,
    name: String,
    allowed: bool,
}

async fn own_tenants(visit: &Visit, skill: &Skill) -> Result<Vec<OwnTenant>, PortalError> {
    let actor = visit.actor()?;
    if actor.membership.is_none() {
        return Ok(Vec::new());
    }
    let allowed = visit.portal.whitelisted_by(actor, &skill.name).await?;
    let tenants = visit.portal.tenants(actor, "").await?;
    Ok(tenants
        .into_iter()
        .filter(|tenant| tenant.environment == skill.environment)
        .map(|tenant| OwnTenant {
            allowed: allowed.iter().any(|(id, _)| *id == tenant.id),
            id: tenant.id,
            name: tenant.name,
        })
        .collect())
}

fn facts(skill: &Skill) -> impl IntoView + use<> {
    let name = view! {
        <span class="actions">
            <code id="skill">{skill.name.to_string()}</code>
            <CopyButton from="skill".to_owned() label="Copy skill name".to_owned() />
        </span>
    };
    let encoded = links::encode(skill.name.as_str());
    let country = skill.country.as_deref().unwrap_or("any");
    let country = if country.len() == 2 {
        country.to_uppercase()
    } else {
        country.to_owned()
    };
    view! {
        <div class="card">
            <div class="pad">
                <Facts facts=vec![
                    ("Name", name.into_any()),
                    ("In a URL", view! { <code>{encoded}</code> }.into_any()),
                    ("Type", type_name(skill.kind).into_any()),
                    ("Country", country.into_any()),
                ] />
            </div>
        </div>
    }
}

fn whitelist_card(skill: &Skill, tenants: Vec<OwnTenant>) -> impl IntoView + use<> {
    let here = links::skill(&skill.name);
    let rows = tenants
        .into_iter()
        .map(|tenant| {
            let state = if tenant.allowed {
                view! { <Chip tone=crate::ui::Tone::Ok text="Allowed" /> }.into_any()
            } else {
                view! {
                    <PostButton
                        action=here.clone()
                        label="Allow"
                        spoken=format!("Allow for {}", tenant.name)
                        fields=vec![("tenant", tenant.id.to_string())]
                    />
                }
                .into_any()
            };
            view! {
                <li>
                    <a href=links::tenant_skills(tenant.id)>{tenant.name}</a>
                    {state}
                </li>
            }
        })
        .collect::<Vec<_>>();
    let none = rows.is_empty().then(|| {
        view! {
            <li>
                <span class="muted">"You have no tenant in this environment."</span>
                <a class="btn" href=links::NEW_TENANT>
                    "Create tenant"
                </a>
            </li>
        }
    });
    view! {
        <section class="card" aria-labelledby="tenants">
            <div class="bar">
                <h2 id="tenants">"Your tenants"</h2>
            </div>
            <ul class="rows">{rows} {none}</ul>
        </section>
    }
}

fn step((at, step): (usize, &Step)) -> impl IntoView + use<> {
    let id = format!("step-{at}");
    let redirects = step
        .redirects
        .then(|| view! { <Chip plain=true text="Redirects to the provider" /> });
    view! {
        <li class="card">
            <div class="bar">
                <h3>{format!("{} · ", at + 1)} <code>{step.name.clone()}</code></h3>
                <span>{step.title.clone()}</span>
                <span class="spacer"></span>
                {redirects}
            </div>
            <div class="two pad">
                <div class="stack">
                    <h4>"Example data"</h4>
                    <Json id=format!("{id}-example") text=step.example.clone() label=format!("example data of {}", step.name) />
                </div>
                <div class="stack">
                    <h4>"Schema"</h4>
                    <Json id=format!("{id}-schema") text=step.schema.clone() label=format!("schema of {}", step.name) />
                </div>
            </div>
        </li>
    }
}
