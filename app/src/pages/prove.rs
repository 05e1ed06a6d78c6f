//! The password once more, before something that can take or break production. Good for ten minutes.
//!
//! A form that needs it is answered with this page in its place: what was sent is carried along, and goes through with
//! the password. The page by itself serves those who come by a link.

use leptos::prelude::*;

use super::components::{own_password, password_field};
use super::form::Form;
use super::{Answer, Frame, Page, ScreenResult, Visit};
use crate::links;
use crate::ui::{ErrorSummary, FormField};

/// The field of the password that comes along with a form sent again; the door takes it out.
pub const FIELD: &str = "proof_password";

pub(super) async fn screen(visit: Visit) -> ScreenResult {
    let to = links::local(visit.query.get("next"))
        .unwrap_or(links::OVERVIEW)
        .to_owned();
    let actor = visit.actor()?;
    let email = actor.email.to_string();
    let Some(fields) = visit.form.clone() else {
        return Ok(page(Form::default(), to, email).into());
    };
    let proved = visit
        .portal
        .prove(actor, fields.get("password"), &visit.source)
        .await;
    match proved {
        Ok(()) => Ok(Answer::Proved { to }),
        Err(error) => Ok(page(Form::refused(fields, error)?, to, email).into()),
    }
}

fn page(form: Form, to: String, email: String) -> Page {
    let shown = form.clone();
    form.status(Page::new(Frame::Card, "Confirm it is you", move || {
        view! {
            <div class="card">
                <h1>"Confirm it is you"</h1>
                {lead(email)}
                <form method="post" action=links::with(links::PROVE, "next", &to) class="form">
                    <ErrorSummary errors=shown.errors(&["password"]) />
                    {own_password(shown.entry("password"))}
                    <button class="btn primary big full">"Confirm"</button>
                </form>
            </div>
            <p class="aside">
                <a href=links::OVERVIEW>"Cancel"</a>
            </p>
        }
    }))
}

fn lead(email: String) -> impl IntoView {
    view! {
        <p class="lead">
            "What you are about to do can stop running apps. Enter the password of " <strong>{email}</strong>
            " to continue. We won't ask again for 10 minutes."
        </p>
    }
}

/// The page in the place of a form's answer: everything that was sent goes along with the password. `wrong` is what was
/// wrong with the password given before.
pub fn with_form(visit: &Visit, wrong: Option<String>) -> Page {
    let email = visit
        .actor
        .as_ref()
        .map(|actor| actor.email.to_string())
        .unwrap_or_default();
    let sent = visit.form.clone().unwrap_or_default();
    let action = visit
        .query
        .0
        .iter()
        .fold(visit.path.clone(), |path, (name, value)| {
            links::with(&path, name, value)
        });
    let back = visit.path.clone();
    let status = if wrong.is_some() { 422 } else { 403 };
    Page::new(Frame::Card, "Confirm it is you", move || {
        let kept = sent
            .0
            .into_iter()
            .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
            .collect_view();
        let entry = FormField {
            name: FIELD.into(),
            first_error: wrong.is_some(),
            error: wrong,
            ..FormField::default()
        };
        view! {
            <div class="card">
                <h1>"Confirm it is you"</h1>
                {lead(email)}
                <form method="post" action=action class="form">
                    {kept}
                    {password_field(entry, "Password")}
                    <button class="btn primary big full">"Confirm and continue"</button>
                </form>
            </div>
            <p class="aside">
                <a href=back>"Cancel"</a>
            </p>
        }
    })
    .status(status)
}
