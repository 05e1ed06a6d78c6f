//! Choosing a new password with a link. Only its owner reads a mailbox, so the address counts as proved from then on.
//!
//! Of an account that proved its address before, this is its owner coming back. Of one that did not, whoever registered it
//! may have been somebody else: the reader of the mailbox chooses which of them is theirs, all its sessions end, and the keys
//! that were made until then stop.

use app::domain::ids::PersonId;
use app::portal::people::{PasswordChoice, PasswordLink};
use app::portal::{PortalError, RequestSource};
use secrecy::SecretString;
use serde_json::json;

use super::links::{self, judged, masked, own_address};
use super::ticket;
use crate::security::SecurityEvent;
use crate::services::portal::audit::{AuditActor, audit};
use crate::services::refusal::ServiceError;
use crate::state::AppState;
use crate::storage::email_links::LinkPurpose;
use crate::storage::people::{PersonRow, UnprovedRow};
use crate::storage::{Tx, lost_race};

/// Accounts with one address that a link lets choose from.
const CHOICES: i64 = 20;

/// A link and what it is good for.
struct Live {
    row: PersonRow,
    /// Every account that may be chosen; empty if the link is for one account alone.
    choices: Vec<UnprovedRow>,
}

async fn live(state: &AppState, token: &str, source: &RequestSource) -> Result<Live, ServiceError> {
    let row = links::person_of(state, token, LinkPurpose::Password, source).await?;
    if row.verified_at.is_some() {
        let choices = Vec::new();
        return Ok(Live { row, choices });
    }
    let mut tx = state.db.read().await?;
    if tx.owner_of_email(&row.registered_key).await?.is_some() {
        // Another account proved the address meanwhile: a new link would be for that one.
        return Err(PortalError::NotFound.into());
    }
    let choices = tx.unproved(&row.registered_key, true, CHOICES).await?;
    Ok(Live { row, choices })
}

/// The address behind a password link that is still good, masked, and the accounts to choose from.
pub async fn link(
    state: &AppState,
    token: &str,
    source: &RequestSource,
) -> Result<PasswordLink, ServiceError> {
    let live = live(state, token, source).await?;
    let several = live.choices.len() > 1;
    let choices = live.choices.into_iter().filter(|_| several);
    Ok(PasswordLink {
        address: masked(&live.row.email),
        unconfirmed: live.row.verified_at.is_none(),
        choices: choices
            .map(|choice| PasswordChoice {
                account: choice.id,
                servicer: choice.servicer.unwrap_or_default(),
                registered_at: choice.created_at,
            })
            .collect(),
    })
}

/// The account that a new password is for.
async fn chosen(state: &AppState, live: Live, account: &str) -> Result<PersonRow, ServiceError> {
    let id = match live.choices.as_slice() {
        [] => return Ok(live.row),
        [one] => one.id,
        several => {
            let found = several.iter().find(|row| row.id.to_string() == account);
            let why = "Choose which of these accounts is yours.";
            found.ok_or_else(|| PortalError::field("account", why))?.id
        }
    };
    let row = state.db.read().await?.person(id).await?;
    row.ok_or_else(|| PortalError::NotFound.into())
}

/// Sets a password with a link.
pub async fn reset(
    state: &AppState,
    token: &str,
    account: &str,
    password: &str,
    source: &RequestSource,
) -> Result<PersonId, ServiceError> {
    let live = live(state, token, source).await?;
    judged(state, &live.row.email, password)?;
    let row = chosen(state, live, account).await?;
    let password: SecretString = password.to_owned().into();
    let hash = ticket(state)?.hash(&password).await?;
    let digest = links::digest(state, token);
    let now = state.clock.now();
    let mut tx = state.db.write().await?;
    tx.use_email_link(&digest, LinkPurpose::Password, now)
        .await?
        .ok_or(PortalError::NotFound)?;
    if row.verified_at.is_none() {
        adopt(state, &mut tx, &row).await?;
    }
    tx.set_password(row.id, &hash).await?;
    tx.end_password_links(row.id, now).await?;
    tx.end_portal_sessions_of(row.id, None).await?;
    let by = AuditActor::person(row.id, &row.email, source);
    if tx.is_operator_link(&digest).await? {
        tx.set_admin(row.id, true).await?;
        tx.end_operator_links(row.id, now).await?;
        audit(
            state,
            &mut tx,
            &by,
            None,
            SecurityEvent::AdminBegan,
            row.id,
            json!({}),
        )
        .await?;
    }
    audit(
        state,
        &mut tx,
        &by,
        None,
        SecurityEvent::PasswordReset,
        row.id,
        json!({}),
    )
    .await?;
    links::write(state, &mut tx, links::changed(state, &row.email)).await?;
    tx.commit().await?;
    Ok(row.id)
}

/// Makes an account that nobody proved the reader's own: the address is theirs, and what its keys open is theirs alone.
async fn adopt(state: &AppState, tx: &mut Tx, row: &PersonRow) -> Result<(), ServiceError> {
    match own_address(state, tx, row).await {
        Err(error) if lost_race(&error) => return Err(PortalError::NotFound.into()),
        proved => proved?,
    }
    let now = state.clock.now();
    tx.stop_sandbox_keys_of(row.id, now).await?;
    tx.stop_signing_keys_of(row.id, now).await?;
    Ok(())
}
