//! Links that are mailed or printed: how they are made, how they are looked up, and to whom they go.

use app::domain::ids::{PersonId, ServicerId};
use app::domain::person::Email;
use app::portal::{Actor, PortalError, RequestSource};
use chrono::Duration;
use kernel::crypto::Digest;

use super::{chosen, login_throttle};
use crate::jobs::password_link::SendPasswordLink;
use crate::jobs::send_mail::SendMail;
use crate::mail::{Letter, letters};
use crate::security::{self, SecurityEvent};
use crate::services::portal::passwords::check_strength;
use crate::services::refusal::ServiceError;
use crate::state::AppState;
use crate::storage::email_links::LinkPurpose;
use crate::storage::people::PersonRow;
use crate::storage::{DbError, Tx};

const VERIFY_LIVES: Duration = Duration::hours(24);
const PASSWORD_LIVES: Duration = Duration::minutes(10);
/// A link that an operator has printed and must hand over.
const PRINTED_LIVES: Duration = Duration::hours(24);
/// Makes the link that proves a person's address; returns its URL.
pub async fn add_verify_link(
    state: &AppState,
    tx: &mut Tx,
    person: PersonId,
) -> Result<String, ServiceError> {
    let token = add(state, tx, person, LinkPurpose::Verify, VERIFY_LIVES).await?;
    Ok(format!(
        "{}{}",
        state.public_url,
        app::links::verify(&token)
    ))
}

/// Makes a password link to be handed over by an operator; returns its URL. Using it makes the person an operator.
pub async fn add_printed_link(
    state: &AppState,
    tx: &mut Tx,
    person: PersonId,
) -> Result<String, ServiceError> {
    let token = add(state, tx, person, LinkPurpose::Password, PRINTED_LIVES).await?;
    tx.make_operator_link(&digest(state, &token)).await?;
    Ok(format!("{}{}", state.public_url, app::links::reset(&token)))
}

async fn add(
    state: &AppState,
    tx: &mut Tx,
    person: PersonId,
    purpose: LinkPurpose,
    lives: Duration,
) -> Result<String, ServiceError> {
    let (token, now) = (state.clock.token(), state.clock.now());
    tx.add_email_link(&digest(state, &token), person, purpose, now, now + lives)
        .await?;
    Ok(token)
}

/// The digest that a link's token is kept as. What mail programs take for the end of a link, a full stop or a bracket, is
/// none of it.
pub fn digest(state: &AppState, token: &str) -> Digest {
    let end = token.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')));
    let token = end.and_then(|end| token.get(..end)).unwrap_or(token);
    state.pepper.digest("email_link", token)
}

/// The account that a link is for, while the link is good. Links that are nobody's are counted.
pub async fn person_of(
    state: &AppState,
    token: &str,
    purpose: LinkPurpose,
    source: &RequestSource,
) -> Result<PersonRow, ServiceError> {
    login_throttle::may_look(state, source).await?;
    let mut tx = state.db.read().await?;
    let now = state.clock.now();
    let person = tx.email_link(&digest(state, token), purpose, now).await?;
    let row = match person {
        Some(id) => tx.person(id).await?,
        None => None,
    };
    drop(tx);
    if row.is_none() {
        security::tell(
            SecurityEvent::AuthenticationFailed,
            security::who(),
            None,
            &source.ip,
        );
        login_throttle::count(state, login_throttle::ThrottledAction::Link, None, source).await?;
    }
    row.ok_or_else(|| PortalError::NotFound.into())
}

/// Makes an address an account's own: everybody else who claimed it without proof is signed out and cannot sign in with
/// it again. Nothing of theirs moves. Fails with a lost race if another account proved it at this instant.
pub async fn own_address(state: &AppState, tx: &mut Tx, row: &PersonRow) -> Result<(), DbError> {
    let key = &row.registered_key;
    tx.verify_person(row.id, key, state.clock.now()).await?;
    tx.release_email(key).await
}

/// Adds the job that sends a letter.
pub async fn write(state: &AppState, tx: &mut Tx, letter: Letter) -> Result<(), ServiceError> {
    Ok(state.queue.add(tx, &SendMail(letter)).await?)
}

/// Takes note that somebody forgot a password; what follows is a job's work, whatever the address.
pub async fn forgot(
    state: &AppState,
    email: &str,
    source: &RequestSource,
) -> Result<(), ServiceError> {
    let email =
        Email::parse(email).map_err(|error| PortalError::field("email", error.to_string()))?;
    login_throttle::count(state, login_throttle::ThrottledAction::Letter, None, source).await?;
    let mut tx = state.db.write().await?;
    let job = SendPasswordLink {
        email_key: email.key(),
    };
    state.queue.add(&mut tx, &job).await?;
    tx.commit().await?;
    Ok(())
}

