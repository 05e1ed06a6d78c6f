//! The operators' area: servicers, their approval and their suspension.

use chrono::{DateTime, Utc};
use leptos::prelude::*;

use super::components::{done_notice, key_row, servicer_chip};
use super::form::Form;
use super::{Answer, Frame, Page, ScreenResult, Visit};
use crate::domain::country;
use crate::domain::ids::ServicerId;
use crate::domain::servicer::{ServicerKind, ServicerStatus};
use crate::links;
use crate::portal::PortalError;
use crate::portal::admin::{CreatedServicer, ServicerRow};
use crate::ui::number::group;
use crate::ui::{
    Ago, Chip, Choice, ChoiceGroup, Empty, ErrorSummary, Field, NoMatch, PageHead, PostButton,
    Search, Table, TableColumn, TextArea, Tone, time,
};

pub(super) async fn list(visit: Visit) -> ScreenResult {
    let actor = visit.actor()?.admin()?;
    if let Some(form) = &visit.form {
        let id: ServicerId = form.parse("servicer").ok_or(PortalError::NotFound)?;
        let done = match form.get("act") {
            "approve" => {
                visit
                    .portal
                    .approve_servicer(actor, id, &visit.source)
                    .await?;
                "approved"
            }
            "resume" => {
                visit
                    .portal
                    .resume_servicer(actor, id, &visit.source)
                    .await?;
                "resumed"
            }
            _ => return Err(PortalError::NotFound),
        };
        return Ok(Answer::See(links::with(
            links::ADMIN_SERVICERS,
            "done",
            done,
        )));
    }
    let query = visit.query.get("q").trim().to_owned();
    let rows = visit.portal.servicers(actor, &query).await?;
    let notice = done_notice(
        &visit,
        &[
            (
                "approved",
                "Approved. The servicer may create production tenants now.",
            ),
            ("suspended", "Suspended. All its calls are refused now."),
            ("resumed", "Resumed. Its calls are served again."),
        ],
    );
    let now = visit.now;
    Ok(Page::new(Frame::Admin, "Servicers", move || {
        let body = if rows.is_empty() && query.is_empty() {
            view! {
                <Empty icon="admin" title="No servicer yet">
                    <p>"Servicers appear when somebody starts on the landing page, or when you create one."</p>
                </Empty>
            }
            .into_any()
        } else {
            view! {
                <Search action=links::ADMIN_SERVICERS label="Name, id or owner" query=query.clone() />
                {table(rows, &query, now)}
            }
            .into_any()
        };
        view! {
            {notice}
            <PageHead
                title="Servicers"
                lead="Companies registered with this middleware. Approval opens production to them."
            >
                <a class="btn primary" href=links::ADMIN_NEW_SERVICER>
                    "Create servicer"
                </a>
            </PageHead>
            {body}
        }
    })
    .wide()
    .into())
}

fn table(rows: Vec<ServicerRow>, query: &str, now: DateTime<Utc>) -> impl IntoView + use<> {
    let columns = vec![
        TableColumn::text("Servicer"),
        TableColumn::text("State"),
        TableColumn::text("Owner"),
        TableColumn::number("Tenants"),
        TableColumn::number("Requests, 24 h"),
        TableColumn::actions("Decide"),
    ];
    let none = rows.is_empty().then(|| {
        let sentence = format!("No servicer matches “{query}”.");
        let columns = columns.len();
        view! { <NoMatch columns=columns sentence=sentence all=links::ADMIN_SERVICERS label="Show all servicers" /> }
    });
    let rows = rows.into_iter().map(|row| line(row, now)).collect_view();
    view! {
        <Table caption="Servicers" columns=columns folds=true>
            {rows}
            {none}
        </Table>
    }
}

