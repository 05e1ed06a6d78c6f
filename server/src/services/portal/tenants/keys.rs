//! Making, rotating and stopping keys. A rotation leaves the old key alive for an overlap, so that no running app
//! breaks; "leaked: stop now" ends a key at once, everywhere, because every call reads its key from the database.

use app::domain::ids::{KeyId, TenantId};
use app::domain::key::{KeyKind, KeyShape, tail};
use app::portal::tenants::{NewKey, Replaces, Rotation, TenantKey};
use app::portal::{Actor, PortalError};
use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::aad;
use crate::security::SecurityEvent;
use crate::services::access::keys::digest;
use crate::services::portal::tenants::{Change, keys_permission, own};
use crate::services::refusal::ServiceError;
use crate::state::AppState;
use crate::storage::keys::{KeyRow, NewKeyRow};
use crate::storage::{Tx, is_taken};

/// The longest overlap of a rotation.
pub fn longest_overlap(kind: KeyKind) -> Duration {
    match kind {
        KeyKind::Secret => Duration::days(7),
        // Installed mobile apps carry it.
        KeyKind::AppKey => Duration::days(180),
    }
}

/// Makes a key in the caller's transaction and gives its text, which is kept nowhere (an app key: sealed).
pub async fn make_in(
    tx: &mut Tx,
    state: &AppState,
    tenant: TenantId,
    shape: KeyShape,
    slot: i64,
    by: &str,
) -> Result<(KeyId, SecretString), ServiceError> {
    let state = &state.for_tenant(tx, tenant).await?;
    let id = KeyId(state.clock.id());
    let text = SecretString::from(shape.write(state.clock.random()));
    let sealed = match shape.kind {
        KeyKind::Secret => None,
        KeyKind::AppKey => {
            let plain = text.expose_secret().as_bytes();
            Some(
                state
                    .vault
                    .seal(&state.clock, &aad::app_key(tenant, id), plain)?,
            )
        }
    };
    tx.add_key(&NewKeyRow {
        id,
        tenant,
        kind: shape.kind,
        slot,
        digest: &digest(&state.pepper, shape.kind, &text),
        sealed,
        tail: &tail(text.expose_secret()),
        created_at: state.clock.now(),
        created_by: by,
    })
    .await?;
    Ok((id, text))
}

/// The live keys of a tenant, app keys with their text.
pub async fn list(
    state: &AppState,
    actor: &Actor,
    id: TenantId,
) -> Result<Vec<TenantKey>, ServiceError> {
    let mut tx = state.db.read().await?;
    let tenant = own(&mut tx, actor, id).await?;
    actor.may(keys_permission(tenant.environment))?;
    let now = state.clock.now();
    let mut keys = Vec::new();
    let state = &state.for_tenant(&mut tx, id).await?;
    for row in tx.live_keys(id, now).await? {
        let calls_24h = tx.key_calls(row.id, now - Duration::hours(24)).await?;
        keys.push(portal_key(state, id, row, calls_24h));
    }
    Ok(keys)
}

fn portal_key(state: &AppState, tenant: TenantId, row: KeyRow, calls_24h: i64) -> TenantKey {
    let value = match &row.sealed {
        // One that does not open is shown by its end, like a secret; the others are shown.
        Some(sealed) => match state.vault.open(&aad::app_key(tenant, row.id), sealed) {
            Ok(plain) => Some(String::from_utf8_lossy(&plain).into_owned()),
            Err(error) => {
                tracing::error!(%tenant, key = %row.id, %error, "the text of an app key is lost");
                None
            }
        },
        None => None,
    };
    TenantKey {
        id: row.id,
        kind: row.kind,
        value,
        tail: row.tail,
        created_at: row.created_at,
        created_by: row.created_by,
        ends_at: row.ends_at,
        last_used_at: row.last_used_at,
        last_used_by: row.last_used_by,
        calls_24h,
    }
}

/// Returns `Ok` if a text is a live `client_secret` of the tenant; fails with [`PortalError::Conflict`] if it is not.
pub async fn holds_secret(
    state: &AppState,
    actor: &Actor,
    id: TenantId,
    text: &SecretString,
) -> Result<(), ServiceError> {
    let mut tx = state.db.read().await?;
    let tenant = own(&mut tx, actor, id).await?;
    actor.may(keys_permission(tenant.environment))?;
    // A mistyped one is known by its checksum, without the database.
    let shape = KeyShape::read(text.expose_secret());
    let found = match shape.filter(|shape| shape.kind == KeyKind::Secret) {
        Some(_) => {
            let digest = digest(&state.pepper, KeyKind::Secret, text);
            tx.key_by_digest(&digest).await?
        }
        None => None,
    };
    let now = state.clock.now();
    if found.is_some_and(|key| key.tenant.tenant == id && key.is_live(now)) {
        return Ok(());
    }
    Err(PortalError::Conflict(
        "That is no live client_secret of this tenant. A secret is shown once, when it is made: rotate it for a new one."
            .into(),
    )
    .into())
}

