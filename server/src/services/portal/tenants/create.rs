//! Making a tenant: checking what was typed, then everything in one transaction.

use app::domain::ids::{ServicerId, TenantId};
use app::domain::key::{KeyKind, KeyShape};
use app::domain::servicer::ServicerStatus;
use app::domain::skill::SkillName;
use app::domain::tenant::{Environment, LONGEST_NAME, Origin, RedirectLink, TenantStatus};
use app::domain::terms::{CONSENT_DURATION, DATA_RETENTION};
use app::domain::text;
use app::links;
use app::portal::tenants::{CreatedTenant, Creation, NewTenant};
use app::portal::{Actor, FieldError, PortalError, RequestSource};
use secrecy::ExposeSecret as _;
use serde_json::json;
use uuid::Uuid;

use super::tenants_permission;
use crate::aad;
use crate::security::SecurityEvent;
use crate::services::portal::outcome::audit_entry;
use crate::services::portal::tenants::keys::make_in;
use crate::services::refusal::ServiceError;
use crate::state::AppState;
use crate::storage::tenants::{TenantRow, WhitelistRow};
use crate::storage::{Tx, is_taken};

const NOT_APPROVED: &str = "Production opens once an operator has approved your servicer. Build in the sandbox meanwhile: the \
                            API is the same.";
/// More links or origins than this are a mistake.
const MOST_LINKS: usize = 50;
/// Return links every sandbox tenant starts with, besides the console's: an app of one's own, and a local server.
pub const STARTER_LINKS: [&str; 3] = [
    "myapp://return",
    "http://127.0.0.1/return",
    "http://localhost/return",
];

/// A tenant that may be made: everything in it was parsed.
pub struct CheckedTenant {
    pub id: TenantId,
    pub name: String,
    pub environment: Environment,
    pub skills: Vec<SkillName>,
    pub links: Vec<RedirectLink>,
    pub origins: Vec<Origin>,
}

impl CheckedTenant {
    /// The sandbox tenant a new servicer starts with: every sandbox skill, and links for console, app and local server.
    pub fn starter(state: &AppState, name: &str) -> Self {
        let skills = state.skills.all().map(|skill| skill.name.clone());
        let starter = STARTER_LINKS.into_iter();
        let mut ready = Self {
            id: TenantId(state.clock.id()),
            name: name.to_owned(),
            environment: Environment::Sandbox,
            skills: skills
                .filter(|name| name.environment() == Environment::Sandbox)
                .collect(),
            links: starter
                .filter_map(|link| RedirectLink::parse(link, Environment::Sandbox).ok())
                .collect(),
            origins: Vec::new(),
        };
        ready.add_console(state);
        ready
    }

    /// Parses what was typed; all that is wrong is told at once.
    pub fn parse(state: &AppState, new: &NewTenant) -> Result<Self, PortalError> {
        let mut wrong = Vec::new();
        let name = checked_name(&new.name).unwrap_or_else(|error| {
            wrong.push(error);
            String::new()
        });
        let mut skills = Vec::new();
        for text in &new.skills {
            match known_skill(state, text, new.environment) {
                Ok(skill) => skills.push(skill),
                Err(message) => wrong.push(FieldError {
                    name: "skills",
                    message,
                }),
            }
        }
        let (links, origins) = checked_links(
            &new.redirect_links,
            &new.origins,
            new.environment,
            &mut wrong,
        );
        if !wrong.is_empty() {
            return Err(PortalError::Refused(wrong));
        }
        let mut ready = Self {
            id: TenantId(state.clock.id()),
            name,
            environment: new.environment,
            skills,
            links,
            origins,
        };
        ready.add_console(state);
        Ok(ready)
    }

    /// The console's return link, on sandbox tenants.
    fn add_console(&mut self, state: &AppState) {
        let link = format!("{}{}", state.public_url, links::CONSOLE_RETURN);
        if self.environment == Environment::Sandbox
            && let Ok(link) = RedirectLink::parse(&link, self.environment)
            && !self.links.contains(&link)
        {
            self.links.push(link);
        }
    }
}

/// A tenant's name: 1 to 80 characters.
pub fn checked_name(typed: &str) -> Result<String, FieldError> {
    text::name(typed, LONGEST_NAME).map_err(|error| FieldError {
        name: "name",
        message: error.to_string(),
    })
}

