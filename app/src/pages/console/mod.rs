//! The sandbox console: the list of runs, and the form that begins one.

mod data;
pub(super) mod flow;
mod run;
mod step;

use leptos::prelude::*;

pub(super) use run::{back, decided, screen as run};

use super::components::FIRST_SKILL;
use super::skills::type_name;
use super::{Answer, FormFields, Frame, Page, ScreenResult, Visit};
use crate::domain::console::RunStage;
use crate::domain::ids::TenantId;
use crate::domain::tenant::Environment;
use crate::links;
use crate::portal::PortalError;
use crate::portal::console::{RunAction, RunSummary};
use crate::portal::skills::Skill;
use crate::portal::tenants::Tenant;
use crate::ui::{
    Ago, Chip, Empty, FormField, Notice, PageHead, PostButton, Select, Table, TableColumn, Tone,
};

/// Highest number of sandbox tenants that the form offers.
const OFFERED: usize = 20;

pub(super) async fn screen(visit: Visit) -> ScreenResult {
    let mut refused = None;
    if let Some(form) = visit.form.clone() {
        match begin(&visit, &form).await {
            Ok(answer) => return Ok(answer),
            Err(PortalError::Conflict(why)) => refused = Some(why),
            Err(other) => return Err(other),
        }
    }
    let actor = visit.actor()?;
    let tenants = sandbox_tenants(&visit).await?;
    let runs = visit.portal.runs(actor).await?;
    let skills = visit.portal.skills().await?;
    let first_skill = skills
        .iter()
        .find(|skill| skill.environment == Environment::Sandbox)
        .map(|skill| skill.name.to_string());
    let chosen: Option<TenantId> = visit.query.parse("tenant");
    let status = if refused.is_some() { 422 } else { 200 };
    let now = visit.now;
    Ok(Page::new(Frame::App, "Console", move || {
        view! {
            <PageHead
                title="Sandbox console"
                lead="Take a session of any sandbox skill from its first call to its data: accounts, a payment, a product. Each call is a real one and lands in your request log."
            />
            {refused.map(|why| view! { <Notice tone=Tone::Err title=why /> })}
            {new_run(&tenants, &skills, chosen, first_skill)}
            {(!runs.is_empty()).then(|| list(runs, now))}
        }
    })
    .within(Environment::Sandbox)
    .status(status)
    .into())
}

/// Makes a run and its first call; whitelists the skill before, where the form asked for it.
async fn begin(visit: &Visit, form: &FormFields) -> ScreenResult {
    let actor = visit.actor()?;
    let (tenant, skill) = form
        .get("on")
        .split_once(' ')
        .ok_or(PortalError::NotFound)?;
    let tenant: TenantId = tenant.parse().map_err(|_| PortalError::NotFound)?;
    if form.get("whitelist") == "yes" {
        visit
            .portal
            .whitelist(actor, tenant, skill, true, &visit.source)
            .await?;
    }
    let run = visit
        .portal
        .new_run(actor, tenant, skill, &visit.source)
        .await?;
    if form.get("how") == "all" {
        visit.portal.run_all(actor, run, &visit.source).await?;
    } else {
        let open = RunAction::Next(None);
        let made = visit.portal.advance(actor, run, 0, open, &visit.source);
        made.await?;
    }
    Ok(Answer::See(links::run(run)))
}

async fn sandbox_tenants(visit: &Visit) -> Result<Vec<Tenant>, PortalError> {
    let actor = visit.actor()?;
    let mut found = Vec::new();
    let rows = visit.portal.tenants(actor, "").await?;
    let sandbox = rows
        .iter()
        .filter(|row| row.environment == Environment::Sandbox);
    for row in sandbox.take(OFFERED) {
        found.push(visit.portal.tenant(actor, row.id).await?);
    }
    Ok(found)
}

