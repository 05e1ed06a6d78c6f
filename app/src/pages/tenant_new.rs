//! Making a tenant: one short page, answered by its keys.

use leptos::prelude::*;

use super::components::{NewKeys, NextLink, leave_form, made_keys};
use super::form::Form;
use super::start::WITH_NEW_KEYS;
use super::{Answer, FormFields, Frame, Page, ScreenResult, Visit};
use crate::domain::servicer::ServicerStatus;
use crate::domain::tenant::Environment;
use crate::links;
use crate::portal::skills::Skill;
use crate::portal::tenants::{CreatedTenant, Creation, NewTenant};
use crate::ui::{Choice, ChoiceGroup, ErrorSummary, Field, PageHead, TextArea};

/// Name of the field with the mark by which one form makes one tenant: a reloaded answer leads to the keys it made.
const MARK: &str = "form";
const FIELDS: &[&str] = &["name", "environment", "skills", "redirect_links", "origins"];
/// Registered from the beginning, so that the console and a first app work without another visit.
const LINKS: &str = "http://127.0.0.1/return\nmyapp://return";

pub(super) async fn screen(visit: Visit) -> ScreenResult {
    let actor = visit.actor()?;
    let skills = visit.portal.skills().await?;
    let approved = actor
        .membership
        .as_ref()
        .is_some_and(|member| member.status == ServicerStatus::Approved);
    let asked = visit.form.as_ref().unwrap_or(&visit.query);
    let environment = asked.parse_or("environment", Environment::Sandbox)?;
    // A tenant uses the skills of its own environment alone: the others are not offered.
    let offered: Vec<Skill> = skills
        .into_iter()
        .filter(|skill| skill.environment == environment)
        .collect();
    let offer = Offer {
        environment,
        approved,
        skills: offered,
    };
    let Some(fields) = visit.form.clone() else {
        let mark = visit.portal.tenant_form().to_string();
        return Ok(page(offer.fresh(&mark), offer).into());
    };
    let created = visit
        .portal
        .create_tenant(actor, read(&fields), &visit.source)
        .await;
    match created {
        Ok(Creation::Made(created)) => Ok(keys_page(&visit, &fields, created).into()),
        Ok(Creation::Again(id)) => {
            let keys = links::tenant_keys(id);
            Ok(Answer::See(links::with(&keys, "done", "unsaved")))
        }
        Err(error) => Ok(page(Form::refused(fields, error)?, offer).into()),
    }
}

fn read(fields: &FormFields) -> NewTenant {
    NewTenant {
        form: fields.parse(MARK),
        name: fields.get("name").trim().to_owned(),
        environment: fields.parse("environment").unwrap_or(Environment::Sandbox),
        skills: fields.all("skills"),
        redirect_links: fields.lines("redirect_links"),
        origins: fields.lines("origins"),
    }
}

/// Choices that the form offers, for one environment at a time.
struct Offer {
    environment: Environment,
    approved: bool,
    skills: Vec<Skill>,
}

impl Offer {
    /// The form as nobody has sent it yet: all of it may be sent as it is, but for the name.
    fn fresh(&self, mark: &str) -> Form {
        let mut preselected = vec![(MARK, mark), ("environment", self.environment.as_str())];
        if self.environment == Environment::Sandbox {
            preselected.push(("redirect_links", LINKS));
            let names = self.skills.iter().map(|skill| skill.name.as_str());
            preselected.extend(names.map(|name| ("skills", name)));
        }
        Form::fresh(&preselected)
    }
}

