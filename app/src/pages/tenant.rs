//! One tenant: the head and tabs that its pages share, and the first of them.

use leptos::prelude::*;

use super::components::{done_notice, environment_chip, paused_chip};
use super::requests::{Beside, request_rows};
use super::{Frame, Page, ScreenResult, Visit};
use crate::domain::ids::TenantId;
use crate::domain::tenant::Environment;
use crate::islands::CopyButton;
use crate::links;
use crate::portal::requests::{RequestFilter, RequestRow};
use crate::portal::tenants::Tenant;
use crate::ui::{CodeBlock, Empty, Facts, PageHead, Tab, Tabs, time};

/// Tab of a tenant's page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TenantTab {
    Overview,
    Keys,
    Skills,
    Settings,
}

/// Loads the tenant that the path names.
pub(super) async fn load(visit: &Visit) -> Result<Tenant, crate::portal::PortalError> {
    let id: TenantId = visit.param("tenant")?;
    visit.portal.tenant(visit.actor()?, id).await
}

/// A page of a tenant: its head, its tabs, then what this one is about.
pub(super) fn tenant_page<V: IntoView + 'static>(
    tenant: &Tenant,
    tab: TenantTab,
    body: impl FnOnce() -> V + Send + 'static,
) -> Page {
    let (name, at) = match tab {
        TenantTab::Overview => ("", None),
        TenantTab::Keys => ("Keys · ", Some(())),
        TenantTab::Skills => ("Skills · ", Some(())),
        TenantTab::Settings => ("Settings · ", Some(())),
    };
    let shown = tenant.clone();
    let mut page = Page::new(Frame::App, format!("{name}{}", tenant.name), move || {
        view! {
            {head(&shown, tab)}
            {body()}
        }
    })
    .within(tenant.environment)
    .under("Tenants", links::TENANTS);
    if at.is_some() {
        page = page.under(tenant.name.clone(), links::tenant(tenant.id));
    }
    page
}

fn head(tenant: &Tenant, tab: TenantTab) -> impl IntoView + use<> {
    let id = tenant.id;
    let chips = view! {
        {environment_chip(tenant.environment)}
        " "
        {paused_chip(tenant.status)}
    }
    .into_any();
    let tabs = vec![
        Tab::new("Overview", links::tenant(id), tab == TenantTab::Overview),
        Tab::new("Keys", links::tenant_keys(id), tab == TenantTab::Keys),
        Tab::new(
            format!("Skills {}", tenant.skills.len()),
            links::tenant_skills(id),
            tab == TenantTab::Skills,
        ),
        Tab::new(
            "Settings",
            links::tenant_settings(id),
            tab == TenantTab::Settings,
        ),
    ];
    let sandbox = tenant.environment == Environment::Sandbox;
    view! {
        <PageHead title=tenant.name.clone() beside=chips>
            <a class="btn" href=links::tenant_requests(id)>
                "Requests"
            </a>
            {sandbox
                .then(|| {
                    view! {
                        <a class="btn" href=links::tenant_console(id)>
                            "Open in console"
                        </a>
                    }
                })}
        </PageHead>
        <Tabs label="Tenant" tabs=tabs />
    }
}

pub(super) async fn overview(visit: Visit) -> ScreenResult {
    let tenant = load(&visit).await?;
    let filter = RequestFilter {
        tenant: Some(tenant.id),
        ..RequestFilter::default()
    };
    let mut calls = visit.portal.requests(visit.actor()?, &filter).await?;
    calls.truncate(8);
    let notice = done_notice(&visit, &[("created", "The tenant was created.")]);
    let api = visit.site.public_url.clone();
    let shown = tenant.clone();
    Ok(tenant_page(&tenant, TenantTab::Overview, move || {
        view! {
            {notice}
            {facts(&shown)}
            <section class="section">
                <h2>"Latest calls"</h2>
                {latest(&shown, calls, &api)}
            </section>
        }
    })
    .into())
}

fn facts(tenant: &Tenant) -> impl IntoView + use<> {
    let id = view! {
        <code id="client_id">{tenant.id.to_string()}</code>
        " "
        <CopyButton from="client_id".to_owned() label="Copy client_id".to_owned() />
    };
    let skills = if tenant.skills.is_empty() {
        view! {
            "None yet. "
            <a href=links::tenant_skills(tenant.id)>"Choose skills"</a>
        }
        .into_any()
    } else {
        tenant
            .skills
            .iter()
            .map(|allowed| {
                view! {
                    <div class="roomy">
                        <a class="mono" href=links::skill(&allowed.skill)>
                            {allowed.skill.to_string()}
                        </a>
                    </div>
                }
            })
            .collect_view()
            .into_any()
    };
    let made = time::full(tenant.created_at);
    view! {
        <div class="card">
            <div class="pad">
                <Facts facts=vec![
                    ("client_id", view! { <span class="actions">{id}</span> }.into_any()),
                    ("Whitelisted skills", skills),
                    ("Created", made.into_any()),
                ] />
            </div>
        </div>
    }
}

fn latest(tenant: &Tenant, calls: Vec<RequestRow>, api: &str) -> AnyView {
    if !calls.is_empty() {
        return request_rows("Latest calls", calls, &Beside::Nothing).into_any();
    }
    let skill = tenant.skills.first().map_or_else(
        || "xyz_ro_aisp_sbx_#1.0".to_owned(),
        |s| s.skill.to_string(),
    );
    let id = tenant.id;
    let curl = format!(
        "curl {api}/v1/sessions --json '{{\n  \"client_id\": \"{id}\",\n  \
         \"client_app_key\": \"'\"$TESSERA_CLIENT_APP_KEY\"'\",\n  \"skill\": \"{skill}\"\n}}'"
    );
    view! {
        <Empty icon="requests" title="No call yet">
            <p>"Send one from your own code, or from the console. It is here within a second."</p>
            <CodeBlock id="first-call" code=curl label="curl" />
        </Empty>
    }
    .into_any()
}
