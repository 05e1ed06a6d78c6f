//! The settings of a tenant: its name, its links and origins, and the switch that pauses it.

use leptos::prelude::*;

use super::components::done_notice;
use super::form::Form;
use super::tenant::{TenantTab, load, tenant_page};
use super::{Answer, FormFields, Page, ScreenResult, Visit};
use crate::domain::signature::SignatureTerms;
use crate::domain::tenant::TenantStatus;
use crate::links;
use crate::portal::tenants::Tenant;
use crate::portal::{PortalError, PortalResult};
use crate::ui::{Choice, ChoiceGroup, ErrorSummary, Field, TextArea, Tick};

const FIELDS: &[&str] = &[
    "name",
    "redirect_links",
    "origins",
    "networks",
    "signature_seconds",
];

pub(super) async fn screen(visit: Visit) -> ScreenResult {
    let tenant = load(&visit).await?;
    let terms = visit
        .portal
        .signature_terms(visit.actor()?, tenant.id)
        .await?;
    let Some(fields) = visit.form.clone() else {
        let form = Form::fresh(&as_stored(&tenant, terms));
        return Ok(page(&visit, &tenant, form, None).into());
    };
    match change(&visit, &tenant, &fields).await {
        Ok(done) => {
            let to = links::with(&links::tenant_settings(tenant.id), "done", done);
            Ok(Answer::See(to))
        }
        Err(error) => {
            // Read again: what somebody else stored meanwhile stands beside what was typed here.
            let tenant = load(&visit).await?;
            let terms = visit
                .portal
                .signature_terms(visit.actor()?, tenant.id)
                .await?;
            // The form that was not sent is shown as it is stored, below what was typed into the other.
            let stored = as_stored(&tenant, terms);
            let rest = stored
                .iter()
                .filter(|(name, _)| !fields.0.iter().any(|(sent, _)| sent == name))
                .map(|(name, value)| ((*name).to_owned(), value.clone()));
            let mut typed = fields.clone();
            typed.0.extend(rest);
            let newer = matches!(error, PortalError::Conflict(_)).then(|| stored.clone());
            Ok(page(&visit, &tenant, Form::refused(typed, error)?, newer).into())
        }
    }
}

/// Does what the sent form is about; answers the word for what was done.
async fn change(visit: &Visit, tenant: &Tenant, fields: &FormFields) -> PortalResult<&'static str> {
    let (actor, id, source) = (visit.actor()?, tenant.id, &visit.source);
    // A form without it was not made by this page: it is as old as can be.
    let version = fields.parse("version").unwrap_or(0);
    match fields.get("act") {
        "rename" => {
            let name = fields.get("name").trim();
            visit
                .portal
                .rename_tenant(actor, id, version, name, source)
                .await?;
            Ok("renamed")
        }
        "links" => {
            fields.sent("redirect_links")?;
            fields.sent("origins")?;
            let both = (fields.lines("redirect_links"), fields.lines("origins"));
            visit
                .portal
                .set_links(actor, id, version, both, source)
                .await?;
            Ok("links")
        }
        "networks" => {
            fields.sent("networks")?;
            let networks = fields.lines("networks");
            let leaves_me_out = fields.get("leaves_me_out") == "on";
            visit
                .portal
                .set_networks(actor, id, version, (networks, leaves_me_out), source)
                .await?;
            Ok("networks")
        }
        "signing" => {
            let demanded = fields.chosen("signed_only", &["yes", "no"])? == "yes";
            let seconds = fields.get("signature_seconds");
            visit
                .portal
                .set_signature_terms(actor, id, version, (demanded, seconds), source)
                .await?;
            Ok("signing")
        }
        "pause" => {
            visit.portal.pause_tenant(actor, id, true, source).await?;
            Ok("paused")
        }
        "resume" => {
            visit.portal.pause_tenant(actor, id, false, source).await?;
            Ok("resumed")
        }
        _ => Err(PortalError::NotFound),
    }
}

