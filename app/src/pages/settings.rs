//! A person's own settings: address, password, signed-in browsers.

use chrono::{DateTime, Utc};
use leptos::prelude::*;

use super::form::Form;
use super::parts::{done_notice, new_password};
use super::{Answer, Fields, Frame, Page, Shown, Visit};
use crate::links;
use crate::portal::people::Device;
use crate::portal::{Actor, Answered, Trouble};
use crate::ui::{Ago, Chip, ErrorSummary, Field, PageHead, PostButton, Tone};

const FIELDS: &[&str] = &["old", "new"];

pub(super) async fn screen(visit: Visit) -> Shown {
    let form = match visit.form.clone() {
        None => Form::default(),
        Some(fields) => match change(&visit, &fields).await {
            Ok(done) => return Ok(Answer::See(links::with(links::SETTINGS, "done", done))),
            Err(trouble) => Form::refused(fields, trouble)?,
        },
    };
    let actor = visit.actor()?;
    let devices = visit.portal.devices(actor).await?;
    Ok(page(&visit, actor, form, devices).into())
}

async fn change(visit: &Visit, fields: &Fields) -> Answered<&'static str> {
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
            visit.portal.end_device(actor, fields.get("device")).await?;
            Ok("ended")
        }
        "verify" => {
            visit.portal.send_verification(actor).await?;
            Ok("sent")
        }
        _ => Err(Trouble::NotFound),
    }
}

fn page(visit: &Visit, actor: &Actor, form: Form, devices: Vec<Device>) -> Page {
    let notice = done_notice(
        visit,
        &[
            (
                "password",
                "Your password is changed. You are signed out everywhere else.",
            ),
            ("ended", "That browser is signed out."),
            ("sent", "The mail is on its way."),
            ("verified", "Your address is confirmed."),
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
            <PageHead title="Settings" lead="Yours alone. Nobody else in your servicer sees this page." />
            <ErrorSummary errors=shown.errors(FIELDS) />
            {address(email, verified, place)}
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
                label="Send the mail again"
                fields=vec![("act", "verify".to_owned())]
            />
        }
        .into_any()
    };
    view! {
        <section class="setting" aria-labelledby="address">
            <div>
                <h2 id="address">"Address"</h2>
                <p>{place}</p>
            </div>
            <div class="actions">
                <span class="break">{email}</span>
                {state}
            </div>
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
                {new_password(form.entry("new"), "New password")}
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
                <p>"End what you do not know, then change your password."</p>
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