/// Records that the newest live secret of a tenant was saved by the person it was shown to.
pub async fn secret_saved(
    state: &AppState,
    actor: &Actor,
    id: TenantId,
) -> Result<(), ServiceError> {
    let mut tx = state.db.write().await?;
    let tenant = own(&mut tx, actor, id).await?;
    actor.may(keys_permission(tenant.environment))?;
    let now = state.clock.now();
    let live = tx.live_keys(id, now).await?;
    let newest = live.iter().find(|key| key.kind == KeyKind::Secret);
    let Some(newest) = newest else {
        return Ok(());
    };
    tx.note_key_seen(newest.id, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Makes a new key beside the live one, which ends after the overlap.
pub async fn rotate(
    mut change: Change<'_>,
    kind: KeyKind,
    rotation: Rotation,
) -> Result<NewKey, ServiceError> {
    let (id, environment) = (change.tenant().id, change.tenant().environment);
    let shape = KeyShape { environment, kind };
    let by = change.by().to_owned();
    let made = rotate_in(&mut change.tx, change.state, id, shape, rotation, &by).await;
    let (key, text, old_ends_at) = made?;
    let detail = json!({ "tenant": id, "kind": kind, "old_ends_at": old_ends_at });
    change.audit(SecurityEvent::KeyRotated, key, detail).await?;
    change.tx.commit().await?;
    Ok(NewKey {
        id: key,
        kind,
        value: text.expose_secret().to_owned(),
        old_ends_at,
    })
}

/// Rotates a key in the caller's transaction. Returns the new key, its text, and the time the old one ends; `None` if
/// there was no old one.
pub async fn rotate_in(
    tx: &mut Tx,
    state: &AppState,
    id: TenantId,
    shape: KeyShape,
    rotation: Rotation,
    by: &str,
) -> Result<(KeyId, SecretString, Option<DateTime<Utc>>), ServiceError> {
    let (kind, overlap) = (shape.kind, rotation.overlap);
    if overlap < Duration::zero() || overlap > longest_overlap(kind) {
        let days = longest_overlap(kind).num_days();
        let message = format!("The old {kind} may stay valid for 0 to {days} days.");
        return Err(PortalError::field("overlap", message).into());
    }
    let now = state.clock.now();
    tx.retire_keys(id, kind, now).await?;
    let live = tx.live_keys(id, now).await?;
    let live: Vec<&KeyRow> = live.iter().filter(|key| key.kind == kind).collect();
    let as_seen = match rotation.replaces {
        Replaces::Any => true,
        Replaces::Nothing => live.is_empty(),
        Replaces::Key(seen) => live.first().is_some_and(|newest| newest.id == seen),
    };
    if !as_seen {
        return Err(replaced_already(kind).into());
    }
    let (slot, old_ends_at) = match live.as_slice() {
        [] => (0, None),
        [old] => {
            // Nobody but the winner of a race finds the key still without an end or its place still free.
            let ends_at = tx.end_key(id, old.id, now + overlap).await?;
            (1 - old.slot, Some(ends_at.ok_or_else(|| two_live(kind))?))
        }
        _ => return Err(two_live(kind).into()),
    };
    if old_ends_at.is_some_and(|end| end <= now) {
        tx.retire_keys(id, kind, now).await?;
    }
    let made = make_in(tx, state, id, shape, slot, by).await;
    let (key, text) = match made {
        Err(ServiceError::Database(error)) if is_taken(&error) => return Err(two_live(kind).into()),
        made => made?,
    };
    Ok((key, text, old_ends_at))
}

fn replaced_already(kind: KeyKind) -> PortalError {
    PortalError::Conflict(format!(
        "This {kind} was rotated meanwhile: look at the tenant's keys before you rotate again."
    ))
}

fn two_live(kind: KeyKind) -> PortalError {
    PortalError::Conflict(format!(
        "Two {kind}s are live already. Stop the older one now, or wait until its overlap ends, then rotate again."
    ))
}

/// Stops a key at once; one that works no more is left as it is.
pub async fn stop(mut change: Change<'_>, key: KeyId) -> Result<(), ServiceError> {
    let (id, now) = (change.tenant().id, change.state.clock.now());
    let Some(kind) = change.tx.stop_key(id, key, now).await? else {
        let once = change.tx.has_key(id, key).await?;
        return if once {
            Ok(())
        } else {
            Err(PortalError::NotFound.into())
        };
    };
    let detail = json!({ "tenant": id, "kind": kind });
    change.audit(SecurityEvent::KeyStopped, key, detail).await?;
    Ok(change.tx.commit().await?)
}
