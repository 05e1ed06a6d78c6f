//! Sandbox sessions that wait for an offline verification, with the buttons that decide it.

use chrono::{DateTime, Utc};
use leptos::prelude::*;

use super::components::done_notice_with;
use super::{Answer, Frame, Page, ScreenResult, Visit};
use crate::domain::ids::{RunId, SessionId};
use crate::domain::session::Decision;
use crate::links;
use crate::portal::PortalError;
use crate::portal::verifications::Verification;
use crate::ui::{Ago, Empty, PageHead, PostButton, Table, TableColumn};

/// Notices about the act just done, by the word of the decision.
const DONE: &[(&str, &str)] = &[
    ("approve", "Approved. The session goes on in a moment."),
    (
        "ask_again",
        "Asked again. The session goes back to the step in a moment.",
    ),
    ("reject", "Rejected. The session ends in a moment."),
];

pub(super) async fn screen(visit: Visit) -> ScreenResult {
    let actor = visit.actor()?;
    if let Some(fields) = &visit.form {
        let session: Option<SessionId> = fields.parse("session");
        let decision: Option<Decision> = fields.parse("decision");
        let (Some(session), Some(decision)) = (session, decision) else {
            return Err(PortalError::NotFound);
        };
        visit
            .portal
            .decide(actor, session, decision, &visit.source)
            .await?;
        let done = links::with(links::VERIFICATIONS, "done", decision.as_str());
        let done = links::with(&done, "session", &session.to_string());
        return Ok(Answer::See(match fields.parse::<RunId>("run") {
            Some(run) => links::with(&done, "run", &run.to_string()),
            None => done,
        }));
    }
    let waiting = visit.portal.verifications(actor).await?;
    let now = visit.now;
    Ok(Page::new(Frame::App, "Verifications", move || {
        let back = visit.query.parse::<RunId>("run").map(|run| {
            let link = view! { <a href=links::run(run)>"Back to the console run"</a> };
            view! { <p>{link}</p> }.into_any()
        });
        let done = done_notice_with(&visit, DONE, back);
        let decided = visit.query.parse::<SessionId>("session");
        let body = if waiting.is_empty() {
            nothing_waits().into_any()
        } else {
            table(waiting, decided, now).into_any()
        };
        view! {
            <PageHead
                title="Verifications"
                lead="Sandbox sessions that wait for the provider’s decision. Decide yourself, or let the simulated bank do it after a while."
            >
                <a class="btn" href=links::VERIFICATIONS>
                    "Refresh"
                </a>
            </PageHead>
            {done}
            {body}
        }
    })
    .wide()
    .into())
}

fn nothing_waits() -> impl IntoView {
    view! {
        <Empty icon="check" title="No pending verifications">
            <p>
                "A session appears here while its status is SESSION_PENDING: in xyz_sbx_#3.0 after the step kyc."
            </p>
            <div class="actions">
                <a class="btn primary" href=links::SKILLS>
                    "See the skills"
                </a>
                <a class="btn" href=links::docs("session-flow")>
                    "About pending sessions"
                </a>
            </div>
        </Empty>
    }
}

fn table(
    waiting: Vec<Verification>,
    decided: Option<SessionId>,
    now: DateTime<Utc>,
) -> impl IntoView {
    let columns = vec![
        TableColumn::text("Session"),
        TableColumn::text("Tenant"),
        TableColumn::text("Skill and step"),
        TableColumn::text("Waiting"),
        TableColumn::actions("Decide"),
    ];
    let rows = waiting.into_iter().map(|one| {
        let decide = if decided == Some(one.session) {
            view! { <span class="faint">"Decided: it goes on in a moment"</span> }.into_any()
        } else {
            buttons(&one).into_any()
        };
        row(one, decide, now)
    });
    let rows = rows.collect_view();
    view! {
        <Table caption="Sessions that wait for a decision" columns=columns folds=true>
            {rows}
        </Table>
    }
}

/// One button for each decision.
fn buttons(one: &Verification) -> impl IntoView + use<> {
    let session = one.session.to_string();
    let run = one.run;
    let button = |decision: Decision, label: &'static str, class: &'static str| {
        let mut fields = vec![
            ("session", session.clone()),
            ("decision", decision.as_str().to_owned()),
        ];
        fields.extend(run.map(|run| ("run", run.to_string())));
        view! {
            <PostButton
                action=links::VERIFICATIONS
                label=label
                spoken=format!("{label}: session {session}")
                class=class
                fields=fields
            />
        }
    };
    view! {
        <div class="actions end">
            {button(Decision::Approve, "Approve", "btn primary")}
            {button(Decision::AskAgain, "Ask again", "btn")}
            {button(Decision::Reject, "Reject", "btn danger")}
        </div>
    }
}

fn row(one: Verification, decide: AnyView, now: DateTime<Utc>) -> impl IntoView {
    let session = one.session.to_string();
    let calls = links::with(links::REQUESTS, "session", &session);
    let from_console = one.run.map(|run| {
        view! {
            <div>
                <a href=links::run(run)>"Console run"</a>
            </div>
        }
    });
    view! {
        <tr>
            <th scope="row">
                <a class="mono break" href=calls>
                    {session}
                </a>
                {from_console}
            </th>
            <td>
                <a href=links::tenant(one.tenant)>{one.tenant_name}</a>
            </td>
            <td>
                <span class="mono break">{one.skill.to_string()}</span>
                <div class="faint">{one.step}</div>
            </td>
            <td data-label="Waiting">
                <Ago at=one.since now=now />
            </td>
            <td class="num">{decide}</td>
        </tr>
    }
}