fn line(row: ServicerRow, now: DateTime<Utc>) -> impl IntoView {
    let acts = acts(&row);
    let country = country::name(&row.country);
    let about = match country {
        Some(country) => format!("{}, {country}", row.kind),
        None => row.kind.to_string(),
    };
    let owner = match row.owner {
        Some(owner) if row.owner_confirmed => owner,
        Some(owner) => format!("{owner} (not confirmed)"),
        None => "nobody yet".into(),
    };
    view! {
        <tr>
            <th scope="row">
                <div class="break">{row.name}</div>
                <code class="faint nowrap">{row.id.to_string()}</code>
                <div class="faint">
                    {about}
                    ", registered "
                    <Ago at=row.created_at now=now />
                </div>
            </th>
            <td>{servicer_chip(row.status)}</td>
            <td class="break">{owner}</td>
            <td class="num" data-label="Tenants">{group(row.tenants)}</td>
            <td class="num" data-label="Requests">{group(row.requests_24h)}</td>
            <td class="num">
                <div class="actions end">{acts}</div>
            </td>
        </tr>
    }
}

/// Renders the buttons for what an operator may do to a servicer in its present state.
fn acts(row: &ServicerRow) -> impl IntoView + use<> {
    let (id, name) = (row.id, row.name.clone());
    let post = |act: &str, label: &'static str| {
        let spoken = format!("{label} {name}");
        view! {
            <PostButton
                action=links::ADMIN_SERVICERS
                label=label
                spoken=spoken
                fields=vec![("act", act.to_owned()), ("servicer", id.to_string())]
            />
        }
    };
    let suspend = view! {
        <a class="btn quiet" href=links::suspend_servicer(id) aria-label=format!("Suspend {name}")>
            "Suspend"
        </a>
    };
    match row.status {
        // Nobody knows yet whose it is: there is nothing to approve.
        ServicerStatus::Sandbox if row.owner.is_some() && !row.owner_confirmed => {
            suspend.into_any()
        }
        ServicerStatus::Sandbox => view! {
            {post("approve", "Approve")}
            {suspend}
        }
        .into_any(),
        ServicerStatus::Approved => suspend.into_any(),
        ServicerStatus::Suspended => post("resume", "Resume").into_any(),
    }
}

pub(super) async fn create(visit: Visit) -> ScreenResult {
    let actor = visit.actor()?.admin()?;
    let Some(fields) = visit.form.clone() else {
        let preselected = [("kind", ServicerKind::Consumer.as_str())];
        return Ok(create_page(Form::fresh(&preselected)).into());
    };
    let name = fields.get("name").trim().to_owned();
    let kind = fields.parse_or("kind", ServicerKind::Consumer)?;
    let created = visit
        .portal
        .create_servicer(actor, &name, kind, &visit.source)
        .await;
    match created {
        Ok(created) => Ok(created_page(name, created).into()),
        Err(error) => Ok(create_page(Form::refused(fields, error)?).into()),
    }
}

fn create_page(form: Form) -> Page {
    let shown = form.clone();
    form.status(
        Page::new(Frame::Admin, "Create servicer", move || {
            let kinds = vec![
                Choice::new(ServicerKind::Consumer.as_str(), "Consumer")
                    .about("Uses skills: a fintech."),
                Choice::new(ServicerKind::Provider.as_str(), "Provider")
                    .about("Supplies skills: a bank, an insurer."),
                Choice::new(ServicerKind::Both.as_str(), "Both").about("Does both."),
            ];
            view! {
                <PageHead
                    title="Create servicer"
                    lead="You get its id and a one-time claim token to hand to its first developer."
                />
                <form method="post" action=links::ADMIN_NEW_SERVICER class="form">
                    <ErrorSummary errors=shown.errors(&["name", "kind"]) />
                    <Field
                        entry=shown.entry("name")
                        label="Company name"
                        maxlength="120"
                        autocomplete="off"
                    />
                    <ChoiceGroup entry=shown.entry("kind") label="Kind" choices=kinds />
                    <div class="actions">
                        <button class="btn primary">"Create servicer"</button>
                        <a class="btn quiet" href=links::ADMIN_SERVICERS>
                            "Cancel"
                        </a>
                    </div>
                </form>
            }
        })
        .under("Servicers", links::ADMIN_SERVICERS),
    )
}

