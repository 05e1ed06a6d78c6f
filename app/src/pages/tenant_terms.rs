//! A tenant's terms for one skill: how long its consents last, and how long what they gave is kept. Typed in days.

use leptos::prelude::*;

use super::form::Form;
use super::tenant::load;
use super::tenant_settings::stored_now;
use super::{Answer, FormFields, Frame, Page, ScreenResult, Visit};
use crate::domain::skill::SkillName;
use crate::domain::terms::{CONSENT_DURATION, DATA_RETENTION, TermBounds, as_typed, in_words};
use crate::links;
use crate::portal::PortalError;
use crate::portal::tenants::{Tenant, TypedTerms, WhitelistedSkill};
use crate::ui::{ErrorSummary, Field, PageHead};

const FIELDS: &[&str] = &["consent_duration", "cache_max_data_retention"];

pub(super) async fn screen(visit: Visit) -> ScreenResult {
    let tenant = load(&visit).await?;
    let name = SkillName::parse(visit.params.get("skill")).map_err(|_| PortalError::NotFound)?;
    let allowed = tenant.skills.iter().find(|allowed| allowed.skill == name);
    let allowed = allowed.ok_or(PortalError::NotFound)?;
    let Some(fields) = visit.form.clone() else {
        let form = Form::fresh(&as_stored(allowed));
        return Ok(page(&tenant, allowed, form, false).into());
    };
    let set = visit
        .portal
        .set_terms(
            visit.actor()?,
            tenant.id,
            &name,
            fields.parse("version").unwrap_or(0),
            read(&fields),
            &visit.source,
        )
        .await;
    match set {
        Ok(()) => Ok(Answer::See(links::with(
            &links::tenant_skills(tenant.id),
            "done",
            "terms",
        ))),
        Err(error) => {
            let tenant = load(&visit).await?;
            let now = tenant.skills.iter().find(|now| now.skill == name);
            let now = now.ok_or(PortalError::NotFound)?;
            let changed = matches!(error, PortalError::Conflict(_));
            Ok(page(&tenant, now, Form::refused(fields, error)?, changed).into())
        }
    }
}

/// The terms as they are stored, by the names of their fields.
fn as_stored(allowed: &WhitelistedSkill) -> Vec<(&'static str, String)> {
    vec![
        ("consent_duration", as_typed(allowed.consent_duration)),
        (
            "cache_max_data_retention",
            as_typed(allowed.cache_max_data_retention),
        ),
    ]
}

fn read(fields: &FormFields) -> TypedTerms {
    TypedTerms {
        consent_duration: fields.get("consent_duration").to_owned(),
        cache_max_data_retention: fields.get("cache_max_data_retention").to_owned(),
    }
}

/// `changed`: the form was refused because somebody else changed the terms, which then stand beside what was typed.
fn page(tenant: &Tenant, allowed: &WhitelistedSkill, form: Form, changed: bool) -> Page {
    let newer = changed.then(|| as_stored(allowed));
    let skill = allowed.skill.clone();
    let (id, name, shown) = (tenant.id, tenant.name.clone(), form.clone());
    let version = tenant.version;
    form.status(
        Page::new(Frame::App, format!("{skill} · {name}"), move || {
            view! {
                <PageHead
                    title=format!("Terms of {skill}")
                    lead="They apply to consents given from now on. Existing ones keep theirs."
                />
                <form method="post" action=links::skill_terms(id, &skill) class="form">
                    <ErrorSummary errors=shown.errors(FIELDS) />
                    {newer.map(stored_now)}
                    <input type="hidden" name="version" value=version.to_string() />
                    <Field
                        entry=shown.entry("consent_duration")
                        label="Consent lifetime (days)"
                        hint=hint(CONSENT_DURATION, "The end-user must then consent again.")
                        mono=true
                        autocomplete="off"
                                            />
                    <Field
                        entry=shown.entry("cache_max_data_retention")
                        label="Data retention (days)"
                        hint=hint(DATA_RETENTION, "Data is then erased, even if the consent is still active.")
                        mono=true
                        autocomplete="off"
                                            />
                    <div class="actions">
                        <button class="btn primary">"Save terms"</button>
                        <a class="btn quiet" href=links::tenant_skills(id)>
                            "Cancel"
                        </a>
                    </div>
                </form>
            }
        })
        .within(tenant.environment)
        .under("Tenants", links::TENANTS)
        .under(tenant.name.clone(), links::tenant(tenant.id))
        .under("Skills", links::tenant_skills(tenant.id)),
    )
}

fn hint(limits: TermBounds, then: &str) -> String {
    format!(
        "{then} The default is {}, the most {}. For less than a day, add a unit: 36 h, 45 min.",
        in_words(limits.default),
        in_words(limits.most)
    )
}
