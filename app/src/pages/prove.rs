//! The password once more, before something that breaks things. Good for ten minutes.

use leptos::prelude::*;

use super::form::Form;
use super::parts::own_password;
use super::{Answer, Frame, Page, Shown, Visit};
use crate::links;
use crate::ui::ErrorSummary;

pub(super) async fn screen(visit: Visit) -> Shown {
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
        Err(trouble) => Ok(page(Form::refused(fields, trouble)?, to, email).into()),
    }
}

fn page(form: Form, to: String, email: String) -> Page {
    let shown = form.clone();
    form.status(Page::new(Frame::Card, "Confirm it is you", move || {
        view! {
            <div class="card">
                <h1>"Confirm it is you"</h1>
                <p class="lead">
                    "What you are about to do can stop running apps. Give the password of " <strong>{email}</strong>
                    "; it is good for 10 minutes."
                </p>
                <form method="post" action=links::with(links::PROVE, "next", &to) class="form">
                    <ErrorSummary errors=shown.errors(&["password"]) />
                    {own_password(shown.entry("password"))}
                    <button class="btn primary big full">"Confirm"</button>
                </form>
            </div>
            <p class="aside">
                <a href=links::OVERVIEW>"Leave it as it is"</a>
            </p>
        }
    }))
}
