//! Checking an address and a password: at sign-in, before an act that breaks things, and to change the password.

use app::domain::ids::PersonId;
use app::domain::person::Email;
use app::portal::{Actor, Source, Trouble};
use secrecy::SecretString;
use serde_json::json;

use super::{devices, links, ticket, tries};
use crate::services::acts::{By, audit};
use crate::services::passwords::{LONGEST_BYTES, Ticket, Verdict};
use crate::services::trouble::{Stop, act};
use crate::state::AppState;
use crate::storage::people::PersonRow;

const WRONG_PAIR: &str = "Email or password is incorrect.";
const WRONG: &str = "This is not your password.";

/// How many passwords are compared before a pair is called wrong, for every address alike: the one of the account that
/// proved it and of two that did not, nobody's in the place of those that are not there.
const CHECKS: usize = 3;

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
    let device = devices::known(state, source);
    let known = device.as_ref().map(|device| device.person);
    let mut tx = state.db.read().await?;
    let rows = tx.sign_in_rows(&email.key(), known).await?;
    drop(tx);
    let password: SecretString = password.to_owned().into();
    let (theirs, others): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| Some(row.id) == known);
    let in_own_browser = !theirs.is_empty();
    if let (Some(row), Some(device)) = (theirs.into_iter().next(), &device) {
        // The account's own browser: strangers' failures are nothing to it, and its own are counted apart.
        let counted = tries::count_known(state, device).await?;
        let verdict = ticket.check(&password, row.password.as_deref()).await?;
        if verdict != Verdict::Wrong {
            return finish(state, &ticket, (row, verdict), &password, &counted, source).await;
        }
    }
    let counted = tries::count(state, tries::Kind::SignIn, Some(&email.key()), source).await;
    let counted = match counted {
        // Told in its own browser that the password is wrong, the owner knows more than by being told to wait.
        Err(Stop::Trouble(Trouble::Wait(_))) if in_own_browser => return Err(wrong()),
        counted => counted?,
    };
    let Some(found) = find(&ticket, others, &password).await? else {
        tracing::info!(source.ip = source.ip, "sign-in refused");
        return Err(wrong());
    };
    finish(state, &ticket, found, &password, &counted, source).await
}

/// Writes down that somebody signed in, with a hash of today's strength.
async fn finish(
    state: &AppState,
    ticket: &Ticket,
    (person, verdict): (PersonRow, Verdict),
    password: &SecretString,
    counted: &tries::Counted,
    source: &Source,
) -> Result<PersonId, Stop> {
    let again = match verdict {
        Verdict::RightButOld => Some(ticket.hash(password).await?),
        _ => None,
    };
    let mut tx = state.db.write().await?;
    counted.forgive(&mut tx).await?;
    if let (Some(new), Some(old)) = (&again, &person.password) {
        tx.replace_password(person.id, old, new).await?;
    }
    tx.touch_person(person.id, state.clock.now()).await?;
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

/// The row whose password this is. Every address takes as many checks before it is refused, so that neither an account
/// nor a stranger's registration shows in the time.
async fn find(
    ticket: &Ticket,
    rows: Vec<PersonRow>,
    password: &SecretString,
) -> Result<Option<(PersonRow, Verdict)>, Stop> {
    let mut rows = rows.into_iter();
    for _ in 0..CHECKS {
        let row = rows.next();
        let stored = row.as_ref().and_then(|row| row.password.as_deref());
        let verdict = ticket.check(password, stored).await?;
        if let Some(row) = row.filter(|_| verdict != Verdict::Wrong) {
            return Ok(Some((row, verdict)));
        }
    }
    Ok(None)
}

/// Checks a password that somebody shows to be taken for an account's person, and hands back the hash it was checked
/// against. `field` is where the refusal is shown.
pub(super) async fn shown(
    state: &AppState,
    ticket: &Ticket,
    row: &PersonRow,
    password: &str,
    field: &'static str,
    source: &Source,
) -> Result<(tries::Counted, String), Stop> {
    let wrong = || Stop::from(Trouble::field(field, WRONG));
    if password.len() > LONGEST_BYTES {
        return Err(wrong());
    }
    let device = devices::known(state, source).filter(|device| device.person == row.id);
    let counted = if let Some(device) = device {
        tries::count_known(state, &device).await?
    } else {
        let account = row.id.to_string();
        tries::count(state, tries::Kind::SignIn, Some(&account), source).await?
    };
    let password: SecretString = password.to_owned().into();
    let stored = row.password.clone();
    match (ticket.check(&password, stored.as_deref()).await?, stored) {
        (Verdict::Right | Verdict::RightButOld, Some(stored)) => Ok((counted, stored)),
        _ => Err(wrong()),
    }
}

/// Checks the password of somebody signed in.
async fn check_own(
    state: &AppState,
    ticket: &Ticket,
    actor: &Actor,
    password: &str,
    field: &'static str,
    source: &Source,
) -> Result<(tries::Counted, String), Stop> {
    let row = state.db.read().await?.person(actor.person).await?;
    let row = row.ok_or(Trouble::NotFound)?;
    shown(state, ticket, &row, password, field, source).await
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
    let letter = links::changed(state, actor.email.as_str());
    links::write_about(state, &mut tx, &actor.email.key(), actor.verified, letter).await?;
    tx.commit().await?;
    state.queue.wake();
    Ok(())
}
