//! The whitelist of a tenant: which skills of its own environment it may use.

use leptos::prelude::*;

use super::components::done_notice;
use super::tenant::{TenantTab, load, tenant_page};
use super::{Answer, ScreenResult, Visit};
use crate::domain::ids::TenantId;
use crate::domain::terms::in_words;
use crate::links;
use crate::portal::skills::Skill;
use crate::portal::tenants::WhitelistedSkill;
use crate::ui::{Chip, Empty, PostButton, Table, TableColumn, Tone};

pub(super) async fn screen(visit: Visit) -> ScreenResult {
    let tenant = load(&visit).await?;
    if let Some(form) = &visit.form {
        let on = form.chosen("on", &["true", "false"])? == "true";
        visit
            .portal
            .whitelist(
                visit.actor()?,
                tenant.id,
                form.get("skill"),
                on,
                &visit.source,
            )
            .await?;
        let done = if on { "allowed" } else { "removed" };
        let to = links::with(&links::tenant_skills(tenant.id), "done", done);
        return Ok(Answer::See(to));
    }
    let mut skills = visit.portal.skills().await?;
    skills.retain(|skill| skill.environment == tenant.environment);
    let notice = done_notice(
        &visit,
        &[
            ("allowed", "The tenant may use that skill from now on."),
            (
                "removed",
                "The tenant may no longer open sessions of that skill.",
            ),
            (
                "terms",
                "Saved. The terms hold for consents given from now on.",
            ),
        ],
    );
    let shown = tenant.clone();
    Ok(tenant_page(&tenant, TenantTab::Skills, move || {
        let rows: Vec<_> = skills
            .into_iter()
            .map(|skill| {
                let allowed = shown.skills.iter().find(|allowed| allowed.skill == skill.name);
                row(shown.id, &skill, allowed)
            })
            .collect();
        view! {
            {notice}
            <p class="muted">
                "Only skills of this tenant’s environment are listed, and only skills allowed here can be used."
            </p>
            <div class="section">{table(rows)}</div>
        }
    })
    .into())
}

fn table<V: IntoView + 'static>(rows: Vec<V>) -> AnyView {
    if rows.is_empty() {
        return view! {
            <Empty icon="skills" title="No skill is published for this environment yet">
                <p>"Skills appear here as soon as the operators publish them."</p>
            </Empty>
        }
        .into_any();
    }
    let columns = vec![
        TableColumn::text("Skill"),
        TableColumn::text("Provider"),
        TableColumn::text("State"),
        TableColumn::text("Consents last"),
        TableColumn::text("Data is kept"),
        TableColumn::actions("Change"),
    ];
    view! {
        <Table caption="Skills this tenant may use" columns=columns folds=true>
            {rows.collect_view()}
        </Table>
    }
    .into_any()
}

fn row(
    tenant: TenantId,
    skill: &Skill,
    allowed: Option<&WhitelistedSkill>,
) -> impl IntoView + use<> {
    let name = skill.name.to_string();
    let on = allowed.is_some();
    let words =
        |minutes: fn(&WhitelistedSkill) -> i64| allowed.map(|allowed| in_words(minutes(allowed)));
    let (lasts, kept) = (
        words(|allowed| allowed.consent_duration),
        words(|allowed| allowed.cache_max_data_retention),
    );
    let change = on.then(|| {
        let label = format!("Change the terms of {name}");
        view! {
            <a class="btn" href=links::skill_terms(tenant, &skill.name) aria-label=label>
                "Change"
            </a>
        }
    });
    let (chip, act, class) = if on {
        (
            view! { <Chip tone=Tone::Ok text="Allowed" /> }.into_any(),
            format!("Remove {name}"),
            "btn",
        )
    } else {
        (
            view! { <Chip text="Not allowed" /> }.into_any(),
            format!("Allow {name}"),
            "btn primary",
        )
    };
    let word = if on { "Remove" } else { "Allow" };
    view! {
        <tr>
            <th scope="row">
                <a class="mono" href=links::skill(&skill.name)>
                    {name.clone()}
                </a>
                <div class="faint">{skill.title.clone()}</div>
            </th>
            <td>{skill.provider.clone()}</td>
            <td>{chip}</td>
            <td data-label="Consents">{lasts}</td>
            <td data-label="Data">{kept}</td>
            <td class="num">
                <div class="actions end">
                    {change}
                    <PostButton
                        action=links::tenant_skills(tenant)
                        label=word
                        spoken=act
                        class=class
                        fields=vec![("skill", name), ("on", (!on).to_string())]
                    />
                </div>
            </td>
        </tr>
    }
}
