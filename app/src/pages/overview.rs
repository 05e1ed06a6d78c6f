//! The page after signing in. It has two lives: the way to the first data, then the numbers of the day.

use leptos::prelude::*;

use super::components::done_notice;
use super::start::first_call_button;
use super::tenants::no_tenants;
use super::{Answer, Frame, Page, ScreenResult, Visit, card};
use crate::domain::console::RunStage;
use crate::domain::ids::{RunId, TenantId};
use crate::domain::person::Permission;
use crate::domain::servicer::ServicerStatus;
use crate::links;
use crate::portal::Membership;
use crate::portal::tenants::Overview;
use crate::portal::{Actor, PortalError};
use crate::ui::number::group;
use crate::ui::{Icon, Notice, PageHead, Tone};

pub(super) async fn screen(visit: Visit) -> ScreenResult {
    let actor = visit.actor()?;
    if actor.membership.is_none() {
        return Ok(if actor.admin {
            Answer::See(links::ADMIN_SERVICERS.into())
        } else if actor.verified {
            no_servicer().into()
        } else {
            waiting().into()
        });
    }
    let overview = visit.portal.overview(actor).await?;
    let suspended = actor
        .membership
        .as_ref()
        .filter(|member| member.status == ServicerStatus::Suspended)
        .map(Membership::reason);
    let (unverified, read_only) = (!actor.verified, suspended.is_some());
    let open = open_run(&visit, actor).await?;
    let notice = done_notice(&visit, &[("reset", "Your password is set.")]);
    Ok(Page::new(Frame::App, "Overview", move || {
        let started = overview.first_data_at.is_some();
        let lead = if started {
            "The last 24 hours of all your tenants."
        } else {
            "Five steps from here to a bank’s data."
        };
        view! {
            {notice}
            {suspended.map(suspended_notice)}
            {unverified.then(unverified_notice)}
            <PageHead title="Overview" lead=lead>
                {(!read_only)
                    .then(|| {
                        view! {
                            <a class="btn" href=links::NEW_TENANT>
                                "Create tenant"
                            </a>
                            <a class="btn primary" href=links::CONSOLE>
                                "Open console"
                            </a>
                        }
                    })}
            </PageHead>
            {if started {
                tiles(&overview).into_any()
            } else {
                let numbers = (overview.requests_24h > 0).then(|| tiles(&overview));
                view! {
                    {(!read_only).then(|| checklist(&overview, open))}
                    {numbers.map(|tiles| view! {
                        <section class="section">
                            <h2>"The last 24 hours"</h2>
                            {tiles}
                        </section>
                    })}
                }
                .into_any()
            }}
        }
    })
    .into())
}

fn suspended_notice(reason: String) -> impl IntoView {
    view! {
        <Notice tone=Tone::Err title="This servicer is suspended">
            <p>"Its API calls are refused and the portal is read-only."</p>
            <p class="break">{reason}</p>
        </Notice>
    }
}

/// For an account that works in no servicer: the ways to one.
fn no_servicer() -> Page {
    card::says(
        "Your account isn't part of a servicer",
        "Join the servicer of your company with the id and the claim token that its operators gave out.",
        &[
            ("Join a servicer", links::SIGN_UP),
            ("Go to your settings", links::SETTINGS),
            ("Read the docs", links::DOCS),
        ],
    )
}

/// For an account that joined a servicer and has not confirmed its address.
fn waiting() -> Page {
    card::says(
        "Confirm your email address",
        "Your place in the servicer opens once you have opened the link that we've emailed you. It may take a minute to arrive.",
        &[
            ("Send the email again", links::SETTINGS),
            ("Read the docs", links::DOCS),
        ],
    )
}

fn unverified_notice() -> impl IntoView {
    view! {
        <Notice title="Your email address is not confirmed yet">
            <p>
                "The sandbox works without it; production does not, and an account that is never confirmed ends 30 days after its
                last use. "
                <a href=links::SETTINGS>"Send the email again"</a>
            </p>
        </Notice>
    }
}

/// One step: what it is, whether it has happened, and the button that makes it happen.
struct Step {
    title: &'static str,
    about: String,
    done: bool,
    act: Option<AnyView>,
}

