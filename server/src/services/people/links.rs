//! Links that were mailed: proving an address, choosing a new password.

use app::domain::ids::PersonId;
use app::domain::person::Email;
use app::portal::{Actor, Source, Trouble};
use chrono::Duration;
use secrecy::SecretString;
use serde_json::json;

use super::{chosen, ticket, tries};
use crate::jobs::password_link::PasswordLink;
use crate::jobs::send_mail::SendMail;
use crate::mail::{Letter, letters};
use crate::services::acts::{By, audit};
use crate::services::passwords::judge;
use crate::services::trouble::Stop;
use crate::state::AppState;
use crate::storage::email_links::LinkPurpose;
use crate::storage::people::PersonRow;
use crate::storage::{DbError, Tx, lost_race};

const VERIFY_LIVES: Duration = Duration::hours(24);
const PASSWORD_LIVES: Duration = Duration::minutes(10);
/// A link that an operator has printed and must hand over.
const PRINTED_LIVES: Duration = Duration::hours(24);
/// How often an address is proved against others who prove it at the same instant. Whoever loses lets another get a
/// statement further, and finds its work done once it has committed.
const PROOF_TRIES: u32 = 8;

/// Makes the link that proves a person's address; returns its URL.
pub async fn add_verify_link(
    state: &AppState,
    tx: &mut Tx,
    person: PersonId,
) -> Result<String, Stop> {
    let token = add(state, tx, person, LinkPurpose::Verify, VERIFY_LIVES).await?;
    Ok(format!(
        "{}{}",
        state.public_url,
        app::links::verify(&token)
    ))
}

/// Makes a password link to be handed over by an operator; returns its URL.
pub async fn add_printed_link(
    state: &AppState,
    tx: &mut Tx,
    person: PersonId,
) -> Result<String, Stop> {
    let token = add(state, tx, person, LinkPurpose::Password, PRINTED_LIVES).await?;
    Ok(format!("{}{}", state.public_url, app::links::reset(&token)))
}

async fn add(
    state: &AppState,
    tx: &mut Tx,
    person: PersonId,
    purpose: LinkPurpose,
    lives: Duration,
) -> Result<String, Stop> {
    let (token, now) = (state.clock.token(), state.clock.now());
    let digest = state.pepper.digest("email_link", &token);
    tx.add_email_link(&digest, person, purpose, now, now + lives)
        .await?;
    Ok(token)
}

/// Adds the job that sends a letter.
pub async fn write(state: &AppState, tx: &mut Tx, letter: Letter) -> Result<(), Stop> {
    Ok(state.queue.add(tx, &SendMail(letter)).await?)
}

/// Takes note that somebody forgot a password; what follows is a job's work, whatever the address.
pub async fn forgot(state: &AppState, email: &str, source: &Source) -> Result<(), Stop> {
    let email = Email::parse(email).map_err(|error| Trouble::field("email", error.to_string()))?;
    tries::count(state, tries::Kind::Letter, None, source).await?;
    let mut tx = state.db.write().await?;
    let job = PasswordLink {
        email_key: email.key(),
    };
    state.queue.add(&mut tx, &job).await?;
    tx.commit().await?;
    state.queue.wake();
    Ok(())
}

/// The job's part: the one who proved the address gets the link; if nobody did, the newest who uses it.
pub async fn mail_password_link(state: &AppState, email_key: &str) -> Result<(), Stop> {
    let mut tx = state.db.write().await?;
    let Some(person) = tx.people_by_email(email_key).await?.into_iter().next() else {
        return Ok(());
    };
    if tries::may_write_to(state, &mut tx, email_key).await? {
        let token = add(
            state,
            &mut tx,
            person.id,
            LinkPurpose::Password,
            PASSWORD_LIVES,
        )
        .await?;
        let link = format!("{}{}", state.public_url, app::links::reset(&token));
        let letter = letters::password_link(&state.config.portal.brand, &person.email, &link);
        write(state, &mut tx, letter).await?;
    }
    tx.commit().await?;
    state.queue.wake();
    Ok(())
}

/// The address behind a password link that is still good, masked: `an…@example.com`.
pub async fn reset_link(state: &AppState, token: &str) -> Result<String, Stop> {
    let mut tx = state.db.read().await?;
    let person = live_link(state, &mut tx, token).await?;
    Ok(masked(&person.email))
}

async fn live_link(state: &AppState, tx: &mut Tx, token: &str) -> Result<PersonRow, Stop> {
    let digest = state.pepper.digest("email_link", token);
    let person = tx
        .email_link(&digest, LinkPurpose::Password, state.clock.now())
        .await?;
    match person {
        Some(id) => tx.person(id).await?.ok_or(Trouble::NotFound.into()),
        None => Err(Trouble::NotFound.into()),
    }
}

