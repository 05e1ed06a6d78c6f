//! The whitelist of a tenant: which skills of its own environment it may use.

use leptos::prelude::*;

use super::parts::done_notice;
use super::tenant::{TenantTab, load, tenant_page};
use super::{Answer, Shown, Visit};
use crate::domain::ids::TenantId;
use crate::links;
use crate::portal::skills::Skill;
use crate::ui::{Chip, Column, Empty, PostButton, Table, Tone};

pub(super) async fn screen(visit: Visit) -> Shown {
    let tenant = load(&visit).await?;
    if let Some(form) = &visit.form {
        let on = form.get("on") == "true";
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
        ],
    );
    let shown = tenant.clone();
    Ok(tenant_page(&tenant, TenantTab::Skills, move || {
        let rows: Vec<_> = skills
            .into_iter()
            .map(|skill| {
                let on = shown.skills.iter().any(|allowed| allowed.skill == skill.name);
                row(shown.id, &skill, on)
            })
            .collect();
        view! {
            {notice}
            <p class="muted">
                "Only skills of this tenant’s environment are listed, and it can reach none that is not allowed here."
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
        Column::text("Skill"),
        Column::text("Provider"),
        Column::text("State"),
        Column::actions("Change"),
    ];
    view! {
        <Table caption="Skills this tenant may use" columns=columns folds=true>
            {rows.collect_view()}
        </Table>
    }
    .into_any()
}

fn row(tenant: TenantId, skill: &Skill, on: bool) -> impl IntoView + use<> {
    let name = skill.name.to_string();
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
            <td class="num">
                <PostButton
                    action=links::tenant_skills(tenant)
                    label=word
                    spoken=act
                    class=class
                    fields=vec![("skill", name), ("on", (!on).to_string())]
                />
            </td>
        </tr>
    }
}