/// Refuses a person a skill that is not published, unless they are an operator.
pub fn may_see(state: &AppState, actor: &Actor, text: &str) -> Result<(), PortalError> {
    let name = SkillName::parse(text).ok();
    let skill = name.and_then(|name| state.skills.get(&name));
    match skill {
        Some(skill) if !skill.published && !actor.admin => Err(PortalError::Forbidden(format!(
            "{} is not published: only administrators may see it, or put it on a whitelist.",
            skill.name
        ))),
        _ => Ok(()),
    }
}

/// A skill of the tenant's own environment.
pub fn known_skill(
    state: &AppState,
    text: &str,
    environment: Environment,
) -> Result<SkillName, String> {
    let skill = SkillName::parse(text)
        .ok()
        .filter(|name| state.skills.get(name).is_some());
    let skill = skill.ok_or_else(|| format!("There is no skill {text}."))?;
    if skill.environment() == environment {
        return Ok(skill);
    }
    Err(format!(
        "{skill} is a {} skill; this tenant is {environment}.",
        skill.environment()
    ))
}

/// Links and origins, one of each spelling, blank lines left out.
pub fn checked_links(
    links: &[String],
    origins: &[String],
    environment: Environment,
    wrong: &mut Vec<FieldError>,
) -> (Vec<RedirectLink>, Vec<Origin>) {
    let links = checked(
        links,
        "redirect_links",
        |text| RedirectLink::parse(text, environment),
        wrong,
    );
    let origins = checked(
        origins,
        "origins",
        |text| Origin::parse(&as_sent(text), environment),
        wrong,
    );
    (links, origins)
}

/// A web origin as browsers write it: the host in A-labels (UTS #46), IPv4 in its one form. What is no web address is
/// left as it was typed, and judged so.
fn as_sent(text: &str) -> String {
    let typed = || text.to_owned();
    let scheme = text.split(':').next().unwrap_or_default();
    let web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let odd = |c: char| c.is_ascii_control() || c.is_whitespace() || matches!(c, '\\' | '*' | '@');
    if !web || !text.contains("://") || text.contains(odd) {
        return typed();
    }
    let Ok(url) = url::Url::parse(text) else {
        return typed();
    };
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}"));
    let query = url.query().map(|query| format!("?{query}"));
    let fragment = url.fragment().map(|fragment| format!("#{fragment}"));
    format!(
        "{}://{host}{}{}{}{}",
        url.scheme(),
        port.unwrap_or_default(),
        url.path(),
        query.unwrap_or_default(),
        fragment.unwrap_or_default()
    )
}

fn checked<T: PartialEq, E: std::fmt::Display>(
    texts: &[String],
    name: &'static str,
    parse: impl Fn(&str) -> Result<T, E>,
    wrong: &mut Vec<FieldError>,
) -> Vec<T> {
    let mut kept = Vec::new();
    for text in texts
        .iter()
        .map(|text| text.trim())
        .filter(|text| !text.is_empty())
    {
        match parse(text) {
            Ok(item) if kept.contains(&item) => {}
            Ok(item) => kept.push(item),
            Err(error) => wrong.push(FieldError {
                name,
                message: format!("{text}: {error}"),
            }),
        }
    }
    if kept.len() > MOST_LINKS {
        wrong.push(FieldError {
            name,
            message: format!("At most {MOST_LINKS}."),
        });
    }
    kept
}

