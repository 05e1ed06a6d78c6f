//! Rotating a key: a second one beside the first, which goes on for as long as the developer chooses.

use chrono::{DateTime, Duration, Utc};
use leptos::prelude::*;

use super::{in_keys, use_note};
use crate::domain::key::KeyKind;
use crate::links;
use crate::pages::parts::{Onward, dotenv_button, key_purpose, leave_form, made_key};
use crate::pages::tenant::load;
use crate::pages::{Answer, Frame, Page, Shown, Visit};
use crate::portal::Trouble;
use crate::portal::tenants::{Key, NewKey, Tenant};
use crate::ui::{Choice, ChoiceGroup, Entry, Notice, PageHead, Until};

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
    let (none, stop) = choice(Duration::zero(), "Revoke immediately (key leaked)");
    let about = "Everything that still calls with the old one fails within a second.";
    choices.push((none, stop.about(about).danger()));
    choices
}

pub(in crate::pages) async fn screen(visit: Visit) -> Shown {
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
        .await?;
    Ok(rotated_page(&tenant, rotated, visit.now).into())
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
        name: "overlap".into(),
        value,
        ..Entry::default()
    };
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
    Ok(in_keys(page, tenant).into())
}

/// For a key that is not needed any more, or leaked with nothing to take its place.
fn stop_instead(stop: String) -> impl IntoView {
    view! {
        <p class="muted">
            "Not needed any more? " <a href=stop>"Revoke without replacing"</a> "."
        </p>
    }
}

/// Where the page with a rotated secret leads.
const WITH_ROTATED: &[Onward] = &[("keys", "Back to the keys", "btn primary")];

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