fn new_run(
    tenants: &[Tenant],
    skills: &[Skill],
    chosen: Option<TenantId>,
    first_skill: Option<String>,
) -> AnyView {
    let Some(first) = tenants.first() else {
        return view! {
            <Empty icon="tenants" title="The console needs a sandbox tenant">
                <p>"A tenant is your app as the API knows it: it has the keys that calls are made with."</p>
                <div class="actions">
                    <a class="btn primary" href=links::NEW_TENANT>"Create tenant"</a>
                </div>
            </Empty>
        }
        .into_any();
    };
    let options = options(tenants, skills);
    if options.is_empty() {
        return match first_skill {
            Some(skill) => whitelist_first(first, skill),
            None => view! { <Notice tone=Tone::Warn title="This server publishes no sandbox skills." /> }.into_any(),
        };
    }
    let preferred = chosen.map(|id| format!("{id} ")).unwrap_or_default();
    let values: Vec<&String> = options
        .iter()
        .map(|(value, _)| value)
        .filter(|value| value.starts_with(&preferred))
        .collect();
    // The skill of the guides, so that what is read there is what is seen here.
    let value = values
        .iter()
        .find(|value| value.ends_with(FIRST_SKILL))
        .or(values.first())
        .map(|value| (*value).clone());
    let more = links::tenant_skills(chosen.unwrap_or(first.id));
    let entry = FormField {
        name: "on".into(),
        value: value.unwrap_or_default(),
        ..FormField::default()
    };
    view! {
        <form method="post" action=links::CONSOLE class="card new-run">
            <Select entry=entry label="Tenant and skill" options=options />
            <div class="actions">
                <button class="btn primary" name="how" value="all">"Run all"</button>
                <button class="btn" name="how" value="step">"Step by step"</button>
            </div>
            <p class="faint">
                "Run all makes every call of the session, visits the sandbox bank as the test user family, and ends with the data. \
                 Step by step stops before each call. Another skill? "
                <a href=more>"Allow it on the tenant"</a> "."
            </p>
        </form>
    }
    .into_any()
}

/// Returns every pair of tenant and whitelisted sandbox skill, with the skill's purpose in words. A single tenant is
/// not named in them.
fn options(tenants: &[Tenant], skills: &[Skill]) -> Vec<(String, String)> {
    let several = tenants.len() > 1;
    let pairs = tenants.iter().flat_map(|tenant| {
        tenant.skills.iter().filter_map(move |listed| {
            let known = skills.iter().find(|skill| skill.name == listed.skill)?;
            let (skill, kind) = (listed.skill.as_str(), type_name(known.kind));
            let text = if several {
                format!("{} · {skill} · {kind}", tenant.name)
            } else {
                format!("{skill} · {kind}")
            };
            Some((format!("{} {skill}", tenant.id), text))
        })
    });
    pairs.collect()
}

fn whitelist_first(tenant: &Tenant, skill: String) -> AnyView {
    let fields = vec![
        ("on", format!("{} {skill}", tenant.id)),
        ("whitelist", "yes".to_owned()),
    ];
    let title = format!("{} may not use any skill yet", tenant.name);
    let all = links::tenant_skills(tenant.id);
    view! {
        <Empty icon="skills" title=title>
            <p>"Each tenant lists the skills it calls. Add " <code>{skill}</code> " and go on."</p>
            <div class="actions">
                <PostButton action=links::CONSOLE label="Allow it and continue" class="btn primary" fields=fields />
                <a class="btn" href=all>"All skills"</a>
            </div>
        </Empty>
    }
    .into_any()
}

fn list(runs: Vec<RunSummary>, now: chrono::DateTime<chrono::Utc>) -> impl IntoView {
    let columns = vec![
        TableColumn::text("Run"),
        TableColumn::text("Skill"),
        TableColumn::text("Status"),
        TableColumn::number("Calls"),
        TableColumn::number("Started"),
    ];
    let rows = runs
        .into_iter()
        .map(|run| {
            let (tone, words) = stage(run.stage);
            view! {
                <tr>
                    <th scope="row"><a href=links::run(run.id)>{run.tenant_name} " · " {run::short(run.id)}</a></th>
                    <td><code>{run.skill.to_string()}</code></td>
                    <td><Chip tone=tone text=words /></td>
                    <td class="num" data-label="Calls">{run.calls}</td>
                    <td class="num"><Ago at=run.started_at now=now /></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <h2 class="section">"Recent runs"</h2>
        <Table caption="Runs of the console, newest first" columns=columns linked=true folds=true>{rows}</Table>
    }
}

/// Returns the stage of a run in words, with their colour.
const fn stage(stage: RunStage) -> (Tone, &'static str) {
    match stage {
        RunStage::OpenSession => (Tone::Neutral, "Prepared"),
        RunStage::Step => (Tone::Accent, "Step"),
        RunStage::Uploads => (Tone::Accent, "Files"),
        RunStage::Bank => (Tone::Accent, "At the bank"),
        RunStage::Pending => (Tone::Warn, "Waiting for a decision"),
        RunStage::Ask => (Tone::Warn, "Interrupted"),
        RunStage::Exchange => (Tone::Accent, "Exchange"),
        RunStage::Accounts => (Tone::Accent, "Accounts"),
        RunStage::Transactions => (Tone::Accent, "Transactions"),
        RunStage::Payment => (Tone::Accent, "Payment"),
        RunStage::Products => (Tone::Accent, "Products"),
        RunStage::Done => (Tone::Ok, "Done"),
        RunStage::DeadEnd => (Tone::Neutral, "Ended"),
    }
}
