//! Proving an address. The link alone proves nothing: who opens it shows the account's password, or is signed in as its
//! person, so that a stranger who registered with somebody's address gets nothing from their click. Servicers move from
//! one account to another only for whoever shows the passwords of both.

use app::domain::ids::PersonId;
use app::portal::people::{AddressLink, GivenPasswords};
use app::portal::{Actor, FreshProof, PortalError, RequestSource};
use secrecy::SecretString;
use serde_json::json;

use super::links::{self, masked, own_address};
use super::{login_throttle, sign_in, ticket};
use crate::security::SecurityEvent;
use crate::services::portal::audit::{AuditActor, audit};
use crate::services::portal::outcome::audit_entry;
use crate::services::portal::passwords::LONGEST_BYTES;
use crate::services::refusal::ServiceError;
use crate::state::AppState;
use crate::state::passwords::{PasswordCheck, QueueSlot};
use crate::storage::email_links::LinkPurpose;
use crate::storage::people::{PersonRow, UnprovedRow};
use crate::storage::{Tx, lost_race};

/// Number of tries to prove an address that others prove at the same instant. A try that loses the race lets another
/// get a statement further, and finds its work done once that one has committed.
const PROOF_TRIES: u32 = 8;
/// Accounts with one address that a password is compared with when their servicers are brought in.
const COMPARED: i64 = 4;

/// Looks at a link: whose it is, and what confirming it takes.
pub async fn link(
    state: &AppState,
    actor: Option<&Actor>,
    token: &str,
    source: &RequestSource,
) -> Result<AddressLink, ServiceError> {
    let row = links::person_of(state, token, LinkPurpose::Verify, source).await?;
    let mut tx = state.db.read().await?;
    let owner = other_owner(&mut tx, &row).await?;
    let places = tx.memberships_of(row.id).await?;
    Ok(AddressLink {
        address: masked(&row.email),
        signed_in: actor.is_some_and(|actor| actor.person == row.id),
        confirmed_elsewhere: owner.is_some(),
        servicers: places.into_iter().map(|(_, name)| name).collect(),
    })
}

/// Another account that has proved the address of this one.
async fn other_owner(tx: &mut Tx, row: &PersonRow) -> Result<Option<PersonRow>, ServiceError> {
    let owner = tx.owner_of_email(&row.registered_key).await?;
    Ok(owner.filter(|owner| owner.id != row.id))
}

/// A password that was given, and the hash that it matched: both hold while the hash is stored.
struct ProvenPassword {
    counted: login_throttle::CountedAttempt,
    stored: Option<String>,
}

/// Confirms an address; answers the account that it belongs to.
pub async fn confirm(
    state: &AppState,
    actor: Option<&Actor>,
    token: &str,
    given: &GivenPasswords,
    source: &RequestSource,
) -> Result<PersonId, ServiceError> {
    let row = links::person_of(state, token, LinkPurpose::Verify, source).await?;
    let ticket = ticket(state)?;
    let mut shown = Vec::new();
    if actor.is_none_or(|actor| actor.person != row.id) {
        shown.push(show(state, &ticket, &row, &given.own, "password", source).await?);
    }
    for _ in 0..PROOF_TRIES {
        let owner = other_owner(&mut state.db.read().await?, &row).await?;
        if let Some(owner) = owner {
            let password = &given.confirmed;
            shown.push(show(state, &ticket, &owner, password, "confirmed", source).await?);
            return hand_over(state, token, &row, &owner, &shown, source).await;
        }
        if prove(state, token, &row, &shown, source).await? {
            return Ok(row.id);
        }
    }
    Err(ServiceError::Broken("an address proved twice".to_owned()))
}

async fn show(
    state: &AppState,
    ticket: &QueueSlot,
    row: &PersonRow,
    password: &str,
    field: &'static str,
    source: &RequestSource,
) -> Result<ProvenPassword, ServiceError> {
    let (counted, stored) =
        sign_in::check_shown_password(state, ticket, row, password, field, source).await?;
    Ok(ProvenPassword {
        counted,
        stored: Some(stored),
    })
}

/// Uses the link up and makes the address the account's own; not if another was faster.
async fn prove(
    state: &AppState,
    token: &str,
    row: &PersonRow,
    shown: &[ProvenPassword],
    source: &RequestSource,
) -> Result<bool, ServiceError> {
    let mut tx = state.db.write().await?;
    use_link(state, &mut tx, token).await?;
    still_shown(&mut tx, &[row], shown).await?;
    match own_address(state, &mut tx, row).await {
        Err(error) if lost_race(&error) => return Ok(false),
        proved => proved?,
    }
    let by = AuditActor::person(row.id, &row.email, source);
    audit(
        state,
        &mut tx,
        &by,
        None,
        SecurityEvent::EmailVerified,
        row.id,
        json!({}),
    )
    .await?;
    Ok(match tx.commit().await {
        Err(error) if lost_race(&error) => false,
        done => {
            done?;
            true
        }
    })
}

