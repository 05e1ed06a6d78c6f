//! Joining a servicer that exists: its id and the one-time claim token, as mailed or handed over by an operator.

use leptos::prelude::*;

use super::form::Form;
use super::parts::new_password;
use super::{Answer, Fields, Frame, Page, Shown, Visit};
use crate::links;
use crate::portal::people::SignUp;
use crate::ui::{ErrorSummary, Field};

const FIELDS: &[&str] = &["servicer_id", "claim_token", "email", "password"];

pub(super) async fn screen(visit: Visit) -> Shown {
    if visit.actor.is_some() {
        return join(visit).await;
    }
    let Some(fields) = visit.form.clone() else {
        let given = [
            ("servicer_id", visit.query.get("servicer")),
            ("claim_token", visit.query.get("claim")),
        ];
        return Ok(page(Form::fresh(&given)).into());
    };
    match visit.portal.sign_up(read(&fields), &visit.source).await {
        Ok(person) => Ok(Answer::SignedIn {
            person,
            to: links::OVERVIEW.into(),
        }),
        Err(trouble) => Ok(page(Form::refused(fields, trouble)?).into()),
    }
}

/// For somebody who has an account: the servicer becomes one more that they work in.
async fn join(visit: Visit) -> Shown {
    let actor = visit.actor()?;
    let email = actor.email.to_string();
    let Some(fields) = visit.form.clone() else {
        let given = [
            ("servicer_id", visit.query.get("servicer")),
            ("claim_token", visit.query.get("claim")),
        ];
        return Ok(join_page(Form::fresh(&given), email).into());
    };
    let (id, token) = (fields.get("servicer_id"), fields.get("claim_token"));
    match visit.portal.join(actor, id, token, &visit.source).await {
        Ok(()) => Ok(Answer::See(links::OVERVIEW.into())),
        Err(trouble) => Ok(join_page(Form::refused(fields, trouble)?, email).into()),
    }
}

fn join_page(form: Form, email: String) -> Page {
    let shown = form.clone();
    form.status(Page::new(Frame::Card, "Join a servicer", move || {
        view! {
            <div class="card">
                <h1>"Join a servicer"</h1>
                <p class="lead">
                    "As " <strong>{email}</strong> ", with the servicer id and the claim token of the company."
                </p>
                <form method="post" action=links::SIGN_UP class="form">
                    <ErrorSummary errors=shown.errors(FIELDS) />
                    {claim_fields(&shown)}
                    <button class="btn primary big full">"Join"</button>
                </form>
            </div>
            <p class="aside">
                <a href=links::OVERVIEW>"Cancel"</a>
            </p>
        }
    }))
}

/// The two texts that let somebody into a servicer.
fn claim_fields(form: &Form) -> impl IntoView + use<> {
    view! {
        <Field
            entry=form.entry("servicer_id")
            label="Servicer id"
            mono=true
            autocomplete="off"
            placeholder="0d9c5a1e-6b1f-4e0a-9a55-8c31b7c02f61"
        />
        <Field
            entry=form.entry("claim_token")
            label="Claim token"
            mono=true
            autocomplete="off"
            hint="It came with the id, works once and for seven days. The id alone lets nobody in."
        />
    }
}

fn read(fields: &Fields) -> SignUp {
    let text = |name| fields.get(name).trim().to_owned();
    SignUp {
        servicer_id: text("servicer_id"),
        claim_token: text("claim_token"),
        email: text("email"),
        password: fields.get("password").to_owned(),
    }
}

fn page(form: Form) -> Page {
    let shown = form.clone();
    form.status(Page::new(Frame::Card, "Sign up", move || {
        view! {
            <div class="card">
                <h1>"Sign up"</h1>
                <p class="lead">
                    "With the servicer id and the claim token of your company. The first to join becomes its owner."
                </p>
                <form method="post" action=links::SIGN_UP class="form">
                    <ErrorSummary errors=shown.errors(FIELDS) />
                    {claim_fields(&shown)}
                    <Field
                        entry=shown.entry("email")
                        label="Work email"
                        kind="email"
                        autocomplete="username"
                    />
                    {new_password(shown.entry("password"), "Password", shown.was_refused())}
                    <button class="btn primary big full">"Create account"</button>
                </form>
            </div>
            <p class="aside">
                "No servicer id? " <a href=links::START>"Get sandbox keys"</a> " now. Have an account? "
                <a href=links::SIGN_IN>"Sign in"</a> "."
            </p>
        }
    }))
}
