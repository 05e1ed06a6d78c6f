//! Making, rotating and stopping keys. A rotation leaves the old key alive for an overlap, so that no running app
//! breaks; "leaked: stop now" ends a key at once, everywhere, because every call reads its key from the database.

use app::domain::ids::{KeyId, TenantId};
use app::domain::key::{KeyKind, KeyShape, tail};
use app::domain::tenant::Environment;
use app::portal::tenants::{Key, NewKey};
use app::portal::{Actor, Source, Trouble};
use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::digest;
use crate::services::tenants::{keys_permission, own};
use crate::services::trouble::{Stop, act};
use crate::state::AppState;
use crate::storage::keys::{KeyRow, NewKeyRow};
use crate::storage::{Tx, is_taken};

/// How old the last proof of the password may be for acts that break a production app.
const FRESH: Duration = Duration::minutes(10);

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
) -> Result<(KeyId, SecretString), Stop> {
    let state = &state.for_tenant(tx, tenant).await?;
    let id = KeyId(state.clock.id());
    let text = SecretString::from(shape.write(state.clock.random()));
    let sealed = match shape.kind {
        KeyKind::Secret => None,
        KeyKind::AppKey => {
            let plain = text.expose_secret().as_bytes();
            Some(state.vault.seal(&state.clock, &place(tenant, id), plain)?)
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

/// Where a sealed app key opens.
fn place(tenant: TenantId, key: KeyId) -> String {
    format!("tenant_keys.sealed/{tenant}/{key}")
}

/// The live keys of a tenant, app keys with their text.
pub async fn list(state: &AppState, actor: &Actor, id: TenantId) -> Result<Vec<Key>, Stop> {
    let mut tx = state.db.read().await?;
    let tenant = own(&mut tx, actor, id).await?;
    actor.may(keys_permission(tenant.environment))?;
    let now = state.clock.now();
    let mut keys = Vec::new();
    let state = &state.for_tenant(&mut tx, id).await?;
    for row in tx.live_keys(id, now).await? {
        let calls_24h = tx.key_calls(row.id, now - Duration::hours(24)).await?;
        keys.push(shown(state, id, row, calls_24h)?);
    }
    Ok(keys)
}

fn shown(state: &AppState, tenant: TenantId, row: KeyRow, calls_24h: i64) -> Result<Key, Stop> {
    let value = match &row.sealed {
        Some(sealed) => {
            let plain = state.vault.open(&place(tenant, row.id), sealed)?;
            Some(String::from_utf8_lossy(&plain).into_owned())
        }
        None => None,
    };
    Ok(Key {
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
    })
}

/// Whether a text is a live secret of the tenant.
pub async fn holds_secret(
    state: &AppState,
    actor: &Actor,
    id: TenantId,
    text: &SecretString,
) -> Result<(), Stop> {
    let mut tx = state.db.read().await?;
    let tenant = own(&mut tx, actor, id).await?;
    actor.may(keys_permission(tenant.environment))?;
    let digest = digest(&state.pepper, KeyKind::Secret, text);
    let found = tx.key_by_digest(&digest).await?;
    let now = state.clock.now();
    if found.is_some_and(|key| key.tenant.tenant == id && key.is_live(now)) {
        return Ok(());
    }
    Err(Trouble::Conflict(
        "That is no live client_secret of this tenant. A secret is shown once, when it is made: rotate it for a new one."
            .into(),
    )
    .into())
}

/// Makes a new key beside the live one, which ends after `overlap`.
pub async fn rotate(
    state: &AppState,
    actor: &Actor,
    id: TenantId,
    kind: KeyKind,
    overlap: Duration,
    source: &Source,
) -> Result<NewKey, Stop> {
    let mut tx = state.db.write().await?;
    let tenant = own(&mut tx, actor, id).await?;
    actor.may(keys_permission(tenant.environment))?;
    let shape = KeyShape {
        environment: tenant.environment,
        kind,
    };
    let by = actor.email.as_str();
    let (key, text, old_ends_at) = rotate_in(&mut tx, state, id, shape, overlap, by).await?;
    let detail = json!({ "tenant": id, "kind": kind, "old_ends_at": old_ends_at });
    tx.audit(&act(state, actor, source, "key.rotated", key, detail))
        .await?;
    tx.commit().await?;
    Ok(NewKey {
        id: key,
        kind,
        value: text.expose_secret().to_owned(),
        old_ends_at,
    })
}

/// The same in the caller's transaction: the new key, its text, and when the old one ends.
pub async fn rotate_in(
    tx: &mut Tx,
    state: &AppState,
    id: TenantId,
    shape: KeyShape,
    overlap: Duration,
    by: &str,
) -> Result<(KeyId, SecretString, Option<DateTime<Utc>>), Stop> {
    let kind = shape.kind;
    if overlap < Duration::zero() || overlap > longest_overlap(kind) {
        let days = longest_overlap(kind).num_days();
        let message = format!("The old {kind} may stay valid for 0 to {days} days.");
        return Err(Trouble::field("overlap", message).into());
    }
    let now = state.clock.now();
    tx.retire_keys(id, kind, now).await?;
    let live = tx.live_keys(id, now).await?;
    let live: Vec<&KeyRow> = live.iter().filter(|key| key.kind == kind).collect();
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
        Err(Stop::Database(error)) if is_taken(&error) => return Err(two_live(kind).into()),
        made => made?,
    };
    Ok((key, text, old_ends_at))
}

fn two_live(kind: KeyKind) -> Trouble {
    Trouble::Conflict(format!(
        "Two {kind}s are live already. Stop the older one now, or wait until its overlap ends, then rotate again."
    ))
}

/// Stops a key at once.
pub async fn stop(
    state: &AppState,
    actor: &Actor,
    id: TenantId,
    key: KeyId,
    source: &Source,
) -> Result<(), Stop> {
    let mut tx = state.db.write().await?;
    let tenant = own(&mut tx, actor, id).await?;
    actor.may(keys_permission(tenant.environment))?;
    let now = state.clock.now();
    if tenant.environment == Environment::Production && now - actor.proved_at > FRESH {
        return Err(Trouble::ProofNeeded.into());
    }
    let kind = tx.stop_key(id, key, now).await?.ok_or(Trouble::NotFound)?;
    let detail = json!({ "tenant": id, "kind": kind });
    tx.audit(&act(state, actor, source, "key.stopped", key, detail))
        .await?;
    Ok(tx.commit().await?)
}