async fn use_link(state: &AppState, tx: &mut Tx, token: &str) -> Result<(), ServiceError> {
    let digest = links::digest(state, token);
    let used = tx.use_email_link(&digest, LinkPurpose::Verify, state.clock.now());
    used.await?.ok_or(PortalError::NotFound)?;
    Ok(())
}

/// Fails if either password is no longer the one that was given; else forgives their tries.
async fn still_shown(
    tx: &mut Tx,
    rows: &[&PersonRow],
    shown: &[ProvenPassword],
) -> Result<(), ServiceError> {
    for row in rows {
        let now = tx.person(row.id).await?.ok_or(PortalError::NotFound)?;
        if now.password != row.password {
            let why = "The password was changed elsewhere meanwhile. Open the link again.";
            return Err(PortalError::Conflict(why.to_owned()).into());
        }
    }
    for one in shown {
        debug_assert!(one.stored.is_some(), "only a right password is shown");
        one.counted.refund(tx).await?;
    }
    Ok(())
}

/// Gives an account's servicers to the one that proved its address before; both passwords were shown.
async fn hand_over(
    state: &AppState,
    token: &str,
    row: &PersonRow,
    owner: &PersonRow,
    shown: &[ProvenPassword],
    source: &RequestSource,
) -> Result<PersonId, ServiceError> {
    let mut tx = state.db.write().await?;
    use_link(state, &mut tx, token).await?;
    still_shown(&mut tx, &[row, owner], shown).await?;
    take_over(&mut tx, row.id, owner.id).await?;
    let by = AuditActor::person(owner.id, &owner.email, source);
    let detail = json!({ "from": row.id });
    audit(
        state,
        &mut tx,
        &by,
        None,
        SecurityEvent::PersonTookOver,
        owner.id,
        detail,
    )
    .await?;
    tx.commit().await?;
    Ok(owner.id)
}

async fn take_over(tx: &mut Tx, from: PersonId, to: PersonId) -> Result<(), ServiceError> {
    tx.move_memberships(from, to).await?;
    tx.end_portal_sessions_of(from, None).await?;
    tx.clear_password(from).await?;
    Ok(())
}

/// Counts the accounts that registered with the actor's proved address, have not proved it and still belong to a
/// servicer; at most `COMPARED`.
pub async fn unconfirmed(state: &AppState, actor: &Actor) -> Result<usize, ServiceError> {
    if !actor.verified {
        return Ok(0);
    }
    let mut tx = state.db.read().await?;
    let others = tx.unproved(&actor.email.key(), false, COMPARED).await?;
    Ok(others.len())
}

/// Takes over the servicers of an account that registered with the actor's proved address, by that account's password.
pub async fn bring_in(
    state: &AppState,
    proof: FreshProof<'_>,
    password: &str,
    source: &RequestSource,
) -> Result<(), ServiceError> {
    let actor = proof.actor();
    if password.is_empty() {
        let why = "Enter the password that the other registration was made with.";
        return Err(PortalError::field("other_password", why).into());
    }
    let wrong = || {
        PortalError::field(
            "other_password",
            "No unconfirmed account has this password.",
        )
    };
    if !actor.verified || password.len() > LONGEST_BYTES {
        return Err(wrong().into());
    }
    let ticket = ticket(state)?;
    let key = actor.email.key();
    let account = format!("bring\n{key}");
    let counted = login_throttle::count(
        state,
        login_throttle::ThrottledAction::SignIn,
        Some(&account),
        source,
    )
    .await?;
    let others = state
        .db
        .read()
        .await?
        .unproved(&key, false, COMPARED)
        .await?;
    let other = matching(&ticket, others, password)
        .await?
        .ok_or_else(wrong)?;
    let mut tx = state.db.write().await?;
    let now = tx.person(other.id).await?.ok_or_else(wrong)?;
    if now.verified_at.is_some() || now.password != other.password {
        return Err(wrong().into());
    }
    counted.refund(&mut tx).await?;
    take_over(&mut tx, other.id, actor.person).await?;
    let detail = json!({ "from": other.id });
    let taken = audit_entry(
        state,
        actor,
        source,
        SecurityEvent::PersonTookOver,
        actor.person,
        detail,
    );
    tx.audit(&taken).await?;
    Ok(tx.commit().await?)
}

/// The account whose password this is.
async fn matching(
    ticket: &QueueSlot,
    others: Vec<UnprovedRow>,
    password: &str,
) -> Result<Option<UnprovedRow>, ServiceError> {
    let password: SecretString = password.to_owned().into();
    for other in others {
        let verdict = ticket.check(&password, other.password.as_deref()).await?;
        if verdict != PasswordCheck::Wrong {
            return Ok(Some(other));
        }
    }
    Ok(None)
}