/// The job's part: the account that proved the address gets the link. If none did, the link is for whichever of them the
/// reader of the mailbox chooses, so that a stranger's registration neither takes the place of another nor is handed over
/// unasked (`reset`).
pub async fn mail_password_link(state: &AppState, email_key: &str) -> Result<(), ServiceError> {
    let mut tx = state.db.write().await?;
    let proved = tx.owner_of_email(email_key).await?;
    let person = if let Some(row) = &proved {
        row.clone()
    } else {
        let first = tx.unproved(email_key, true, 1).await?.into_iter().next();
        let Some(first) = first else { return Ok(()) };
        let row = tx.person(first.id).await?;
        row.ok_or_else(|| ServiceError::Broken("an account that is not there".to_owned()))?
    };
    if may_write(state, &mut tx, email_key, proved.is_some()).await? {
        let purpose = LinkPurpose::Password;
        let token = add(state, &mut tx, person.id, purpose, PASSWORD_LIVES).await?;
        let link = format!("{}{}", state.public_url, app::links::reset(&token));
        let letter = letters::password_link(&state.config.portal.brand, &person.email, &link);
        write(state, &mut tx, letter).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Counts a letter about an account. Returns `true` if one more may be sent now.
async fn may_write(
    state: &AppState,
    tx: &mut Tx,
    email_key: &str,
    proved: bool,
) -> Result<bool, ServiceError> {
    if proved {
        login_throttle::may_write_to(state, tx, email_key).await
    } else {
        login_throttle::may_write_to_unproved(state, tx, email_key).await
    }
}

/// Sends a letter about something that happened to an account; to an address that nobody proved only as long as it has
/// not had its letters of the day.
pub async fn write_about(
    state: &AppState,
    tx: &mut Tx,
    email_key: &str,
    proved: bool,
    letter: Letter,
) -> Result<(), ServiceError> {
    if proved || login_throttle::may_write_to_unproved(state, tx, email_key).await? {
        write(state, tx, letter).await?;
    }
    Ok(())
}

/// Mails the link that proves the address of an account just made, beside what `letter` says; nothing if the address
/// has had its letters of the day.
pub async fn welcome(
    state: &AppState,
    tx: &mut Tx,
    person: PersonId,
    email: &Email,
    (servicer, name): (ServicerId, &str),
) -> Result<(), ServiceError> {
    if !login_throttle::may_write_to_unproved(state, tx, &email.key()).await? {
        tracing::info!("a registration got no letter: its address has had those of the day");
        return Ok(());
    }
    let link = add_verify_link(state, tx, person).await?;
    let brand = &state.config.portal.brand;
    let letter = letters::welcome(brand, email.as_str(), name, &servicer.to_string(), &link);
    write(state, tx, letter).await
}

/// Fails with the reason if a new password is not good enough.
pub fn judged(state: &AppState, email: &str, password: &str) -> Result<(), ServiceError> {
    let email = Email::stored(email);
    check_strength(password, Some(&email), &[&state.config.portal.brand]).map_err(chosen)
}

/// The letter that tells of a new password.
pub fn changed(state: &AppState, email: &str) -> Letter {
    let forgot = format!("{}{}", state.public_url, app::links::FORGOT);
    letters::password_changed(&state.config.portal.brand, email, &forgot)
}

/// Mails the proof link again.
pub async fn send_verification(state: &AppState, actor: &Actor) -> Result<(), ServiceError> {
    if actor.verified {
        let why = "Your email address is confirmed already: no email is needed.";
        return Err(PortalError::Conflict(why.to_owned()).into());
    }
    let mut tx = state.db.write().await?;
    if !login_throttle::may_write_to_unproved(state, &mut tx, &actor.email.key()).await? {
        return Err(PortalError::Conflict(
            "We've already sent several emails to this address today. Check the inbox, spam included, or ask for another \
             tomorrow."
                .to_owned(),
        )
        .into());
    }
    let link = add_verify_link(state, &mut tx, actor.person).await?;
    let brand = &state.config.portal.brand;
    let letter = letters::verification(brand, actor.email.as_str(), &link);
    write(state, &mut tx, letter).await?;
    tx.commit().await?;
    Ok(())
}

/// The first two characters and the domain.
pub fn masked(email: &str) -> String {
    let (local, domain) = email.rsplit_once('@').unwrap_or((email, ""));
    let shown: String = local.chars().take(2).collect();
    format!("{shown}…@{domain}")
}