/// The answer to the form: the only page that ever shows the claim token.
fn created_page(name: String, created: CreatedServicer) -> Page {
    Page::new(Frame::Admin, format!("Claim token · {name}"), move || {
        let once = || view! { <Chip tone=Tone::Err plain=true text="Shown once" /> }.into_any();
        let expiry = format!(
            "Works once, until {}.",
            time::full(created.claim_expires_at)
        );
        view! {
            <PageHead
                title=format!("{name} is registered")
                lead="Hand these to its first developer over a channel you trust. The token is not shown again."
            >
                <a class="btn primary" href=links::ADMIN_SERVICERS>
                    "I have handed them over"
                </a>
            </PageHead>
            <section class="card reveal" aria-labelledby="claim">
                <div class="bar">
                    <h2 id="claim">"What its first developer needs"</h2>
                </div>
                {key_row(
                    "servicer_id",
                    created.id.to_string(),
                    view! { <Chip plain=true text="No secret" /> }.into_any(),
                    "Names the servicer. Lets nobody in by itself.",
                )}
                {key_row("claim_token", created.claim_token, once(), expiry)}
                {key_row(
                    "sign_up_url",
                    created.sign_up_url,
                    once(),
                    "The sign-up page with both filled in.",
                )}
            </section>
        }
    })
    .under("Servicers", links::ADMIN_SERVICERS)
}

pub(super) async fn suspend(visit: Visit) -> ScreenResult {
    let actor = visit.actor()?.admin()?;
    let id: ServicerId = visit.param("servicer")?;
    let rows = visit.portal.servicers(actor, &id.to_string()).await?;
    let row = rows
        .into_iter()
        .find(|row| row.id == id)
        .ok_or(PortalError::NotFound)?;
    if row.status == ServicerStatus::Suspended {
        let why = format!(
            "{} is suspended already. Resume it in the list of servicers.",
            row.name
        );
        return Ok(already(why).into());
    }
    let Some(fields) = visit.form.clone() else {
        return Ok(suspend_page(Form::default(), row).into());
    };
    let suspended = visit
        .portal
        .suspend_servicer(actor, id, fields.get("reason").trim(), &visit.source)
        .await;
    match suspended {
        Ok(()) => Ok(Answer::See(links::with(
            links::ADMIN_SERVICERS,
            "done",
            "suspended",
        ))),
        Err(error) => Ok(suspend_page(Form::refused(fields, error)?, row).into()),
    }
}

/// The page for what has been done already: the list shows how things stand, and what can be done.
fn already(why: String) -> Page {
    Page::new(Frame::Admin, "Done already", move || {
        view! {
            <PageHead title="Done already" lead=why>
                <a class="btn primary" href=links::ADMIN_SERVICERS>
                    "Go to the servicers"
                </a>
            </PageHead>
        }
    })
    .under("Servicers", links::ADMIN_SERVICERS)
    .status(409)
}

fn suspend_page(form: Form, row: ServicerRow) -> Page {
    let shown = form.clone();
    form.status(
        Page::new(Frame::Admin, format!("Suspend · {}", row.name), move || {
            let lead = format!(
                "All calls of its {} tenants are refused within a second; its portal becomes read-only. You can undo this.",
                group(row.tenants)
            );
            view! {
                <PageHead title=format!("Suspend {}", row.name) lead=lead />
                <form method="post" action=links::suspend_servicer(row.id) class="form">
                    <ErrorSummary errors=shown.errors(&["reason"]) />
                    <TextArea
                        entry=shown.entry("reason")
                        label="Reason"
                        hint="The servicer is shown this text."
                    />
                    <div class="actions">
                        <button class="btn danger">"Suspend servicer"</button>
                        <a class="btn quiet" href=links::ADMIN_SERVICERS>
                            "Cancel"
                        </a>
                    </div>
                </form>
            }
        })
        .under("Servicers", links::ADMIN_SERVICERS),
    )
}
