//! Registering: the one form that makes everything, and joining a servicer that exists already.

use app::domain::ids::{PersonId, ServicerId, TenantId};
use app::domain::person::{Email, Role};
use app::domain::servicer::{ServicerKind, ServicerStatus};
use app::portal::people::{SignUp, Start, Started};
use app::portal::{FieldError, Source, Trouble};
use serde_json::json;

use super::{links, ticket, tries};
use crate::mail::letters;
use crate::services::acts::{By, audit};
use crate::services::passwords::judge;
use crate::services::tenants::{Ready, create_in};
use crate::services::trouble::Stop;
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::people::NewPerson;
use crate::storage::servicers::NewServicer;

const FIRST_TENANT: &str = "My first tenant";
const NO_SUCH_INVITATION: &str = "This servicer id and claim token do not belong together, or the token was used or is \
                                  older than 7 days. Ask whoever gave them to you for new ones.";

/// What registering made.
pub struct Made {
    pub person: PersonId,
    pub servicer: ServicerId,
    pub tenant: TenantId,
    pub client_secret: String,
    pub client_app_key: String,
}

/// Checks the one form and makes everything it promises, in one transaction.
pub async fn start(state: &AppState, form: Start, source: &Source) -> Result<Started, Stop> {
    let (form, email) = checked(state, form)?;
    let ticket = ticket(state)?;
    tries::count(state, tries::Kind::SignUp, None, source).await?;
    let hash = ticket.hash(&form.password.clone().into()).await?;
    let mut tx = state.db.write().await?;
    let made = make_sandbox(state, &mut tx, &form, &email, hash, source).await?;
    let link = links::add_verify_link(state, &mut tx, made.person).await?;
    let brand = &state.config.portal.brand;
    let id = made.servicer.to_string();
    let letter = letters::welcome(brand, email.as_str(), &form.name, &id, &link);
    links::write(state, &mut tx, letter).await?;
    tx.commit().await?;
    state.queue.wake();
    Ok(Started {
        person: made.person,
        servicer: made.servicer,
        tenant: made.tenant,
        client_secret: made.client_secret,
        client_app_key: made.client_app_key,
    })
}

/// Servicer, owner and a sandbox tenant that works at once, with their audit rows, in the caller's transaction.
pub async fn make_sandbox(
    state: &AppState,
    tx: &mut Tx,
    form: &Start,
    email: &Email,
    password: String,
    source: &Source,
) -> Result<Made, Stop> {
    let now = state.clock.now();
    let servicer = ServicerId(state.clock.id());
    tx.add_servicer(&NewServicer {
        id: servicer,
        name: form.name.clone(),
        kind: ServicerKind::Consumer,
        legal_form: form.legal_form,
        country: form.country.clone(),
        created_at: now,
    })
    .await?;
    let person = add_person(state, tx, email, password).await?;
    tx.join_servicer(person, servicer, Role::Owner, now).await?;
    let by = By::person(person, email.as_str(), source);
    let detail = json!({ "name": form.name, "country": form.country });
    audit(
        state,
        tx,
        &by,
        Some(servicer),
        "servicer.registered",
        servicer,
        detail,
    )
    .await?;
    let ready = Ready::starter(state, FIRST_TENANT);
    let created = create_in(tx, state, servicer, &ready, email.as_str()).await?;
    let detail = json!({ "name": ready.name, "environment": ready.environment });
    audit(
        state,
        tx,
        &by,
        Some(servicer),
        "tenant.created",
        created.id,
        detail,
    )
    .await?;
    Ok(Made {
        person,
        servicer,
        tenant: created.id,
        client_secret: created.client_secret,
        client_app_key: created.client_app_key,
    })
}

async fn add_person(
    state: &AppState,
    tx: &mut Tx,
    email: &Email,
    password: String,
) -> Result<PersonId, Stop> {
    let person = PersonId(state.clock.id());
    tx.add_person(&NewPerson {
        id: person,
        email: email.as_str().to_owned(),
        email_key: email.key(),
        password: Some(password),
        verified_at: None,
        admin: false,
        created_at: state.clock.now(),
    })
    .await?;
    Ok(person)
}

/// The form with its texts trimmed, or everything that is wrong with it at once.
fn checked(state: &AppState, mut form: Start) -> Result<(Start, Email), Stop> {
    let mut errors = Vec::new();
    let mut refuse = |name, message: String| errors.push(FieldError { name, message });
    form.name = String::from(form.name.trim());
    form.country = form.country.trim().to_ascii_uppercase();
    if form.name.is_empty() || form.name.chars().count() > 120 {
        refuse("name", "Enter a name of 1 to 120 characters.".to_owned());
    } else if form.name.chars().any(char::is_control) {
        refuse(
            "name",
            "Leave line breaks and control characters out.".to_owned(),
        );
    }
    if form.country.len() != 2 || !form.country.bytes().all(|b| b.is_ascii_uppercase()) {
        refuse("country", "Choose a country from the list.".to_owned());
    }
    let email = Email::parse(&form.email);
    match &email {
        Ok(email) => {
            let names = [state.config.portal.brand.as_str(), &form.name];
            if let Err(why) = judge(&form.password, email, &names) {
                refuse("password", why);
            }
        }
        Err(error) => refuse("email", error.to_string()),
    }
    match email {
        Ok(email) if errors.is_empty() => Ok((form, email)),
        _ => Err(Trouble::Refused(errors).into()),
    }
}

/// Joins a servicer with its claim token. Whether the id or the token was wrong is not told.
pub async fn sign_up(state: &AppState, form: SignUp, source: &Source) -> Result<PersonId, Stop> {
    let stranger = || Stop::from(Trouble::field("claim_token", NO_SUCH_INVITATION));
    let email =
        Email::parse(&form.email).map_err(|error| Trouble::field("email", error.to_string()))?;
    links::judged(state, email.as_str(), &form.password)?;
    let servicer: ServicerId = form.servicer_id.trim().parse().map_err(|_| stranger())?;
    let digest = state.pepper.digest("claim_token", form.claim_token.trim());
    let ticket = ticket(state)?;
    tries::count(state, tries::Kind::SignUp, None, source).await?;
    let hash = ticket.hash(&form.password.clone().into()).await?;
    let now = state.clock.now();
    let mut tx = state.db.write().await?;
    if !tx.use_claim_token(&digest, servicer, now).await? {
        return Err(stranger());
    }
    match tx.hold_servicer(servicer).await? {
        None => return Err(stranger()),
        Some(ServicerStatus::Suspended) => {
            let why = "This servicer is suspended: nobody can join it now.";
            return Err(Trouble::Forbidden(why.to_owned()).into());
        }
        Some(_) => {}
    }
    let person = add_person(state, &mut tx, &email, hash).await?;
    let role = tx
        .join_servicer(person, servicer, Role::Developer, now)
        .await?;
    let by = By::person(person, email.as_str(), source);
    let detail = json!({ "role": role });
    audit(
        state,
        &mut tx,
        &by,
        Some(servicer),
        "person.joined",
        person,
        detail,
    )
    .await?;
    let name = tx.servicer(servicer).await?.map(|(name, _)| name);
    let link = links::add_verify_link(state, &mut tx, person).await?;
    let letter = letters::welcome(
        &state.config.portal.brand,
        email.as_str(),
        &name.unwrap_or_default(),
        &servicer.to_string(),
        &link,
    );
    links::write(state, &mut tx, letter).await?;
    tx.commit().await?;
    state.queue.wake();
    Ok(person)
}