/// Sets a password with a link. Only its owner reads a mailbox, so the address counts as proved, too.
pub async fn reset(
    state: &AppState,
    token: &str,
    password: &str,
    source: &Source,
) -> Result<PersonId, Stop> {
    let before = live_link(state, &mut state.db.read().await?, token).await?;
    judged(state, &before.email, password)?;
    let password: SecretString = password.to_owned().into();
    let hash = ticket(state)?.hash(&password).await?;
    let digest = state.pepper.digest("email_link", token);
    let now = state.clock.now();
    let mut tx = state.db.write().await?;
    let used = tx
        .use_email_link(&digest, LinkPurpose::Password, now)
        .await?
        .ok_or(Trouble::NotFound)?;
    let person = prove_address(state, &mut tx, used).await?;
    tx.set_password(person, &hash).await?;
    tx.end_password_links(person, now).await?;
    tx.end_portal_sessions_of(person, None).await?;
    let by = By::person(person, &before.email, source);
    audit(
        state,
        &mut tx,
        &by,
        None,
        "password.reset",
        person,
        json!({}),
    )
    .await?;
    write(state, &mut tx, changed(state, &before.email)).await?;
    tx.commit().await?;
    state.queue.wake();
    Ok(person)
}

/// Whether a new password will do.
pub fn judged(state: &AppState, email: &str, password: &str) -> Result<(), Stop> {
    let email = Email::parse(email).map_err(|error| Stop::Broken(error.to_string()))?;
    judge(password, &email, &[&state.config.portal.brand]).map_err(chosen)
}

/// The letter that tells of a new password.
pub fn changed(state: &AppState, email: &str) -> Letter {
    let forgot = format!("{}{}", state.public_url, app::links::FORGOT);
    letters::password_changed(&state.config.portal.brand, email, &forgot)
}

/// Proves an address with the link that was mailed to it; answers whose it is now.
pub async fn verify(state: &AppState, token: &str) -> Result<PersonId, Stop> {
    let digest = state.pepper.digest("email_link", token);
    for left in (0..PROOF_TRIES).rev() {
        let mut tx = state.db.write().await?;
        let used = tx
            .use_email_link(&digest, LinkPurpose::Verify, state.clock.now())
            .await?
            .ok_or(Trouble::NotFound)?;
        match prove_address(state, &mut tx, used).await {
            Ok(person) => {
                let by = By {
                    person: Some(person),
                    name: "mailed link".to_owned(),
                    ip: String::new(),
                };
                audit(state, &mut tx, &by, None, "email.verified", used, json!({})).await?;
                tx.commit().await?;
                return Ok(person);
            }
            Err(Proving::Raced) if left > 0 => {}
            Err(Proving::Raced) => return Err(Stop::Broken("an address proved twice".to_owned())),
            Err(Proving::Stop(stop)) => return Err(stop),
        }
    }
    Err(Trouble::NotFound.into())
}

/// Why proving an address did not work out.
pub enum Proving {
    /// Somebody else proved the same address at this instant.
    Raced,
    Stop(Stop),
}

impl From<Stop> for Proving {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<DbError> for Proving {
    fn from(error: DbError) -> Self {
        if lost_race(&error) {
            Self::Raced
        } else {
            Self::Stop(error.into())
        }
    }
}

impl From<Proving> for Stop {
    fn from(proving: Proving) -> Self {
        match proving {
            Proving::Raced => {
                Trouble::Conflict("This address was just proved elsewhere. Try again.".to_owned())
                    .into()
            }
            Proving::Stop(stop) => stop,
        }
    }
}

/// Makes an address a person's own. If somebody proved it before, that is the same human: they get this person's
/// places. Everybody else who claimed the address without proof loses it.
async fn prove_address(state: &AppState, tx: &mut Tx, id: PersonId) -> Result<PersonId, Proving> {
    let row = tx
        .person(id)
        .await?
        .ok_or_else(|| Stop::Broken(format!("no person {id}")))?;
    if row.verified_at.is_some() {
        return Ok(id);
    }
    let key = row.email.to_lowercase();
    let before = tx.people_by_email(&key).await?;
    let owner = before.iter().find(|other| other.verified_at.is_some());
    let person = if let Some(owner) = owner {
        tx.move_memberships(id, owner.id).await?;
        tx.end_portal_sessions_of(id, None).await?;
        owner.id
    } else {
        tx.verify_person(id, &key, state.clock.now()).await?;
        id
    };
    tx.release_email(&key).await?;
    Ok(person)
}

/// Mails the proof link again.
pub async fn send_verification(state: &AppState, actor: &Actor) -> Result<(), Stop> {
    if actor.verified {
        return Ok(());
    }
    let mut tx = state.db.write().await?;
    if !tries::may_write_to(state, &mut tx, &actor.email.key()).await? {
        return Err(Trouble::Conflict(
            "Several letters are on their way to this address. Look into the mailbox, spam included, before asking for another."
                .to_owned(),
        )
        .into());
    }
    let link = add_verify_link(state, &mut tx, actor.person).await?;
    let brand = &state.config.portal.brand;
    let letter = letters::verification(brand, actor.email.as_str(), &link);
    write(state, &mut tx, letter).await?;
    tx.commit().await?;
    state.queue.wake();
    Ok(())
}

/// The first two characters and the domain.
fn masked(email: &str) -> String {
    let (local, domain) = email.rsplit_once('@').unwrap_or((email, ""));
    let shown: String = local.chars().take(2).collect();
    format!("{shown}…@{domain}")
}