fn page(form: Form, offer: Offer) -> Page {
    let shown = form.clone();
    form.status(
        Page::new(Frame::App, "Create tenant", move || {
            let choices: Vec<Choice> = offer.skills.into_iter().map(skill_choice).collect();
            let sandbox = offer.environment == Environment::Sandbox;
            let skills = if choices.is_empty() {
                view! { <p class="muted">"No skills of this environment are published yet. Allow them later, on the tenant’s Skills page."</p> }.into_any()
            } else {
                view! {
                    <ChoiceGroup
                        entry=shown.entry("skills")
                        label="Skills it may use"
                        hint="You can change this at any time."
                        choices=choices
                        chosen=shown.all("skills")
                        many=true
                    />
                }
                .into_any()
            };
            let links_hint = if sandbox {
                "Where banks send the user back to your app, one on each line. The console’s own is added."
            } else {
                "Where banks send the user back to your app, one on each line: https links or your app’s own scheme."
            };
            view! {
                <PageHead
                    title="Create tenant"
                    lead="It gets its own client_id, client_app_key and client_secret, shown on the next page."
                />
                <form method="post" action=links::NEW_TENANT class="form">
                    <input type="hidden" name=MARK value=shown.entry(MARK).value />
                    <ErrorSummary errors=shown.errors(FIELDS) />
                    <Field
                        entry=shown.entry("name")
                        label="Name"
                        hint="Seen by your team only."
                        maxlength="80"
                        autocomplete="off"
                    />
                    <ChoiceGroup
                        entry=shown.entry("environment")
                        label="Environment"
                        choices=environments(offer.environment, offer.approved)
                    />
                    {other_environment(offer.environment)}
                    {skills}
                    <TextArea
                        entry=shown.entry("redirect_links")
                        label="Redirect links"
                        hint=links_hint
                        optional=true
                        mono=true
                    />
                    <TextArea
                        entry=shown.entry("origins")
                        label="Web origins"
                        hint="Sites that may call from browsers, like https://app.example.com, one on each line."
                        optional=true
                        mono=true
                        rows=2
                    />
                    <div class="actions">
                        <button class="btn primary">"Create tenant"</button>
                        <a class="btn quiet" href=links::TENANTS>
                            "Cancel"
                        </a>
                    </div>
                </form>
            }
        })
        .under("Tenants", links::TENANTS),
    )
}

/// The environment the form is for: the other one has other skills and links, and a form of its own.
fn environments(environment: Environment, approved: bool) -> Vec<Choice> {
    let (name, about) = match environment {
        Environment::Sandbox => ("Sandbox", "Sandbox skills and test users. Works at once."),
        Environment::Production if approved => {
            ("Production", "Production skills and real end-users.")
        }
        Environment::Production => (
            "Production",
            "For approved servicers only. The operators approve yours after they have checked it.",
        ),
    };
    vec![Choice::new(environment.as_str(), name).about(about)]
}

/// The way to the form for the other environment.
fn other_environment(environment: Environment) -> impl IntoView {
    let (to, label) = match environment {
        Environment::Sandbox => (
            Environment::Production,
            "Create a production tenant instead",
        ),
        Environment::Production => (Environment::Sandbox, "Create a sandbox tenant instead"),
    };
    let href = links::with(links::NEW_TENANT, "environment", to.as_str());
    view! { <p><a href=href>{label}</a></p> }
}

fn skill_choice(skill: Skill) -> Choice {
    let about = format!("{}, {}", skill.title, skill.environment);
    Choice::new(skill.name.as_str(), skill.name.as_str()).about(about)
}

/// Links from the page with new production keys.
const WITH_PRODUCTION_KEYS: &[NextLink] = &[("tenant", "Open the tenant", "btn primary")];

/// The answer to the form: the only page that ever shows the new secret.
fn keys_page(visit: &Visit, fields: &FormFields, created: CreatedTenant) -> Page {
    let seen = visit.clone();
    let name = fields.get("name").trim().to_owned();
    let environment = fields.parse("environment").unwrap_or(Environment::Sandbox);
    let id = created.id;
    let keys = NewKeys {
        id,
        environment,
        app_key: created.client_app_key,
        secret: created.client_secret,
    };
    let ways = match environment {
        Environment::Sandbox => WITH_NEW_KEYS,
        Environment::Production => WITH_PRODUCTION_KEYS,
    };
    Page::new(Frame::Focus, format!("New keys · {name}"), move || {
        view! {
            <PageHead
                title=format!("{name} is ready")
                lead="Save the keys before you leave this page: the secret is not shown again."
            />
            {made_keys(&seen, keys)}
            {leave_form(id, ways)}
        }
    })
    .within(environment)
}
