//! The keys of a tenant: what they are, where each may live, who still uses the old one, and how to change them
//! without breaking a running app.

use chrono::{DateTime, Duration, Utc};
use leptos::prelude::*;

use super::overview::group;
use super::parts::{done_notice, holder_chip, key_chip, key_purpose, key_row, made_key};
use super::tenant::{TenantTab, load, tenant_page};
use super::{Answer, Page, Shown, Visit};
use crate::domain::ids::{KeyId, TenantId};
use crate::domain::key::{KeyKind, KeyShape};
use crate::domain::tenant::Environment;
use crate::islands::CopyButton;
use crate::links;
use crate::portal::Trouble;
use crate::portal::tenants::{Key, NewKey, Tenant};
use crate::ui::{Ago, Chip, Choice, ChoiceGroup, Entry, Icon, Notice, PageHead, Tone, Until, time};

/// How long an old key must have been silent before it is called safe to end.
const SILENCE: Duration = Duration::hours(1);

pub(super) async fn list(visit: Visit) -> Shown {
    let tenant = load(&visit).await?;
    let keys = visit.portal.keys(visit.actor()?, tenant.id).await?;
    let notice = done_notice(&visit, &[("stopped", "That key is refused from now on.")]);
    let now = visit.now;
    let shown = tenant.clone();
    Ok(tenant_page(&tenant, TenantTab::Keys, move || {
        view! {
            {notice}
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
        }
    })
    .into())
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
fn rows_of_kind(tenant: &Tenant, keys: &[Key], kind: KeyKind, now: DateTime<Utc>) -> AnyView {
    let live: Vec<_> = keys.iter().filter(|key| key.kind == kind).collect();
    if live.is_empty() {
        return none_left(tenant.id, kind).into_any();
    }
    let rotating = live.len() > 1;
    live.into_iter()
        .map(|key| live_row(tenant, key, rotating, now))
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
    key: &Key,
    rotating: bool,
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
    let mark = match (old, rotating) {
        (true, _) => " (old)",
        (false, true) => " (new)",
        (false, false) => "",
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
fn shown_value(environment: Environment, key: &Key) -> String {
    if let Some(value) = &key.value {
        return value.clone();
    }
    let kind = key.kind;
    let prefix = KeyShape { environment, kind }.prefix();
    format!("{prefix}{}{}", "•".repeat(20), key.tail)
}

/// Who made the key, who uses it, and, for an old one, whether it may be ended.
fn use_note(tenant: TenantId, key: &Key, now: DateTime<Utc>) -> AnyView {
    let used = match key.last_used_at {
        None => "Never used.".into_any(),
        Some(at) => {
            let by = key.last_used_by.clone().map(|by| {
                view! { " by " <code>{by}</code> }
            });
            let calls = format!("{} calls in 24 h", group(key.calls_24h));
            view! {
                "Used "
                <Ago at=at now=now />
                {by}
                ". "
                <a href=links::tenant_requests(tenant)>{calls}</a>
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

fn safe_to_end(key: &Key, now: DateTime<Utc>) -> String {
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

/// How long the old key may go on: value, label and consequence, the first preselected.
fn overlaps(kind: KeyKind) -> Vec<(Duration, Choice)> {
    let choice = |length: Duration, label: &str| {
        (length, Choice::new(length.num_minutes().to_string(), label))
    };
    let mut choices = match kind {
        KeyKind::Secret => vec![
            choice(Duration::hours(24), "24 hours"),
            choice(Duration::hours(1), "1 hour"),
            choice(Duration::days(7), "7 days"),
        ],
        KeyKind::AppKey => vec![
            choice(Duration::days(30), "30 days"),
            choice(Duration::days(7), "7 days"),
            choice(Duration::days(180), "180 days"),
        ],
    };
    let (none, stop) = choice(Duration::zero(), "Not at all: the old one has leaked");
    let about = "Everything that still calls with the old one fails within a second.";
    choices.push((none, stop.about(about).danger()));
    choices
}

pub(super) async fn rotate(visit: Visit) -> Shown {
    let tenant = load(&visit).await?;
    let kind: KeyKind = visit.param("kind")?;
    let chosen = visit.form.as_ref().unwrap_or(&visit.query).get("overlap");
    let overlap = overlaps(kind)
        .into_iter()
        .map(|(length, choice)| (length, choice.value))
        .find(|(_, value)| value == chosen);
    let Some((overlap, _)) = overlap.filter(|_| visit.form.is_some()) else {
        return confirm_rotation(&visit, &tenant, kind).await;
    };
    if sent_again(&visit, &tenant, kind).await? {
        return Ok(Answer::See(links::tenant_keys(tenant.id)));
    }
    let rotated = visit
        .portal
        .rotate_key(visit.actor()?, tenant.id, kind, overlap, &visit.source)
        .await;
    match rotated {
        Ok(new) => Ok(rotated_page(&tenant, new, visit.now).into()),
        Err(Trouble::ProofNeeded) => {
            let back = links::with(&visit.path, "overlap", chosen);
            Ok(Answer::See(links::with(links::PROVE, "next", &back)))
        }
        Err(trouble) => Err(trouble),
    }
}

/// Whether the form names a key that is no longer the newest: its answer was reloaded, and the key that it made once
/// must not be replaced by that.
async fn sent_again(visit: &Visit, tenant: &Tenant, kind: KeyKind) -> Result<bool, Trouble> {
    let keys = visit.portal.keys(visit.actor()?, tenant.id).await?;
    let replaced = visit.form.as_ref().map(|form| form.get("key"));
    Ok(replaced != Some(newest(&keys, kind).as_str()))
}

/// The id of the newest live key of a kind; empty where there is none.
fn newest(keys: &[Key], kind: KeyKind) -> String {
    let key = keys.iter().find(|key| key.kind == kind);
    key.map(|key| key.id.to_string()).unwrap_or_default()
}

async fn confirm_rotation(visit: &Visit, tenant: &Tenant, kind: KeyKind) -> Shown {
    let keys = visit.portal.keys(visit.actor()?, tenant.id).await?;
    let replaced = newest(&keys, kind);
    let current = keys.into_iter().find(|key| key.kind == kind);
    let name = kind.as_str();
    let choices = overlaps(kind);
    let stop = current
        .as_ref()
        .map(|key| links::stop_key(tenant.id, key.id));
    let asked = visit.query.get("overlap");
    let value = choices
        .iter()
        .map(|(_, choice)| choice.value.as_str())
        .find(|value| *value == asked)
        .or(choices.first().map(|(_, choice)| choice.value.as_str()))
        .unwrap_or_default()
        .to_owned();
    let entry = Entry {
        name: "overlap",
        value,
        ..Entry::default()
    };
    let (id, tenant_name, now) = (tenant.id, tenant.name.clone(), visit.now);
    let page = Page::new(
        super::Frame::App,
        format!("Rotate {name} · {tenant_name}"),
        move || {
            let use_now = current.map(|key| {
                view! { <p class="muted">{use_note(id, &key, now)}</p> }
            });
            view! {
                <PageHead
                    title=format!("Rotate {name} of {tenant_name}")
                    lead="A new one is made and works at once. The old one goes on beside it for as long as you choose."
                />
                <form method="post" action=links::rotate_key(id, kind) class="form">
                    <input type="hidden" name="key" value=replaced />
                    {use_now}
                    {(kind == KeyKind::AppKey)
                        .then(|| {
                            view! {
                                <Notice title="Installed apps carry this key">
                                    <p>"Ship the new one before the old one ends."</p>
                                </Notice>
                            }
                        })}
                    <ChoiceGroup
                        entry=entry
                        label="The old one keeps working for"
                        choices=choices.into_iter().map(|(_, choice)| choice).collect()
                    />
                    <div class="actions">
                        <button class="btn primary">{format!("Rotate {name}")}</button>
                        <a class="btn quiet" href=links::tenant_keys(id)>
                            "Cancel"
                        </a>
                    </div>
                    {stop.map(stop_instead)}
                </form>
            }
        },
    );
    Ok(in_keys(page, tenant).into())
}

/// For a key that is not needed any more, or leaked with nothing to take its place.
fn stop_instead(stop: String) -> impl IntoView {
    view! {
        <p class="muted">
            "Not needed any more? " <a href=stop>"Stop it without making a new one"</a> "."
        </p>
    }
}

fn in_keys(page: Page, tenant: &Tenant) -> Page {
    page.within(tenant.environment)
        .under("Tenants", links::TENANTS)
        .under(tenant.name.clone(), links::tenant(tenant.id))
        .under("Keys", links::tenant_keys(tenant.id))
}

fn rotated_page(tenant: &Tenant, new: NewKey, now: DateTime<Utc>) -> Page {
    let (id, name) = (tenant.id, tenant.name.clone());
    let kind = new.kind.as_str();
    let page = Page::new(
        super::Frame::App,
        format!("New {kind} · {name}"),
        move || {
            let old = match new.old_ends_at {
                Some(at) if at > now => view! {
                    "Both work now. The old one ends "
                    <Until at=at now=now />
                    "; the keys page shows who still uses it."
                }
                .into_any(),
                _ => "The old one is refused from now on.".into_any(),
            };
            view! {
                <PageHead title=format!("{kind} rotated") />
                {made_key(new.kind, new.value, key_purpose(new.kind).to_owned())}
                <p class="muted">{old}</p>
                <div class="actions section">
                    <a class="btn primary" href=links::tenant_keys(id)>
                        "I have saved it"
                    </a>
                </div>
            }
        },
    );
    in_keys(page, tenant)
}

pub(super) async fn stop(visit: Visit) -> Shown {
    let tenant = load(&visit).await?;
    let id: KeyId = visit.param("key")?;
    let actor = visit.actor()?;
    if visit.form.is_some() {
        visit
            .portal
            .stop_key(actor, tenant.id, id, &visit.source)
            .await?;
        let to = links::with(&links::tenant_keys(tenant.id), "done", "stopped");
        return Ok(Answer::See(to));
    }
    let keys = visit.portal.keys(actor, tenant.id).await?;
    let others = |kind| keys.iter().filter(|key| key.kind == kind).count() > 1;
    let key = keys
        .iter()
        .find(|key| key.id == id)
        .ok_or(Trouble::NotFound)?;
    Ok(confirm_stop(&tenant, key, others(key.kind), visit.now).into())
}

fn confirm_stop(tenant: &Tenant, key: &Key, another: bool, now: DateTime<Utc>) -> Page {
    let kind = key.kind.as_str();
    let (id, name, key) = (tenant.id, tenant.name.clone(), key.clone());
    let page = Page::new(
        super::Frame::App,
        format!("Stop {kind} · {name}"),
        move || {
            let then = if another {
                "The other one goes on working."
            } else {
                "There is no other: this tenant cannot call until you make a new one."
            };
            view! {
                <PageHead
                    title=format!("Stop {kind} …{} of {name}", key.tail)
                    lead="Every call with it is refused within a second, everywhere. This cannot be undone."
                />
                <div class="form">
                    <ul class="plain">
                        <li>
                            <Icon name="info" />
                            <span>{use_note(id, &key, now)}</span>
                        </li>
                        <li>
                            <Icon name=if another { "info" } else { "alert" } />
                            <span>{then}</span>
                        </li>
                    </ul>
                    <form method="post" action=links::stop_key(id, key.id) class="actions">
                        <button class="btn danger">{format!("Stop {kind} now")}</button>
                        <a class="btn quiet" href=links::tenant_keys(id)>
                            "Cancel"
                        </a>
                    </form>
                </div>
            }
        },
    );
    in_keys(page, tenant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_stay_within_what_the_service_accepts() {
        for (kind, most) in [(KeyKind::Secret, 7), (KeyKind::AppKey, 180)] {
            for (length, choice) in overlaps(kind) {
                assert!(length <= Duration::days(most), "{}", choice.label);
                assert_eq!(choice.value, length.num_minutes().to_string());
            }
        }
    }
}
