//! Rotating a key: a second one beside the first, which goes on for as long as the developer chooses.

use chrono::{DateTime, Duration, Utc};
use leptos::prelude::*;

use super::{in_keys, use_note};
use crate::domain::ids::KeyId;
use crate::domain::key::KeyKind;
use crate::links;
use crate::pages::components::{NextLink, dotenv_button, key_purpose, leave_form, made_key};
use crate::pages::tenant::load;
use crate::pages::{Answer, Frame, Page, ScreenResult, Visit};
use crate::portal::PortalError;
use crate::portal::tenants::{NewKey, Replaces, Rotation, Tenant, TenantKey};
use crate::ui::{Choice, ChoiceGroup, FormField, Notice, PageHead, Until};

/// Returns the choices for the time in which the old key still works, the preselected one first.
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
    let (none, stop) = choice(Duration::zero(), "Revoke immediately (key leaked)");
    let about = "Everything that still calls with the old one fails within a second.";
    choices.push((none, stop.about(about).danger()));
    choices
}

pub(in crate::pages) async fn screen(visit: Visit) -> ScreenResult {
    let tenant = load(&visit).await?;
    let kind: KeyKind = visit.param("kind")?;
    let Some(form) = &visit.form else {
        return confirm_rotation(&visit, &tenant, kind, None).await;
    };
    let chosen = overlaps(kind)
        .into_iter()
        .find(|(_, choice)| choice.value == form.get("overlap"));
    let Some((overlap, _)) = chosen else {
        let why = "Choose for how long the old key keeps working.";
        return confirm_rotation(&visit, &tenant, kind, Some(why)).await;
    };
    if sent_again(&visit, &tenant, kind).await? {
        return Ok(been_here(&tenant));
    }
    let replaces = form.parse("key").map_or(Replaces::Nothing, Replaces::Key);
    let rotation = Rotation { overlap, replaces };
    let rotated = visit
        .portal
        .rotate_key(visit.actor()?, tenant.id, kind, rotation, &visit.source)
        .await;
    match rotated {
        Ok(rotated) => Ok(rotated_page(&tenant, rotated, visit.now).into()),
        Err(PortalError::Conflict(_)) if sent_again(&visit, &tenant, kind).await? => {
            Ok(been_here(&tenant))
        }
        Err(error) => Err(error),
    }
}

/// The answer to a form whose key was rotated already: by the same form, most likely, whose answer showed the new key.
fn been_here(tenant: &Tenant) -> Answer {
    let keys = links::tenant_keys(tenant.id);
    Answer::See(links::with(&keys, "done", "unsaved"))
}

/// Returns `true` if the form names a key that is no longer the newest: its answer was reloaded, and the key that it
/// made once must not be replaced by that.
async fn sent_again(visit: &Visit, tenant: &Tenant, kind: KeyKind) -> Result<bool, PortalError> {
    let keys = visit.portal.keys(visit.actor()?, tenant.id).await?;
    let replaced = visit.form.as_ref().map(|form| form.get("key"));
    Ok(replaced != Some(newest(&keys, kind).as_str()))
}

/// The id of the newest live key of a kind; empty where there is none.
fn newest(keys: &[TenantKey], kind: KeyKind) -> String {
    let key = keys.iter().find(|key| key.kind == kind);
    key.map(|key| key.id.to_string()).unwrap_or_default()
}

/// `wrong`: what was wrong with the form, if one was sent.
async fn confirm_rotation(
    visit: &Visit,
    tenant: &Tenant,
    kind: KeyKind,
    wrong: Option<&'static str>,
) -> ScreenResult {
    let keys = visit.portal.keys(visit.actor()?, tenant.id).await?;
    let mut live = keys.iter().filter(|key| key.kind == kind);
    if let (Some(_), Some(older)) = (live.next(), live.next()) {
        return Ok(two_live(tenant, kind, older.id).into());
    }
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
    let entry = FormField {
        name: "overlap".into(),
        value,
        error: wrong.map(str::to_owned),
        first_error: wrong.is_some(),
    };
    let status = if wrong.is_some() { 422 } else { 200 };
    let (id, tenant_name, now) = (tenant.id, tenant.name.clone(), visit.now);
    let page = Page::new(
        Frame::App,
        format!("Rotate {name} · {tenant_name}"),
        move || {
            let use_now = current.map(|key| {
                view! { <p class="muted">{use_note(id, &key, now)}</p> }
            });
            view! {
                <PageHead
                    title=format!("Rotate {name} of {tenant_name}")
                    lead="A new key is created and works at once. The old key keeps working for as long as you choose."
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
                        label="The old key keeps working for"
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
    Ok(in_keys(page, tenant).status(status).into())
}

/// The page for a key that cannot be rotated yet: two of its kind work.
fn two_live(tenant: &Tenant, kind: KeyKind, older: KeyId) -> Page {
    let (id, name) = (tenant.id, tenant.name.clone());
    let page = Page::new(Frame::App, format!("Rotate {kind} · {name}"), move || {
        view! {
            <PageHead
                title=format!("Rotate {kind} of {name}")
                lead=format!("Two {kind}s work already: stop the older one, or wait until its overlap ends, then rotate again.")
            />
            <div class="actions">
                <a class="btn primary" href=links::stop_key(id, older)>
                    "Stop the older one…"
                </a>
                <a class="btn quiet" href=links::tenant_keys(id)>
                    "Back to the keys"
                </a>
            </div>
        }
    });
    in_keys(page, tenant)
}

/// For a key that is not needed any more, or leaked with nothing to take its place.
fn stop_instead(stop: String) -> impl IntoView {
    view! {
        <p class="muted">
            "Not needed any more? " <a href=stop>"Revoke without replacing"</a> "."
        </p>
    }
}

/// Links from the page with a rotated secret.
const WITH_ROTATED: &[NextLink] = &[("keys", "Back to the keys", "btn primary")];

fn rotated_page(tenant: &Tenant, new: NewKey, now: DateTime<Utc>) -> Page {
    let (id, name) = (tenant.id, tenant.name.clone());
    let (kind, once) = (new.kind.as_str(), new.kind == KeyKind::Secret);
    // An app key can be read again at any time: nobody is kept on its page.
    let frame = if once { Frame::Focus } else { Frame::App };
    let page = Page::new(frame, format!("New {kind} · {name}"), move || {
        let old = match new.old_ends_at {
            Some(at) if at > now => view! {
                "Both work now. The old one ends "
                <Until at=at now=now />
                "; the keys page shows who still uses it."
            }
            .into_any(),
            _ => "The old one is refused from now on.".into_any(),
        };
        let file = once.then(|| dotenv_button(id, new.value.clone()));
        let onward = if once {
            leave_form(id, WITH_ROTATED).into_any()
        } else {
            view! {
                <div class="actions section">
                    <a class="btn primary" href=links::tenant_keys(id)>
                        "Back to the keys"
                    </a>
                </div>
            }
            .into_any()
        };
        view! {
            <PageHead title=format!("{kind} rotated")>{file}</PageHead>
            {made_key(new.kind, new.value, key_purpose(new.kind).to_owned())}
            <p class="muted">{old}</p>
            {onward}
        }
    });
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
