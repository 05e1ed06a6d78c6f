//! The keys of a tenant: what they are, where each may live, who still uses the old one, and how to change them
//! without breaking a running app.

mod dotenv;
mod rotate;
mod saved;
mod stop;

use chrono::{DateTime, Duration, Utc};
use leptos::prelude::*;

pub(super) use dotenv::screen as dotenv;
pub(super) use rotate::screen as rotate;
pub(super) use saved::screen as saved;
pub(super) use stop::screen as stop;

use super::components::{done_notice, holder_chip, key_chip, key_row};
use super::requests::{Beside, request_rows};
use super::tenant::{TenantTab, load, tenant_page};
use super::{Page, ScreenResult, Visit};
use crate::domain::ids::{KeyId, TenantId};
use crate::domain::key::{KeyKind, KeyShape};
use crate::domain::tenant::Environment;
use crate::islands::CopyButton;
use crate::links;
use crate::portal::PortalError;
use crate::portal::requests::{RequestFilter, RequestRow};
use crate::portal::tenants::{Tenant, TenantKey};
use crate::ui::number::group;
use crate::ui::{Ago, Chip, Notice, Tone, time};

/// Time for which an old key must not have been used before it is called safe to end.
const SILENCE: Duration = Duration::hours(1);
/// Highest number of the latest calls that are shown.
const LATEST: usize = 8;

pub(super) async fn list(visit: Visit) -> ScreenResult {
    let tenant = load(&visit).await?;
    let keys = visit.portal.keys(visit.actor()?, tenant.id).await?;
    let calls = latest_calls(&visit, &tenant, &keys).await?;
    let notice = done_notice(&visit, &[("stopped", "That key is refused from now on.")]);
    let unsaved = (visit.query.get("done") == "unsaved").then(|| unsaved_notice(tenant.id));
    let registered = (visit.query.get("done") == "registered").then(registered_notice);
    let now = visit.now;
    let shown = tenant.clone();
    Ok(tenant_page(&tenant, TenantTab::Keys, move || {
        view! {
            {notice}
            {unsaved}
            {registered}
            <p class="muted">
                "Three values identify and authorise this tenant. Only two of them may leave your server."
            </p>
            <section class="card section" aria-labelledby="keys">
                <h2 class="sr-only" id="keys">"Keys"</h2>
                {client_id_row(shown.id)}
                {[KeyKind::AppKey, KeyKind::Secret]
                    .into_iter()
                    .map(|kind| rows_of_kind(&shown, &keys, kind, now))
                    .collect_view()}
            </section>
            <section class="section">
                <h2>"Recent calls with these keys"</h2>
                {calls_of_keys(&keys, calls)}
            </section>
        }
    })
    .into())
}

/// Renders a notice for those who left the page of a secret without saying that they kept it.
fn unsaved_notice(tenant: TenantId) -> impl IntoView {
    let rotate = links::rotate_key(tenant, KeyKind::Secret);
    view! {
        <Notice tone=Tone::Warn title="Do you have the client_secret?">
            <p>
                "It is not shown again. If you have not saved it, " <a href=rotate>"rotate it"</a>
                " to get a new one."
            </p>
        </Notice>
    }
}

/// Renders a notice for those who sent the form of the start while they were signed in.
fn registered_notice() -> impl IntoView {
    view! {
        <Notice title="You are signed in already">
            <p>
                "So nothing was registered again: this is your first tenant. To register somebody else, "
                <a href=links::SIGN_OUT>"sign out"</a> " first."
            </p>
        </Notice>
    }
}

/// The newest calls that the live keys authorised.
async fn latest_calls(
    visit: &Visit,
    tenant: &Tenant,
    keys: &[TenantKey],
) -> Result<Vec<RequestRow>, PortalError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let filter = RequestFilter {
        tenant: Some(tenant.id),
        keys: keys.iter().map(|key| key.id).collect(),
        ..RequestFilter::default()
    };
    let mut calls = visit.portal.requests(visit.actor()?, &filter).await?;
    calls.truncate(LATEST);
    Ok(calls)
}

fn calls_of_keys(keys: &[TenantKey], calls: Vec<RequestRow>) -> AnyView {
    if calls.is_empty() {
        return view! {
            <p class="muted">
                "None yet. Steps are authorised by a nonce and the console uses its own grant, so neither shows here."
            </p>
        }
        .into_any();
    }
    let names: Vec<(KeyId, String)> = keys
        .iter()
        .map(|key| {
            let mark = mark(keys, key);
            (key.id, format!("{} …{}{mark}", key.kind, key.tail))
        })
        .collect();
    request_rows("Recent calls with these keys", calls, &Beside::Key(names)).into_any()
}

/// Returns a suffix that tells two live keys of a kind apart; empty if there is no other.
fn mark(keys: &[TenantKey], key: &TenantKey) -> &'static str {
    let others = keys
        .iter()
        .any(|other| other.kind == key.kind && other.id != key.id);
    match (key.ends_at.is_some(), others) {
        (true, _) => " (old)",
        (false, true) => " (new)",
        (false, false) => "",
    }
}

