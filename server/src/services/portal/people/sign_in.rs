//! Checking an address and a password: at sign-in, before an act that breaks things, and to change the password.

use app::domain::ids::PersonId;
use app::domain::person::Email;
use app::portal::{Actor, PortalError, RequestSource};
use secrecy::SecretString;
use serde_json::json;

use super::{devices, links, login_throttle, ticket};
use crate::security::{self, EventActor, SecurityEvent};
use crate::services::portal::audit::{AuditActor, audit};
use crate::services::portal::outcome::audit_entry;
use crate::services::portal::passwords::LONGEST_BYTES;
use crate::services::refusal::ServiceError;
use crate::state::AppState;
use crate::state::passwords::{PasswordCheck, QueueSlot};
use crate::storage::people::PersonRow;

const WRONG_PAIR: &str = "Email or password is incorrect.";
const WRONG: &str = "This is not your password.";

/// Number of passwords compared before a pair is called wrong, the same for every address: the one of the account that
/// proved it and of two that did not, and a dummy hash in place of each that does not exist.
const CHECKS: usize = 3;
/// A longer text is no address, in bytes.
const LONGEST_EMAIL: usize = 1024;

/// Signs in: the person whose address and password these are.
pub async fn sign_in(
    state: &AppState,
    email: &str,
    password: &str,
    source: &RequestSource,
) -> Result<PersonId, ServiceError> {
    let signed_in = recognise(state, email, password, source).await;
    if let Err(ServiceError::Refused(PortalError::Refused(_))) = &signed_in {
        security::tell(
            SecurityEvent::AuthenticationFailed,
            EventActor::Stranger,
            None,
            &source.ip,
        );
    }
    signed_in
}

async fn recognise(
    state: &AppState,
    email: &str,
    password: &str,
    source: &RequestSource,
) -> Result<PersonId, ServiceError> {
    let wrong = || ServiceError::from(PortalError::field("password", WRONG_PAIR));
    let typed = email.trim().to_lowercase();
    let key = Email::parse(email).map_or_else(|_| typed.clone(), |email| email.key());
    if email.len() > LONGEST_EMAIL || password.len() > LONGEST_BYTES {
        return Err(wrong());
    }
    let ticket = ticket(state)?;
    let device = devices::known(state, source);
    let known = device.as_ref().map(|device| device.person);
    let mut tx = state.db.read().await?;
    let mut rows = tx.sign_in_rows(&key, known).await?;
    if typed != key {
        // Accounts from before addresses had one spelling, whose new one another account holds (`spelling`).
        rows.extend(tx.sign_in_rows(&typed, known).await?);
    }
    drop(tx);
    let password: SecretString = password.to_owned().into();
    let (theirs, others): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| Some(row.id) == known);
    let in_own_browser = !theirs.is_empty();
    if let (Some(row), Some(device)) = (theirs.into_iter().next(), &device) {
        // The account's own browser: strangers' failures are nothing to it, and its own are counted apart.
        let counted = login_throttle::count_known(state, device).await?;
        let verdict = ticket.check(&password, row.password.as_deref()).await?;
        if verdict != PasswordCheck::Wrong {
            return finish(state, &ticket, (row, verdict), &password, &counted, source).await;
        }
    }
    let counted = login_throttle::count(
        state,
        login_throttle::ThrottledAction::SignIn,
        Some(&key),
        source,
    )
    .await;
    let counted = match counted {
        // Told in its own browser that the password is wrong, the owner knows more than by being told to wait.
        Err(ServiceError::Refused(PortalError::Wait(_))) if in_own_browser => return Err(wrong()),
        counted => counted?,
    };
    let Some(found) = find(&ticket, others, &password).await? else {
        return Err(wrong());
    };
    finish(state, &ticket, found, &password, &counted, source).await
}

/// Writes down that somebody signed in, with a hash of today's strength.
async fn finish(
    state: &AppState,
    ticket: &QueueSlot,
    (person, verdict): (PersonRow, PasswordCheck),
    password: &SecretString,
    counted: &login_throttle::CountedAttempt,
    source: &RequestSource,
) -> Result<PersonId, ServiceError> {
    let again = match verdict {
        PasswordCheck::RightButOld => Some(ticket.hash(password).await?),
        _ => None,
    };
    let mut tx = state.db.write().await?;
    counted.refund(&mut tx).await?;
    if let (Some(new), Some(old)) = (&again, &person.password) {
        tx.replace_password(person.id, old, new).await?;
    }
    tx.touch_person(person.id, state.clock.now()).await?;
    let servicer = tx.servicers_of(person.id).await?.first().copied();
    let by = AuditActor::person(person.id, &person.email, source);
    audit(
        state,
        &mut tx,
        &by,
        servicer,
        SecurityEvent::PersonSignedIn,
        person.id,
        json!({}),
    )
    .await?;
    tx.commit().await?;
    Ok(person.id)
}

