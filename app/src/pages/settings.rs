//! A person's own settings: address, password, signed-in browsers.

use chrono::{DateTime, Utc};
use leptos::prelude::*;

use super::components::{done_notice, new_password, password_field};
use super::form::Form;
use super::{Answer, FormFields, Frame, Page, ScreenResult, Visit};
use crate::links;
use crate::portal::people::Device;
use crate::portal::{Actor, PortalError, PortalResult};
use crate::ui::{Ago, Chip, ErrorSummary, Field, PageHead, PostButton, Tone};

const FIELDS: &[&str] = &["old", "new", "other_password"];

pub(super) async fn screen(visit: Visit) -> ScreenResult {
    let form = match visit.form.clone() {
        None => Form::default(),
        Some(fields) => match change(&visit, &fields).await {
            Ok("work_in") => return Ok(Answer::See(links::OVERVIEW.into())),
            Ok(done) => return Ok(Answer::See(links::with(links::SETTINGS, "done", done))),
            Err(error) => Form::refused(fields, error)?,
        },
    };
    let actor = visit.actor()?;
    let devices = visit.portal.devices(actor).await?;
    let unconfirmed = visit.portal.unconfirmed(actor).await?;
    Ok(page(&visit, actor, form, (devices, unconfirmed)).into())
}

async fn change(visit: &Visit, fields: &FormFields) -> PortalResult<&'static str> {
    let actor = visit.actor()?;
    match fields.get("act") {
        "password" => {
            let (old, new) = (fields.get("old"), fields.get("new"));
            visit
                .portal
                .change_password(actor, old, new, &visit.source)
                .await?;
            Ok("password")
        }
        "end" => {
            let device = fields.get("device");
            let ended = visit.portal.end_device(actor, device, &visit.source);
            // A second click, or a list from before: nobody's sign-in is left to end.
            let gone = "That browser is signed out already. The list below is up to date.";
            ended.await.map_err(|error| match error {
                PortalError::NotFound => PortalError::Conflict(gone.to_owned()),
                other => other,
            })?;
            Ok("ended")
        }
        "bring_in" => {
            let password = fields.get("other_password");
            visit
                .portal
                .bring_in(actor, password, &visit.source)
                .await?;
            Ok("brought")
        }
        "work_in" => {
            let servicer = fields.parse("servicer").ok_or(PortalError::NotFound)?;
            visit.portal.work_in(actor, servicer).await?;
            Ok("work_in")
        }
        "verify" => {
            visit.portal.send_verification(actor).await?;
            Ok("sent")
        }
        _ => Err(PortalError::NotFound),
    }
}

fn page(
    visit: &Visit,
    actor: &Actor,
    form: Form,
    (devices, unconfirmed): (Vec<Device>, usize),
) -> Page {
    let notice = done_notice(
        visit,
        &[
            (
                "password",
                "Your password is changed. You are signed out everywhere else.",
            ),
            ("ended", "That browser is signed out."),
            ("sent", "The email is on its way."),
            ("verified", "Your email address is confirmed."),
            (
                "brought",
                "Done. You can switch to its servicer in the account menu.",
            ),
        ],
    );
    let (email, verified) = (actor.email.to_string(), actor.verified);
    let place = actor
        .membership
        .as_ref()
        .map(|member| format!("You are {} of {}.", member.role, member.name));
    let (now, shown) = (visit.now, form.clone());
    form.status(Page::new(Frame::App, "Settings", move || {
        view! {
            {notice}
            <PageHead title="Settings" lead="Your personal settings." />
            <ErrorSummary errors=shown.errors(FIELDS) />
            {address(email, verified, place)}
            {(unconfirmed > 0).then(|| others(&shown))}
            {password(&shown)}
            {browsers(devices, now)}
        }
    }))
}

fn address(email: String, verified: bool, place: Option<String>) -> impl IntoView {
    let state = if verified {
        view! { <Chip tone=Tone::Ok text="Confirmed" /> }.into_any()
    } else {
        view! {
            <Chip tone=Tone::Warn text="Not confirmed" />
            <PostButton
                action=links::SETTINGS
                label="Send the email again"
                fields=vec![("act", "verify".to_owned())]
            />
        }
        .into_any()
    };
    view! {
        <section class="setting" aria-labelledby="address">
            <div>
                <h2 id="address">"Email address"</h2>
                <p>{place}</p>
            </div>
            <div class="actions">
                <span class="break">{email}</span>
                {state}
            </div>
        </section>
    }
}

/// Other registrations with the same address that were never confirmed: by the same person, or by a stranger.
fn others(form: &Form) -> impl IntoView + use<> {
    view! {
        <section class="setting" aria-labelledby="others">
            <div>
                <h2 id="others">"Other registrations"</h2>
                <p>
                    "Somebody registered with your address and never confirmed it. If it was you, enter the password that you
                    chose then: its servicer becomes part of this account. If it wasn't, do nothing, and it ends by itself."
                </p>
            </div>
            <form method="post" action=links::SETTINGS class="form">
                <input type="hidden" name="act" value="bring_in" />
                {password_field(form.entry("other_password"), "Password of the other registration")}
                <div class="actions">
                    <button class="btn">"Bring it in"</button>
                </div>
            </form>
        </section>
    }
}

fn password(form: &Form) -> impl IntoView + use<> {
    view! {
        <section class="setting" aria-labelledby="password">
            <div>
                <h2 id="password">"Password"</h2>
                <p>"Changing it signs you out everywhere but here."</p>
            </div>
            <form method="post" action=links::SETTINGS class="form">
                <input type="hidden" name="act" value="password" />
                <Field
                    entry=form.entry("old")
                    label="Current password"
                    kind="password"
                    autocomplete="current-password"
                />
                {new_password(form.entry("new"), "New password", form.was_refused())}
                <div class="actions">
                    <button class="btn">"Change password"</button>
                </div>
            </form>
        </section>
    }
}

fn browsers(devices: Vec<Device>, now: DateTime<Utc>) -> impl IntoView {
    let rows = devices
        .into_iter()
        .map(|device| browser(device, now))
        .collect_view();
    view! {
        <section class="setting" aria-labelledby="browsers">
            <div>
                <h2 id="browsers">"Signed-in browsers"</h2>
                <p>"Sign out any session you don't recognise, then change your password."</p>
            </div>
            <div class="card">
                <ul class="rows">{rows}</ul>
            </div>
        </section>
    }
}

fn browser(device: Device, now: DateTime<Utc>) -> impl IntoView {
    let end = if device.current {
        view! { <Chip tone=Tone::Ok text="This one" /> }.into_any()
    } else {
        view! {
            <PostButton
                action=links::SETTINGS
                label="Sign out"
                spoken=format!("Sign out {}", device.user_agent)
                fields=vec![("act", "end".to_owned()), ("device", device.handle)]
            />
        }
        .into_any()
    };
    view! {
        <li>
            <div>
                <div class="break">{device.user_agent}</div>
                <div class="faint">
                    {device.ip} " · signed in " <Ago at=device.signed_in_at now=now /> " · seen "
                    <Ago at=device.seen_at now=now />
                </div>
            </div>
            {end}
        </li>
    }
}