/// Makes a tenant with both keys, its links and its whitelist in the caller's transaction. `by` is who made it: an
/// e-mail address, or `operator`.
pub async fn create_in(
    tx: &mut Tx,
    state: &AppState,
    servicer: ServicerId,
    ready: &CheckedTenant,
    by: &str,
) -> Result<CreatedTenant, ServiceError> {
    let id = ready.id;
    let now = state.clock.now();
    let state = &state.for_new_tenant(tx, id).await?;
    let utx_key = state.clock.random::<32>();
    let utx_key = state
        .vault
        .seal(&state.clock, &aad::utx_key(id), &utx_key)?;
    let row = TenantRow {
        id,
        servicer_id: servicer,
        name: ready.name.clone(),
        environment: ready.environment,
        status: TenantStatus::Active,
        created_at: now,
        version: 1,
    };
    tx.add_tenant(&row, &utx_key).await?;
    tx.set_tenant_links(id, &ready.links, &ready.origins)
        .await?;
    for skill in &ready.skills {
        tx.add_tenant_skill(id, &terms(skill.clone()), now).await?;
    }
    let shape = |kind| KeyShape {
        environment: ready.environment,
        kind,
    };
    let (_, secret) = make_in(tx, state, id, shape(KeyKind::Secret), 0, by).await?;
    let (_, app_key) = make_in(tx, state, id, shape(KeyKind::AppKey), 0, by).await?;
    Ok(CreatedTenant {
        id,
        client_secret: secret.expose_secret().to_owned(),
        client_app_key: app_key.expose_secret().to_owned(),
    })
}

/// A skill with the terms it starts with.
pub fn terms(skill: SkillName) -> WhitelistRow {
    WhitelistRow {
        skill,
        consent_duration: CONSENT_DURATION.default,
        cache_max_data_retention: DATA_RETENTION.default,
    }
}

/// The id of the tenant that a form makes: the birth of its mark, and bits that only this installation can make of the
/// mark and the servicer. A form sent twice therefore names one row, and nobody can name somebody else's.
fn id_for_form(
    state: &AppState,
    servicer: ServicerId,
    mark: Uuid,
) -> Result<TenantId, ServiceError> {
    let text = format!("{servicer}/{mark}");
    let digest = state.vault.digest(&state.pepper, "tenants.form", &text)?;
    let mut random = [0; 10];
    // A data key's digest begins with its version.
    for (to, from) in random.iter_mut().zip(digest.0.iter().skip(1)) {
        *to = *from;
    }
    let birth = mark.as_u128() >> 80;
    let birth = u64::try_from(birth).unwrap_or(0);
    let id = uuid::Builder::from_unix_timestamp_millis(birth, &random);
    Ok(TenantId(id.into_uuid()))
}

/// The right to make tenants of one environment in a servicer. [`TenantCreation::begin`] alone makes one: it asks for the role's
/// permission and, because a tenant comes with keys, for the approval of the servicer and fresh proof where it is production.
pub struct TenantCreation<'a> {
    actor: &'a Actor,
    servicer: ServicerId,
    environment: Environment,
}

impl<'a> TenantCreation<'a> {
    pub fn begin(
        state: &AppState,
        actor: &'a Actor,
        environment: Environment,
    ) -> Result<Self, PortalError> {
        let membership = actor.may(tenants_permission(environment))?;
        if environment == Environment::Production {
            if membership.status != ServicerStatus::Approved {
                return Err(PortalError::Forbidden(NOT_APPROVED.to_owned()));
            }
            actor.fresh(state.clock.now())?;
        }
        Ok(Self {
            actor,
            servicer: membership.servicer,
            environment,
        })
    }
}

/// Makes a tenant for a signed-in person.
pub async fn create(
    state: &AppState,
    making: TenantCreation<'_>,
    new: &NewTenant,
    source: &RequestSource,
) -> Result<Creation, ServiceError> {
    let TenantCreation {
        actor,
        servicer,
        environment,
    } = making;
    if environment != new.environment {
        return Err(ServiceError::Broken(
            "a right to another environment".to_owned(),
        ));
    }
    let by = actor.email.as_str();
    for skill in &new.skills {
        may_see(state, actor, skill)?;
    }
    let mut ready = CheckedTenant::parse(state, new)?;
    if let Some(mark) = new.form {
        ready.id = id_for_form(state, servicer, mark)?;
    }
    let mut tx = state.db.write().await?;
    let made = match create_in(&mut tx, state, servicer, &ready, by).await {
        Err(ServiceError::Database(error)) if is_taken(&error) => {
            return Ok(Creation::Again(ready.id));
        }
        made => made?,
    };
    let detail = json!({ "name": ready.name, "environment": ready.environment });
    tx.audit(&audit_entry(
        state,
        actor,
        source,
        SecurityEvent::TenantCreated,
        made.id,
        detail,
    ))
    .await?;
    tx.commit().await?;
    Ok(Creation::Made(made))
}