/// The settings as they are stored, by the names of their fields.
type Stored = Vec<(&'static str, String)>;

fn as_stored(tenant: &Tenant, terms: SignatureTerms) -> Stored {
    vec![
        ("name", tenant.name.clone()),
        ("redirect_links", tenant.redirect_links.join("\n")),
        ("origins", tenant.origins.join("\n")),
        ("networks", tenant.networks.join("\n")),
        ("signature_seconds", terms.seconds.to_string()),
        ("signed_only", yes_or_no(terms.signed_only).to_owned()),
    ]
}

const fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

/// `newer` is what is stored, if a form was refused because it is not what the form was made from.
fn page(visit: &Visit, tenant: &Tenant, form: Form, newer: Option<Stored>) -> Page {
    let notice = done_notice(
        visit,
        &[
            ("renamed", "Renamed."),
            (
                "links",
                "Saved. The new links and origins are in effect now.",
            ),
            ("signing", "Saved. Applies from the next call."),
            ("networks", "Saved. Applies from the next call."),
            (
                "paused",
                "Paused. Every call of this tenant is refused now.",
            ),
            ("resumed", "Resumed. Calls of this tenant are served again."),
        ],
    );
    let (here, shown) = (links::tenant_settings(tenant.id), form.clone());
    let (paused, version) = (tenant.status == TenantStatus::Paused, tenant.version);
    let source = visit.source.ip.clone();
    form.status(tenant_page(tenant, TenantTab::Settings, move || {
        view! {
            {notice}
            <ErrorSummary errors=shown.errors(FIELDS) />
            {newer.map(stored_now)}
            {name_setting(&here, &shown, version)}
            {links_setting(&here, &shown, version)}
            {networks_setting(&here, &shown, &source, version)}
            {signing_setting(&here, &shown, version)}
            {pause_setting(&here, paused)}
        }
    }))
}

/// Renders the stored settings beside a form that was made from older ones.
pub(super) fn stored_now(stored: Stored) -> impl IntoView {
    const WORDS: &[(&str, &str)] = &[
        ("name", "Name"),
        ("redirect_links", "Redirect links"),
        ("origins", "Web origins"),
        ("networks", "Networks"),
        ("signature_seconds", "Maximum signature age (seconds)"),
        ("signed_only", "Signed only"),
        ("consent_duration", "Consent lifetime (days)"),
        ("cache_max_data_retention", "Data retention (days)"),
    ];
    let rows = stored
        .into_iter()
        .map(|(name, value)| {
            let label = WORDS.iter().find(|(known, _)| *known == name);
            let label = label.map_or(name, |(_, label)| *label);
            let lines: Vec<_> = value.lines().map(str::to_owned).collect();
            let lines = lines.into_iter().map(|line| view! { <div>{line}</div> });
            view! {
                <dt>{label}</dt>
                <dd>{lines.collect_view()}</dd>
            }
        })
        .collect_view();
    view! {
        <section class="card" aria-labelledby="stored-now">
            <div class="bar">
                <h2 id="stored-now">"Stored now"</h2>
            </div>
            <dl class="facts-list">{rows}</dl>
        </section>
    }
}

fn version_field(version: i64) -> impl IntoView {
    view! { <input type="hidden" name="version" value=version.to_string() /> }
}

fn name_setting(here: &str, form: &Form, version: i64) -> impl IntoView + use<> {
    view! {
        <section class="setting" aria-labelledby="name-title">
            <div>
                <h2 id="name-title">"Name"</h2>
                <p>"Seen by your team only."</p>
            </div>
            <form method="post" action=here.to_owned() class="form">
                <input type="hidden" name="act" value="rename" />
                {version_field(version)}
                <Field entry=form.entry("name") label="Name" maxlength="80" autocomplete="off" />
                <div class="actions">
                    <button class="btn">"Save name"</button>
                </div>
            </form>
        </section>
    }
}

fn links_setting(here: &str, form: &Form, version: i64) -> impl IntoView + use<> {
    view! {
        <section class="setting" aria-labelledby="links-title">
            <div>
                <h2 id="links-title">"Links and origins"</h2>
                <p>
                    "Banks send the user back to a registered link only, letter by letter the same; the port of a loopback
                    link may differ. Browsers may call from registered origins only."
                </p>
            </div>
            <form method="post" action=here.to_owned() class="form">
                <input type="hidden" name="act" value="links" />
                {version_field(version)}
                <TextArea
                    entry=form.entry("redirect_links")
                    label="Redirect links"
                    hint="One on each line: https://…, http://127.0.0.1/… in the sandbox, or your app’s own scheme."
                    optional=true
                    mono=true
                    rows=5
                />
                <TextArea
                    entry=form.entry("origins")
                    label="Web origins"
                    hint="One on each line, like https://app.example.com; of a hybrid app its web view’s, like capacitor://localhost."
                    optional=true
                    mono=true
                    rows=3
                />
                <div class="actions">
                    <button class="btn">"Save links and origins"</button>
                </div>
            </form>
        </section>
    }
}

fn networks_setting(here: &str, form: &Form, source: &str, version: i64) -> impl IntoView + use<> {
    let mine = format!("Save even if my address of now, {source}, is not among them");
    view! {
        <section class="setting" aria-labelledby="networks-title">
            <div>
                <h2 id="networks-title">"Networks of your server"</h2>
                <p>
                    "Calls with the client_secret are taken from these networks alone; from elsewhere they are refused with 403
                    ip_not_allowed, which names the address. Empty: from everywhere. Calls of browsers and apps are not touched."
                </p>
            </div>
            <form method="post" action=here.to_owned() class="form">
                <input type="hidden" name="act" value="networks" />
                {version_field(version)}
                <TextArea
                    entry=form.entry("networks")
                    label="Networks"
                    hint="One on each line: an address, or a network like 203.0.113.0/24 or 2001:db8::/32."
                    optional=true
                    mono=true
                    rows=3
                />
                <Tick entry=form.entry("leaves_me_out") label=mine />
                <div class="actions">
                    <button class="btn">"Save networks"</button>
                </div>
            </form>
        </section>
    }
}

fn signing_setting(here: &str, form: &Form, version: i64) -> impl IntoView + use<> {
    let choices = vec![
        Choice::new("no", "Accepted at /v1 and at /v1s"),
        Choice::new("yes", "Signed only").about(
            "What your server asks at /v1 is refused with 401 signature_required. Apps that call with the client_app_key or a nonce are not affected.",
        ),
    ];
    view! {
        <section class="setting" aria-labelledby="signing-title">
            <div>
                <h2 id="signing-title">"Signed requests"</h2>
                <p>
                    "Your "<a href=links::SIGNING>"signing keys"</a>" belong to all your tenants. Here you say what this one
                    demands of its own server."
                </p>
            </div>
            <form method="post" action=here.to_owned() class="form">
                <input type="hidden" name="act" value="signing" />
                {version_field(version)}
                <ChoiceGroup
                    entry=form.entry("signed_only")
                    label="Server calls are"
                    choices=choices
                    chosen=form.all("signed_only")
                />
                <Field
                    entry=form.entry("signature_seconds")
                    label="Maximum signature age (seconds)"
                    hint="From 1 to 3600. Sign each request when it is sent, and a minute is plenty."
                    mono=true
                    autocomplete="off"
                    inputmode="numeric"
                />
                <div class="actions">
                    <button class="btn">"Save signing"</button>
                </div>
            </form>
        </section>
    }
}

fn pause_setting(here: &str, paused: bool) -> impl IntoView + use<> {
    let (act, title, about, label) = if paused {
        (
            "resume",
            "Paused",
            "Every call of this tenant is refused with 403 tenant_paused. Keys and consents are kept.",
            "Resume tenant",
        )
    } else {
        (
            "pause",
            "Pause",
            "Refuses every call of this tenant until you resume it. Keys and consents are kept.",
            "Pause tenant",
        )
    };
    view! {
        <section class="setting" aria-labelledby="pause-title">
            <div>
                <h2 id="pause-title">{title}</h2>
                <p>{about}</p>
            </div>
            <form method="post" action=here.to_owned() class="form">
                <input type="hidden" name="act" value=act />
                <div class="actions">
                    <button class="btn">{label}</button>
                </div>
            </form>
        </section>
    }
}
