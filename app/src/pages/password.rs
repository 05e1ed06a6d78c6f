//! A forgotten password: asking for a link, and using it.

use chrono::{DateTime, Utc};
use leptos::prelude::*;

use super::components::new_password;
use super::form::Form;
use super::{Answer, Frame, Page, ScreenResult, Visit, card};
use crate::links;
use crate::portal::PortalError;
use crate::portal::people::{PasswordChoice, PasswordLink};
use crate::ui::time::span;
use crate::ui::{Choice, ChoiceGroup, ErrorSummary, Field};

pub(super) async fn forgot(visit: Visit) -> ScreenResult {
    let Some(fields) = visit.form.clone() else {
        return Ok(ask(Form::default()).into());
    };
    match visit
        .portal
        .forgot(fields.get("email"), &visit.source)
        .await
    {
        Ok(()) => Ok(sent().into()),
        Err(error) => Ok(ask(Form::refused(fields, error)?).into()),
    }
}

fn ask(form: Form) -> Page {
    let shown = form.clone();
    form.status(Page::new(Frame::Card, "Reset your password", move || {
        view! {
            <div class="card">
                <h1>"Reset your password"</h1>
                <p class="lead">"We'll email you a reset link."</p>
                <form method="post" action=links::FORGOT class="form">
                    <ErrorSummary errors=shown.errors(&["email"]) />
                    <Field
                        entry=shown.entry("email")
                        label="Email"
                        kind="email"
                        autocomplete="username"
                    />
                    <button class="btn primary big full">"Email me a link"</button>
                </form>
            </div>
            <p class="aside">
                <a href=links::SIGN_IN>"Back to sign in"</a>
            </p>
        }
    }))
}

/// Says the same whether or not there is an account.
fn sent() -> Page {
    card::says(
        "Check your inbox",
        "If this address has an account, we have sent a link to it. It works once, for 10 minutes.",
        &[
            ("Back to sign in", links::SIGN_IN),
            ("Send another", links::FORGOT),
        ],
    )
}

pub(super) async fn reset(visit: Visit) -> ScreenResult {
    let token = visit.params.get("token").to_owned();
    let link = match visit.portal.reset_link(&token, &visit.source).await {
        Ok(link) => link,
        Err(PortalError::NotFound) => return Ok(dead_link().into()),
        Err(error) => return Err(error),
    };
    let Some(fields) = visit.form.clone() else {
        return Ok(choose(&visit, Form::default(), token, link).into());
    };
    let (account, password) = (fields.get("account"), fields.get("password"));
    let reset = visit
        .portal
        .reset(&token, account, password, &visit.source)
        .await;
    match reset {
        Ok(person) => Ok(Answer::SignedIn {
            person,
            to: links::OVERVIEW.into(),
        }),
        Err(PortalError::NotFound) => Ok(dead_link().into()),
        Err(error) => Ok(choose(&visit, Form::refused(fields, error)?, token, link).into()),
    }
}

fn choose(visit: &Visit, form: Form, token: String, link: PasswordLink) -> Page {
    let (shown, now) = (form.clone(), visit.now);
    form.status(Page::new(Frame::Card, "Set a new password", move || {
        let unconfirmed = link.unconfirmed.then(|| {
            view! {
                <p>
                    "Nobody has confirmed this address before. It is confirmed now, and sandbox keys that were created so far
                    stop working: somebody else may have created them."
                </p>
            }
        });
        view! {
            <div class="card">
                <h1>"Set a new password"</h1>
                <p class="lead">
                    "For " <strong>{link.address}</strong> ". You are signed out everywhere else, and signed in here."
                </p>
                {unconfirmed}
                <form method="post" action=links::reset(&token) class="form">
                    <ErrorSummary errors=shown.errors(&["account", "password"]) />
                    {accounts(&shown, link.choices, now)}
                    {new_password(shown.entry("password"), "New password", shown.was_refused())}
                    <button class="btn primary big full">"Set password and sign in"</button>
                </form>
            </div>
        }
    }))
}

/// Renders the choice between several accounts with one address; `None` if there are no choices. No account is
/// preselected, for some may be strangers'.
fn accounts(form: &Form, choices: Vec<PasswordChoice>, now: DateTime<Utc>) -> Option<AnyView> {
    if choices.is_empty() {
        return None;
    }
    let choices = choices
        .into_iter()
        .map(|choice| {
            let age = span(now - choice.registered_at);
            let about = format!("Registered {age} ago.");
            Choice::new(choice.account.to_string(), choice.servicer).about(about)
        })
        .collect();
    let entry = form.entry("account");
    let group = view! {
        <ChoiceGroup
            entry=entry
            label="Several accounts were registered with this address. Which is yours?"
            choices=choices
        />
    };
    Some(group.into_any())
}

fn dead_link() -> Page {
    card::dead_link(
        "Links like this work once, for 10 minutes. Ask for a new one.",
        &[("Email me a new link", links::FORGOT)],
    )
}
