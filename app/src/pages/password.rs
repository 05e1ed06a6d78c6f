//! A forgotten password: asking for a link, and using it.

use leptos::prelude::*;

use super::form::Form;
use super::parts::new_password;
use super::{Answer, Frame, Page, Shown, Visit, card};
use crate::links;
use crate::portal::Trouble;
use crate::ui::{ErrorSummary, Field};

pub(super) async fn forgot(visit: Visit) -> Shown {
    let Some(fields) = visit.form.clone() else {
        return Ok(ask(Form::default()).into());
    };
    match visit
        .portal
        .forgot(fields.get("email"), &visit.source)
        .await
    {
        Ok(()) => Ok(sent().into()),
        Err(trouble) => Ok(ask(Form::refused(fields, trouble)?).into()),
    }
}

fn ask(form: Form) -> Page {
    let shown = form.clone();
    form.status(Page::new(Frame::Card, "Forgotten password", move || {
        view! {
            <div class="card">
                <h1>"Forgotten password"</h1>
                <p class="lead">"We mail you a link with which you can set a new one."</p>
                <form method="post" action=links::FORGOT class="form">
                    <ErrorSummary errors=shown.errors(&["email"]) />
                    <Field
                        entry=shown.entry("email")
                        label="E-mail"
                        kind="email"
                        autocomplete="username"
                    />
                    <button class="btn primary big full">"Mail me a link"</button>
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
        "Look into your mail",
        "If this address has an account, we have sent a link to it. It works once, for 10 minutes.",
        &[
            ("Back to sign in", links::SIGN_IN),
            ("Send another", links::FORGOT),
        ],
    )
}

pub(super) async fn reset(visit: Visit) -> Shown {
    let token = visit.params.get("token").to_owned();
    let masked = match visit.portal.reset_link(&token).await {
        Ok(masked) => masked,
        Err(Trouble::NotFound | Trouble::Conflict(_)) => return Ok(dead_link().into()),
        Err(trouble) => return Err(trouble),
    };
    let Some(fields) = visit.form.clone() else {
        return Ok(choose(Form::default(), token, masked).into());
    };
    let reset = visit
        .portal
        .reset(&token, fields.get("password"), &visit.source)
        .await;
    match reset {
        Ok(person) => Ok(Answer::SignedIn {
            person,
            to: links::OVERVIEW.into(),
        }),
        Err(Trouble::NotFound) => Ok(dead_link().into()),
        Err(trouble) => Ok(choose(Form::refused(fields, trouble)?, token, masked).into()),
    }
}

fn choose(form: Form, token: String, masked: String) -> Page {
    let shown = form.clone();
    form.status(Page::new(Frame::Card, "Set a new password", move || {
        view! {
            <div class="card">
                <h1>"Set a new password"</h1>
                <p class="lead">
                    "For " <strong>{masked}</strong> ". You are signed out everywhere else, and signed in here."
                </p>
                <form method="post" action=links::reset(&token) class="form">
                    <ErrorSummary errors=shown.errors(&["password"]) />
                    {new_password(shown.entry("password"), "New password")}
                    <button class="btn primary big full">"Set password and sign in"</button>
                </form>
            </div>
        }
    }))
}

fn dead_link() -> Page {
    card::dead_link(
        "Links like this work once, for 10 minutes. Ask for a new one.",
        &[("Mail me a new link", links::FORGOT)],
    )
}
