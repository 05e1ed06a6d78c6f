//! Signing in and out.

use leptos::prelude::*;

use super::components::own_password;
use super::form::Form;
use super::{Answer, Frame, Page, ScreenResult, Visit};
use crate::links;
use crate::ui::{ErrorSummary, Field, Notice, PostButton, Tone};

pub(super) async fn sign_in(visit: Visit) -> ScreenResult {
    let next = links::local(visit.query.get("next")).map(str::to_owned);
    let to = next.clone().unwrap_or_else(|| links::OVERVIEW.into());
    let Some(fields) = visit.form.clone() else {
        if visit.actor.is_some() {
            return Ok(Answer::See(to));
        }
        let unsent = visit.query.get("done") == links::UNSENT;
        return Ok(page(Form::default(), next, unsent).into());
    };
    let signed_in = visit
        .portal
        .sign_in(fields.get("email"), fields.get("password"), &visit.source)
        .await;
    match signed_in {
        Ok(person) => Ok(Answer::SignedIn { person, to }),
        Err(error) => Ok(page(Form::refused(fields, error)?, next, false).into()),
    }
}

/// `unsent`: somebody sent a form after their session had ended.
fn page(form: Form, next: Option<String>, unsent: bool) -> Page {
    let action = next.map_or_else(
        || links::SIGN_IN.to_owned(),
        |next| links::with(links::SIGN_IN, "next", &next),
    );
    let shown = form.clone();
    form.status(Page::new(Frame::Card, "Sign in", move || {
        view! {
            <div class="card">
                <h1>"Sign in"</h1>
                <p class="lead">"To the developer portal."</p>
                {unsent.then(unsent_notice)}
                <form method="post" action=action class="form">
                    <ErrorSummary errors=shown.errors(&["email", "password"]) />
                    <Field
                        entry=shown.entry("email")
                        label="Email"
                        kind="email"
                        autocomplete="username"
                    />
                    {own_password(shown.entry("password"))}
                    <button class="btn primary big full">"Sign in"</button>
                    <p>
                        <a href=links::FORGOT>"Forgot your password?"</a>
                    </p>
                </form>
            </div>
            <p class="aside">
                "No account yet? " <a href=links::START>"Get sandbox keys"</a> " or "
                <a href=links::SIGN_UP>"sign up with a servicer id"</a> "."
            </p>
        }
    }))
}

fn unsent_notice() -> impl IntoView {
    view! {
        <Notice tone=Tone::Warn title="Your form was not sent">
            <p>"You were signed out before it arrived, so nothing was changed. Sign in, open the page again and send the form from there."</p>
        </Notice>
    }
}

pub(super) fn sign_out(visit: Visit) -> Answer {
    if visit.form.is_some() || visit.actor.is_none() {
        return Answer::SignedOut {
            to: links::SIGN_IN.into(),
        };
    }
    // Followed as a link: asked first, so that no foreign page can sign anybody out.
    Page::new(Frame::Card, "Sign out", || {
        view! {
            <div class="card">
                <h1>"Sign out?"</h1>
                <p class="lead">"Your tenants and their keys go on working."</p>
                <div class="actions">
                    <PostButton action=links::SIGN_OUT label="Sign out" class="btn primary" />
                    <a class="btn" href=links::OVERVIEW>
                        "Stay"
                    </a>
                </div>
            </div>
        }
    })
    .into()
}
