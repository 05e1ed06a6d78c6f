//! Checking an address and a password: at sign-in, before an act that breaks things, and to change the password.

use app::domain::ids::PersonId;
use app::domain::person::Email;
use app::portal::{Actor, Source, Trouble};
use secrecy::SecretString;
use serde_json::json;

use super::{links, ticket, tries};
use crate::services::acts::{By, audit};
use crate::services::passwords::{Ticket, Verdict};
use crate::services::trouble::{Stop, act};
use crate::state::AppState;
use crate::storage::people::PersonRow;

const WRONG_PAIR: &str = "E-mail or password is incorrect.";
const WRONG: &str = "This is not your password.";
/// What nobody's password is longer than; more is not hashed.
const LONGEST_BYTES: usize = 1024;

/// Signs in: the person whose address and password these are.
pub async fn sign_in(
    state: &AppState,
    email: &str,
    password: &str,
    source: &Source,
) -> Result<PersonId, Stop> {
    let wrong = || Stop::from(Trouble::field("password", WRONG_PAIR));
    let Ok(email) = Email::parse(email) else {
        return Err(wrong());
    };
    if password.len() > LONGEST_BYTES {
        return Err(wrong());
    }
    let ticket = ticket(state)?;
    let counted = tries::count(state, tries::Kind::SignIn, Some(&email.key()), source).await?;
    let rows = state.db.read().await?.people_by_email(&email.key()).await?;
    let password: SecretString = password.to_owned().into();
    let Some((person, verdict)) = find(&ticket, rows, &password).await? else {
        tracing::info!(source.ip = source.ip, "sign-in refused");
        return Err(wrong());
    };
    let again = match verdict {
        Verdict::RightButOld => Some(ticket.hash(&password).await?),
        _ => None,
    };
    let mut tx = state.db.write().await?;
    counted.forgive(&mut tx).await?;
    if let (Some(new), Some(old)) = (&again, &person.password) {
        tx.replace_password(person.id, old, new).await?;
    }
    let servicer = tx.servicers_of(person.id).await?.first().copied();
    let by = By::person(person.id, &person.email, source);
    audit(
        state,
        &mut tx,
        &by,
        servicer,
        "person.signed_in",
        person.id,
        json!({}),
    )
    .await?;
    tx.commit().await?;
    Ok(person.id)
}

/// The row whose password this is. The one who proved the address comes first, and its place is taken by nobody if
/// there is none; so is the place of the first who did not. Two checks are thus the least for every address, and a
/// registration by a stranger does not show whether the address has an account.
async fn find(
    ticket: &Ticket,
    rows: Vec<PersonRow>,
    password: &SecretString,
) -> Result<Option<(PersonRow, Verdict)>, Stop> {
    let (proved, others): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| row.verified_at.is_some());
    for group in [proved, others] {
        if group.is_empty() {
            ticket.check(password, None).await?;
        }
        for row in group {
            match ticket.check(password, row.password.as_deref()).await? {
                Verdict::Wrong => {}
                right => return Ok(Some((row, right))),
            }
        }
    }
    Ok(None)
}

/// Checks the password of somebody signed in, and hands back the hash it was checked against.
async fn check_own(
    state: &AppState,
    ticket: &Ticket,
    actor: &Actor,
    password: &str,
    field: &'static str,
    source: &Source,
) -> Result<(tries::Counted, String), Stop> {
    let wrong = || Stop::from(Trouble::field(field, WRONG));
    if password.len() > LONGEST_BYTES {
        return Err(wrong());
    }
    let account = actor.person.to_string();
    let counted = tries::count(state, tries::Kind::SignIn, Some(&account), source).await?;
    let row = state.db.read().await?.person(actor.person).await?;
    let stored = row.and_then(|row| row.password);
    let password: SecretString = password.to_owned().into();
    match (ticket.check(&password, stored.as_deref()).await?, stored) {
        (Verdict::Right | Verdict::RightButOld, Some(stored)) => Ok((counted, stored)),
        _ => Err(wrong()),
    }
}

/// Starts the ten minutes in which acts that break things are allowed.
pub async fn prove(
    state: &AppState,
    actor: &Actor,
    password: &str,
    source: &Source,
) -> Result<(), Stop> {
    let ticket = ticket(state)?;
    let (counted, _) = check_own(state, &ticket, actor, password, "password", source).await?;
    let mut tx = state.db.write().await?;
    counted.forgive(&mut tx).await?;
    if !tx
        .prove_portal_session(actor.session, actor.person, state.clock.now())
        .await?
    {
        return Err(Trouble::NotFound.into());
    }
    let person = actor.person;
    let proved = act(state, actor, source, "person.proved", person, json!({}));
    tx.audit(&proved).await?;
    Ok(tx.commit().await?)
}

/// Changes the password and signs out every other browser.
pub async fn change_password(
    state: &AppState,
    actor: &Actor,
    old: &str,
    new: &str,
    source: &Source,
) -> Result<(), Stop> {
    links::judged(state, actor.email.as_str(), new).map_err(|stop| match stop {
        Stop::Trouble(Trouble::Refused(errors)) => Stop::Trouble(Trouble::Refused(
            errors
                .into_iter()
                .map(|mut error| {
                    error.name = "new";
                    error
                })
                .collect(),
        )),
        other => other,
    })?;
    let ticket = ticket(state)?;
    let (counted, stored) = check_own(state, &ticket, actor, old, "old", source).await?;
    let hash = ticket.hash(&new.to_owned().into()).await?;
    let mut tx = state.db.write().await?;
    counted.forgive(&mut tx).await?;
    if !tx.replace_password(actor.person, &stored, &hash).await? {
        let why = "The password was changed elsewhere meanwhile. Sign in again.";
        return Err(Trouble::Conflict(why.to_owned()).into());
    }
    tx.end_portal_sessions_of(actor.person, Some(actor.session))
        .await?;
    tx.end_password_links(actor.person, state.clock.now())
        .await?;
    let person = actor.person;
    let changed = act(state, actor, source, "password.changed", person, json!({}));
    tx.audit(&changed).await?;
    links::write(state, &mut tx, links::changed(state, actor.email.as_str())).await?;
    tx.commit().await?;
    state.queue.wake();
    Ok(())
}
