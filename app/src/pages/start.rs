//! The one-form start: three typed fields, and there are keys.

use leptos::prelude::*;

use super::components::{NewKeys, NextLink, leave_form, made_keys, new_password};
use super::form::Form;
use super::{Answer, FormFields, Frame, Page, ScreenResult, Visit};
use crate::domain::country::COUNTRIES;
use crate::domain::ids::TenantId;
use crate::domain::servicer::LegalForm;
use crate::domain::tenant::Environment;
use crate::links;
use crate::portal::PortalError;
use crate::portal::people::{Start, Started};
use crate::ui::{Choice, ChoiceGroup, ErrorSummary, Field, PageHead, PostButton, Select};

const FIELDS: &[&str] = &["name", "email", "password", "legal_form", "country"];

pub(super) async fn screen(visit: Visit) -> ScreenResult {
    if visit.actor.is_some() {
        return started_already(&visit).await;
    }
    let Some(fields) = visit.form.clone() else {
        let preselected = [("legal_form", LegalForm::Company.as_str())];
        return Ok(page(Form::fresh(&preselected)).into());
    };
    let form = read(&fields)?;
    match visit.portal.start(form, &visit.source).await {
        Ok(started) => Ok(Answer::SignedInPage {
            person: started.person,
            page: keys_page(&visit, started),
        }),
        Err(error) => Ok(page(Form::refused(fields, error)?).into()),
    }
}

/// Redirects a visitor who is signed in. A form sent again, by reloading its answer, registers nobody a second time: it
/// leads to the keys, the secret masked by now.
async fn started_already(visit: &Visit) -> ScreenResult {
    let actor = visit.actor()?;
    if visit.form.is_none() || actor.membership.is_none() {
        return Ok(Answer::See(links::OVERVIEW.into()));
    }
    let first = visit.portal.overview(actor).await?.first_tenant;
    let keys = |id| links::with(&links::tenant_keys(id), "done", "registered");
    Ok(Answer::See(
        first.map_or_else(|| links::OVERVIEW.into(), keys),
    ))
}

fn read(fields: &FormFields) -> Result<Start, PortalError> {
    Ok(Start {
        name: fields.get("name").trim().to_owned(),
        email: fields.get("email").trim().to_owned(),
        password: fields.get("password").to_owned(),
        legal_form: fields.parse_or("legal_form", LegalForm::Company)?,
        country: fields.get("country").to_owned(),
    })
}

fn page(form: Form) -> Page {
    let shown = form.clone();
    form.status(Page::new(Frame::Card, "Get sandbox keys", move || {
        let none = (String::new(), "Choose a country".to_owned());
        let countries = COUNTRIES
            .iter()
            .map(|(code, name)| ((*code).to_owned(), (*name).to_owned()));
        let countries = std::iter::once(none).chain(countries).collect();
        view! {
            <div class="card">
                <h1>"Get sandbox keys"</h1>
                <p class="lead">"Your keys are on the next page. There is no email to confirm first."</p>
                <form method="post" action=links::START class="form">
                    <ErrorSummary errors=shown.errors(FIELDS) />
                    <Field
                        entry=shown.entry("name")
                        label="Project or company name"
                        autocomplete="organization"
                        maxlength="120"
                    />
                    <Field
                        entry=shown.entry("email")
                        label="Email"
                        kind="email"
                        autocomplete="username"
                    />
                    {new_password(shown.entry("password"), "Password", shown.was_refused())}
                    <ChoiceGroup
                        entry=shown.entry("legal_form")
                        label="You are registering as"
                        inline=true
                        choices=vec![
                            Choice::new(LegalForm::Company.as_str(), "A company"),
                            Choice::new(LegalForm::Person.as_str(), "A person"),
                        ]
                    />
                    <Select entry=shown.entry("country") label="Country" options=countries />
                    <button class="btn primary big full">"Create my keys"</button>
                </form>
            </div>
            <p class="aside">
                "Already have an account? " <a href=links::SIGN_IN>"Sign in"</a> "." <br />
                "Joining an existing company? " <a href=links::SIGN_UP>"Sign up with its servicer id"</a> "."
            </p>
        }
    }))
}

/// Links from the page with new sandbox keys.
pub(super) const WITH_NEW_KEYS: &[NextLink] = &[
    ("all", "Run a whole session", "btn primary"),
    ("first", "Send first request", "btn"),
    ("tenant", "Open the tenant", "btn quiet"),
];

/// The answer to the form: the only page that ever shows the new secret.
fn keys_page(visit: &Visit, started: Started) -> Page {
    let seen = visit.clone();
    let (tenant, servicer) = (started.tenant, started.servicer);
    let keys = NewKeys {
        id: tenant,
        environment: Environment::Sandbox,
        app_key: started.client_app_key,
        secret: started.client_secret,
    };
    Page::new(Frame::Focus, "Your keys", move || {
        view! {
            <PageHead
                title="Your keys are ready"
                lead="They work now, in the sandbox. Save them, then make your first calls."
            />
            {made_keys(&seen, keys)}
            {leave_form(tenant, WITH_NEW_KEYS)}
            <section class="section">
                <h2>"Also created"</h2>
                <p class="muted">
                    "A servicer, your company’s account, with the id " <code>{servicer.to_string()}</code>
                    ", which we have emailed to you; and a tenant, your app, already allowed to use every sandbox skill: \
                     an API of one bank, insurer or marketplace."
                </p>
            </section>
        }
    })
    .within(Environment::Sandbox)
}

/// Opens a session with the new keys and shows the answer in the console.
pub(super) fn first_call_button(tenant: TenantId) -> impl IntoView {
    view! {
        <PostButton
            action=links::FIRST_CALL
            label="Send first request"
            class="btn primary"
            fields=vec![("tenant", tenant.to_string())]
        />
    }
}