fn checklist(overview: &Overview, open: Option<RunId>) -> AnyView {
    let Some(tenant) = overview.first_tenant else {
        return no_tenants().into_any();
    };
    let steps = steps(overview, tenant, open);
    let next = steps.iter().position(|step| !step.done);
    let rows = steps
        .into_iter()
        .enumerate()
        .map(|(at, step)| {
            let current = Some(at) == next;
            let mark = if step.done {
                view! { <Icon name="check" /> <span class="sr-only">"Done: "</span> }.into_any()
            } else {
                (at + 1).to_string().into_any()
            };
            view! {
                <li class=step.done.then_some("done") aria-current=current.then_some("step")>
                    <span class="mark">{mark}</span>
                    <div>
                        <strong>{step.title}</strong>
                        <p class="about">{step.about}</p>
                    </div>
                    <div class="actions">{(!step.done).then_some(step.act)}</div>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="card" aria-label="Getting started">
            <ol class="checklist">{rows}</ol>
        </section>
    }
    .into_any()
}

/// The newest run of the console that is half done.
async fn open_run(visit: &Visit, actor: &Actor) -> Result<Option<RunId>, PortalError> {
    if actor.may(Permission::UseConsole).is_err() {
        return Ok(None);
    }
    let runs = visit.portal.runs(actor).await?;
    let newest = runs.first().filter(|run| {
        !matches!(
            run.stage,
            RunStage::OpenSession | RunStage::Done | RunStage::DeadEnd
        )
    });
    Ok(newest.map(|run| run.id))
}

fn steps(overview: &Overview, tenant: TenantId, open: Option<RunId>) -> Vec<Step> {
    let go_on = || match open {
        Some(run) => (links::run(run), "Continue the run"),
        None => (links::tenant_console(tenant), "Run in console"),
    };
    let link = |href: String, label: &'static str| {
        Some(view! { <a class="btn" href=href>{label}</a> }.into_any())
    };
    vec![
        Step {
            title: "Create a sandbox tenant",
            about: "It holds your keys and the list of skills it may use.".into(),
            done: true,
            act: None,
        },
        Step {
            title: "Save your keys",
            about: "The secret is shown once. If it is lost, rotate it.".into(),
            done: overview.secret_saved,
            act: link(links::tenant_keys(tenant), "Show keys"),
        },
        Step {
            title: "Make the first call",
            about:
                "Any 2xx with this tenant’s keys counts, from the console or from your own code."
                    .into(),
            done: overview.first_success_at.is_some(),
            act: Some(first_call_button(tenant).into_any()),
        },
        Step {
            title: "Finish a session",
            about: "Go through the sandbox bank’s consent and exchange the temp_token.".into(),
            done: overview.first_exchange_at.is_some(),
            act: link(go_on().0, go_on().1),
        },
        Step {
            title: "Read account data",
            about: "With the access_token and credentials_id of that session.".into(),
            done: overview.first_data_at.is_some(),
            act: link(go_on().0, go_on().1),
        },
    ]
}

fn tiles(overview: &Overview) -> impl IntoView + use<> {
    let tile = |href: &'static str, label: &'static str, figure: String, about: String| {
        view! {
            <a class="tile" href=href>
                <span class="label">{label}</span>
                <span class="figure">{figure}</span>
                <span class="faint">{about}</span>
            </a>
        }
    };
    let errors = overview.errors_24h;
    let rate = percent(errors, overview.requests_24h);
    let p95 = overview
        .p95_ms
        .map_or_else(|| "–".to_owned(), |ms| format!("{ms} ms"));
    view! {
        <div class="tiles">
            {tile(links::REQUESTS, "Requests", group(overview.requests_24h), "in 24 hours".into())}
            {tile(
                "/requests?status=4xx",
                "Errors",
                group(errors),
                format!("{rate} of all requests"),
            )}
            {tile(links::REQUESTS, "Latency", p95, "p95".into())}
            {tile(
                links::REQUESTS,
                "Sessions completed",
                group(overview.sessions_completed_24h),
                format!("of {} started", group(overview.sessions_started_24h)),
            )}
        </div>
    }
}

/// A share in per cent with one decimal.
fn percent(part: i64, whole: i64) -> String {
    if whole <= 0 {
        return "0 %".into();
    }
    let tenths = part.saturating_mul(1000) / whole;
    format!("{}.{} %", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_readable() {
        assert_eq!(group(0), "0");
        assert_eq!(group(999), "999");
        assert_eq!(group(1_204), "1,204");
        assert_eq!(group(-1_234_567), "-1,234,567");
        assert_eq!(percent(0, 0), "0 %");
        assert_eq!(percent(1, 3), "33.3 %");
    }
}