/// The row whose password this is. Every address takes as many checks before it is refused, so that neither an account
/// nor a stranger's registration shows in the time.
async fn find(
    ticket: &QueueSlot,
    rows: Vec<PersonRow>,
    password: &SecretString,
) -> Result<Option<(PersonRow, PasswordCheck)>, ServiceError> {
    let checks = rows.len().max(CHECKS);
    let mut rows = rows.into_iter();
    for _ in 0..checks {
        let row = rows.next();
        let stored = row.as_ref().and_then(|row| row.password.as_deref());
        let verdict = ticket.check(password, stored).await?;
        if let Some(row) = row.filter(|_| verdict != PasswordCheck::Wrong) {
            return Ok(Some((row, verdict)));
        }
    }
    Ok(None)
}

/// Checks a password that somebody shows to be taken for an account's person, and hands back the hash it was checked
/// against. `field` is where the refusal is shown.
pub(super) async fn check_shown_password(
    state: &AppState,
    ticket: &QueueSlot,
    row: &PersonRow,
    password: &str,
    field: &'static str,
    source: &RequestSource,
) -> Result<(login_throttle::CountedAttempt, String), ServiceError> {
    let wrong = || {
        let who = EventActor::Person(row.id);
        security::tell(SecurityEvent::AuthenticationFailed, who, None, &source.ip);
        ServiceError::from(PortalError::field(field, WRONG))
    };
    if password.len() > LONGEST_BYTES {
        return Err(wrong());
    }
    let device = devices::known(state, source).filter(|device| device.person == row.id);
    let counted = if let Some(device) = device {
        login_throttle::count_known(state, &device).await?
    } else {
        let account = row.id.to_string();
        login_throttle::count(
            state,
            login_throttle::ThrottledAction::SignIn,
            Some(&account),
            source,
        )
        .await?
    };
    let password: SecretString = password.to_owned().into();
    let stored = row.password.clone();
    match (ticket.check(&password, stored.as_deref()).await?, stored) {
        (PasswordCheck::Right | PasswordCheck::RightButOld, Some(stored)) => Ok((counted, stored)),
        _ => Err(wrong()),
    }
}

/// Checks the password of somebody signed in.
async fn check_own(
    state: &AppState,
    ticket: &QueueSlot,
    actor: &Actor,
    password: &str,
    field: &'static str,
    source: &RequestSource,
) -> Result<(login_throttle::CountedAttempt, String), ServiceError> {
    let row = state.db.read().await?.person(actor.person).await?;
    let row = row.ok_or(PortalError::NotFound)?;
    check_shown_password(state, ticket, &row, password, field, source).await
}

/// Starts the ten minutes in which acts that break things are allowed.
pub async fn prove(
    state: &AppState,
    actor: &Actor,
    password: &str,
    source: &RequestSource,
) -> Result<(), ServiceError> {
    let ticket = ticket(state)?;
    let (counted, _) = check_own(state, &ticket, actor, password, "password", source).await?;
    let mut tx = state.db.write().await?;
    counted.refund(&mut tx).await?;
    if !tx
        .prove_portal_session(actor.session, actor.person, state.clock.now())
        .await?
    {
        return Err(PortalError::NotFound.into());
    }
    let person = actor.person;
    let proved = audit_entry(
        state,
        actor,
        source,
        SecurityEvent::PersonProved,
        person,
        json!({}),
    );
    tx.audit(&proved).await?;
    Ok(tx.commit().await?)
}

/// Changes the password and signs out every other browser.
pub async fn change_password(
    state: &AppState,
    actor: &Actor,
    old: &str,
    new: &str,
    source: &RequestSource,
) -> Result<(), ServiceError> {
    links::judged(state, actor.email.as_str(), new).map_err(|stop| match stop {
        ServiceError::Refused(PortalError::Refused(errors)) => {
            ServiceError::Refused(PortalError::Refused(
                errors
                    .into_iter()
                    .map(|mut error| {
                        error.name = "new";
                        error
                    })
                    .collect(),
            ))
        }
        other => other,
    })?;
    let ticket = ticket(state)?;
    let (counted, stored) = check_own(state, &ticket, actor, old, "old", source).await?;
    let hash = ticket.hash(&new.to_owned().into()).await?;
    let mut tx = state.db.write().await?;
    counted.refund(&mut tx).await?;
    if !tx.replace_password(actor.person, &stored, &hash).await? {
        let why = "The password was changed elsewhere meanwhile. Sign in again.";
        return Err(PortalError::Conflict(why.to_owned()).into());
    }
    tx.end_portal_sessions_of(actor.person, Some(actor.session))
        .await?;
    tx.end_password_links(actor.person, state.clock.now())
        .await?;
    let person = actor.person;
    let changed = audit_entry(
        state,
        actor,
        source,
        SecurityEvent::PasswordChanged,
        person,
        json!({}),
    );
    tx.audit(&changed).await?;
    let letter = links::changed(state, actor.email.as_str());
    links::write_about(state, &mut tx, &actor.email.key(), actor.verified, letter).await?;
    tx.commit().await?;
    Ok(())
}