fn client_id_row(tenant: TenantId) -> AnyView {
    key_row(
        "client_id",
        tenant.to_string(),
        holder_chip(true),
        "Names your tenant. Authorises nothing by itself.",
    )
}

/// One row for each live key of a kind; two while it is being rotated.
fn rows_of_kind(tenant: &Tenant, keys: &[TenantKey], kind: KeyKind, now: DateTime<Utc>) -> AnyView {
    let live: Vec<_> = keys.iter().filter(|key| key.kind == kind).collect();
    if live.is_empty() {
        return none_left(tenant.id, kind).into_any();
    }
    let rotating = live.len() > 1;
    live.into_iter()
        .map(|key| live_row(tenant, key, (rotating, mark(keys, key)), now))
        .collect_view()
        .into_any()
}

fn none_left(tenant: TenantId, kind: KeyKind) -> impl IntoView {
    view! {
        <div class="key">
            <strong class="name">{kind.as_str()}</strong>
            <div class="value">
                <span class="muted">"Stopped. Nothing can call with it."</span>
                <a class="btn primary" href=links::rotate_key(tenant, kind)>
                    "Make a new one"
                </a>
            </div>
            {key_chip(kind)}
        </div>
    }
}

fn live_row(
    tenant: &Tenant,
    key: &TenantKey,
    (rotating, mark): (bool, &'static str),
    now: DateTime<Utc>,
) -> impl IntoView + use<> {
    let name = key.kind.as_str();
    let old = key.ends_at.is_some();
    let id = format!("key-{}", key.id);
    let label = format!("Copy {name}");
    let copy = key
        .value
        .is_some()
        .then(|| view! { <CopyButton from=id.clone() label=label /> });
    let (tenant_id, kind, key_id) = (tenant.id, key.kind, key.id);
    let rotate = (!rotating).then(|| {
        view! {
            <a class="btn" href=links::rotate_key(tenant_id, kind)>
                "Rotate…"
                <span class="sr-only">{name}</span>
            </a>
        }
    });
    let chip = match key.ends_at {
        Some(at) => {
            let text = format!("Ends {}", time::until(at, now));
            view! { <Chip tone=Tone::Warn text=text /> }.into_any()
        }
        None => key_chip(kind),
    };
    let stop = rotating.then(|| {
        view! {
            <a class="btn" href=links::stop_key(tenant_id, key_id)>
                "Stop now…"
                <span class="sr-only">{format!(" {name}{mark}")}</span>
            </a>
        }
    });
    view! {
        <div class=if old { "key ending" } else { "key" }>
            <strong class="name">{name} <span class="faint">{mark}</span></strong>
            <div class="value">
                <code id=id>{shown_value(tenant.environment, key)}</code>
                {copy}
                {rotate}
                {stop}
            </div>
            {chip}
            <p class="note">{use_note(tenant_id, key, now)}</p>
        </div>
    }
}

/// The whole key where that may be shown, else its prefix and last four characters.
fn shown_value(environment: Environment, key: &TenantKey) -> String {
    if let Some(value) = &key.value {
        return value.clone();
    }
    let kind = key.kind;
    let prefix = KeyShape { environment, kind }.prefix();
    format!("{prefix}{}{}", "•".repeat(20), key.tail)
}

/// Renders by whom the key was made and used and, for an old one, whether it may be ended.
fn use_note(tenant: TenantId, key: &TenantKey, now: DateTime<Utc>) -> AnyView {
    let used = match key.last_used_at {
        None => "Never used.".into_any(),
        Some(at) => {
            let by = key.last_used_by.clone().map(|by| {
                view! { " by " <code>{by}</code> }
            });
            let calls = match key.calls_24h {
                1 => "1 call in 24 h".to_owned(),
                calls => format!("{} calls in 24 h", group(calls)),
            };
            view! {
                "Used "
                <Ago at=at now=now />
                {by}
                ". "
                <a href=links::key_requests(tenant, key.id)>{calls}</a>
                "."
            }
            .into_any()
        }
    };
    let made = format!(" Made {} by {}.", time::day(key.created_at), key.created_by);
    let safe = key.ends_at.map(|_| safe_to_end(key, now));
    let once = (key.kind == KeyKind::Secret && key.ends_at.is_none())
        .then_some("Shown once, when it was made. ");
    view! {
        {once}
        {used}
        {key.ends_at.is_none().then_some(made)}
        {safe}
    }
    .into_any()
}

fn safe_to_end(key: &TenantKey, now: DateTime<Utc>) -> String {
    match key.last_used_at {
        None => " Safe to end: nothing ever called with it.".into(),
        Some(at) if now - at >= SILENCE => {
            format!(
                " Safe to end: no call with it for {}.",
                time::span(now - at)
            )
        }
        Some(_) => " Not safe to end yet: something still calls with it.".into(),
    }
}

/// The place of a page that is about one key.
fn in_keys(page: Page, tenant: &Tenant) -> Page {
    page.within(tenant.environment)
        .under("Tenants", links::TENANTS)
        .under(tenant.name.clone(), links::tenant(tenant.id))
        .under("Keys", links::tenant_keys(tenant.id))
}
