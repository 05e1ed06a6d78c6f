//! Registering: the one form that makes everything, and joining a servicer that exists already.

use app::domain::ids::{PersonId, ServicerId, TenantId};
use app::domain::person::{Email, Role};
use app::domain::servicer::{LONGEST_NAME, ServicerKind, ServicerStatus};
use app::domain::{country, text};
use app::portal::people::{SignUp, Start, Started};
use app::portal::{FieldError, PortalError, RequestSource};
use serde_json::json;

use super::{links, login_throttle, ticket};
use crate::security::{self, SecurityEvent};
use crate::services::portal::audit::{AuditActor, audit};
use crate::services::portal::passwords::check_strength;
use crate::services::portal::tenants::{CheckedTenant, create_in};
use crate::services::refusal::ServiceError;
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::people::NewPerson;
use crate::storage::servicers::NewServicer;

const FIRST_TENANT: &str = "My first tenant";
const NO_SUCH_INVITATION: &str = "This servicer id and claim token do not belong together, or the token was used or is \
                                  older than 7 days. Ask whoever gave them to you for new ones.";

/// Ids and keys that registering made.
pub struct Registered {
    pub person: PersonId,
    pub servicer: ServicerId,
    pub tenant: TenantId,
    pub client_secret: String,
    pub client_app_key: String,
}

/// Checks the one form and makes everything it promises, in one transaction.
pub async fn start(
    state: &AppState,
    form: Start,
    source: &RequestSource,
) -> Result<Started, ServiceError> {
    let (form, email) = checked(state, form)?;
    let ticket = ticket(state)?;
    login_throttle::count(state, login_throttle::ThrottledAction::SignUp, None, source).await?;
    let hash = ticket.hash(&form.password.clone().into()).await?;
    let mut tx = state.db.write().await?;
    let made = make_sandbox(state, &mut tx, &form, &email, hash, source).await?;
    let servicer = (made.servicer, form.name.as_str());
    links::welcome(state, &mut tx, made.person, &email, servicer).await?;
    tx.commit().await?;
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
    source: &RequestSource,
) -> Result<Registered, ServiceError> {
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
    let by = AuditActor::person(person, email.as_str(), source);
    let detail = json!({ "name": form.name, "country": form.country });
    audit(
        state,
        tx,
        &by,
        Some(servicer),
        SecurityEvent::ServicerRegistered,
        servicer,
        detail,
    )
    .await?;
    let ready = CheckedTenant::starter(state, FIRST_TENANT);
    let created = create_in(tx, state, servicer, &ready, email.as_str()).await?;
    let detail = json!({ "name": ready.name, "environment": ready.environment });
    audit(
        state,
        tx,
        &by,
        Some(servicer),
        SecurityEvent::TenantCreated,
        created.id,
        detail,
    )
    .await?;
    Ok(Registered {
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
) -> Result<PersonId, ServiceError> {
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
fn checked(state: &AppState, mut form: Start) -> Result<(Start, Email), ServiceError> {
    let mut errors = Vec::new();
    let mut refuse = |name, message: String| errors.push(FieldError { name, message });
    match text::name(&form.name, LONGEST_NAME) {
        Ok(name) => form.name = name,
        Err(error) => refuse("name", error.to_string()),
    }
    form.country = form.country.trim().to_ascii_uppercase();
    if country::name(&form.country).is_none() {
        refuse("country", "Choose a country from the list.".to_owned());
    }
    let email = Email::parse(&form.email);
    if let Err(error) = &email {
        refuse("email", error.to_string());
    }
    let names = [state.config.portal.brand.as_str(), &form.name];
    if let Err(why) = check_strength(&form.password, email.as_ref().ok(), &names) {
        refuse("password", why);
    }
    match email {
        Ok(email) if errors.is_empty() => Ok((form, email)),
        _ => Err(PortalError::Refused(errors).into()),
    }
}

/// Joins a servicer with its claim token. Whether the id or the token was wrong is not told.
pub async fn sign_up(
    state: &AppState,
    form: SignUp,
    source: &RequestSource,
) -> Result<PersonId, ServiceError> {
    let (servicer, email) = checked_sign_up(state, &form)?;
    let ticket = ticket(state)?;
    login_throttle::count(state, login_throttle::ThrottledAction::SignUp, None, source).await?;
    let hash = ticket.hash(&form.password.clone().into()).await?;
    let now = state.clock.now();
    let mut tx = state.db.write().await?;
    claim(state, &mut tx, servicer, &form.claim_token).await?;
    let person = add_person(state, &mut tx, &email, hash).await?;
    let role = tx
        .join_servicer(person, servicer, Role::Developer, now)
        .await?;
    let by = AuditActor::person(person, email.as_str(), source);
    let detail = json!({ "role": role });
    audit(
        state,
        &mut tx,
        &by,
        Some(servicer),
        SecurityEvent::PersonJoined,
        person,
        detail,
    )
    .await?;
    let name = tx.servicer(servicer).await?.map(|(name, _)| name);
    let name = name.unwrap_or_default();
    links::welcome(state, &mut tx, person, &email, (servicer, &name)).await?;
    tx.commit().await?;
    Ok(person)
}

/// Servicer and address of the form, or everything that is wrong with it at once.
fn checked_sign_up(state: &AppState, form: &SignUp) -> Result<(ServicerId, Email), ServiceError> {
    let mut errors = Vec::new();
    let mut refuse = |name, message: String| errors.push(FieldError { name, message });
    let servicer = form.servicer_id.trim().parse::<ServicerId>();
    if form.servicer_id.trim().is_empty() {
        refuse("servicer_id", "Enter the servicer id.".to_owned());
    }
    if form.claim_token.trim().is_empty() {
        refuse(
            "claim_token",
            "Enter the claim token that came with the id.".to_owned(),
        );
    } else if servicer.is_err() && !form.servicer_id.trim().is_empty() {
        refuse("claim_token", NO_SUCH_INVITATION.to_owned());
    }
    let email = Email::parse(&form.email);
    if let Err(error) = &email {
        refuse("email", error.to_string());
    }
    let names = [state.config.portal.brand.as_str()];
    if let Err(why) = check_strength(&form.password, email.as_ref().ok(), &names) {
        refuse("password", why);
    }
    match (servicer, email) {
        (Ok(servicer), Ok(email)) if errors.is_empty() => Ok((servicer, email)),
        _ => Err(PortalError::Refused(errors).into()),
    }
}

/// The refusal of an id and a token that do not belong together.
pub(super) fn stranger() -> ServiceError {
    PortalError::field("claim_token", NO_SUCH_INVITATION).into()
}

/// Uses a claim token up and takes its servicer's row, so that only one can be the first to join.
pub(super) async fn claim(
    state: &AppState,
    tx: &mut Tx,
    servicer: ServicerId,
    token: &str,
) -> Result<(), ServiceError> {
    let digest = state.pepper.digest("claim_token", token.trim());
    if !tx
        .use_claim_token(&digest, servicer, state.clock.now())
        .await?
    {
        security::tell(
            SecurityEvent::AuthenticationFailed,
            security::who(),
            None,
            "",
        );
        return Err(stranger());
    }
    match tx.hold_servicer(servicer).await? {
        None => Err(stranger()),
        Some(ServicerStatus::Suspended) => {
            let why = "This servicer is suspended: nobody can join it now.";
            Err(PortalError::Forbidden(why.to_owned()).into())
        }
        Some(_) => Ok(()),
    }
}
