//! What the operator's command line may do with tenants; servicers and admins are in `servicers.rs`. Whoever can run
//! the command can read the database, so no permission is asked, but every act is written down.

use app::domain::ids::{ServicerId, SigningKeyId, TenantId};
use app::domain::key::{KeyKind, KeyShape};
use app::domain::servicer::ServicerStatus;
use app::domain::tenant::Environment;
use app::portal::Trouble;
use app::portal::signing::NewSigningKey;
use app::portal::tenants::{CreatedTenant, NewKey, NewTenant};
use chrono::Duration;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::acts::{By, audit};
use super::keys::rotation;
use super::signatures::keys as signing_keys;
use super::tenants::{Ready, create_in};
use super::trouble::Stop;
use crate::state::AppState;

/// Makes a tenant of any servicer, production only of an approved one.
pub async fn create_tenant(
    state: &AppState,
    by: &By,
    servicer: ServicerId,
    new: &NewTenant,
) -> Result<CreatedTenant, Stop> {
    let ready = Ready::parse(state, new)?;
    let mut tx = state.db.write().await?;
    let status = tx.hold_servicer(servicer).await?;
    let status =
        status.ok_or_else(|| Trouble::field("servicer", "There is no servicer with this id."))?;
    if ready.environment == Environment::Production && status != ServicerStatus::Approved {
        let why = format!(
            "Production is for approved servicers: run `server servicer approve {servicer}` first."
        );
        return Err(Trouble::Conflict(why).into());
    }
    let made = create_in(&mut tx, state, servicer, &ready, &by.name).await?;
    let detail = json!({ "name": ready.name, "environment": ready.environment });
    audit(
        state,
        &mut tx,
        by,
        Some(servicer),
        "tenant.created",
        made.id,
        detail,
    )
    .await?;
    tx.commit().await?;
    Ok(made)
}

/// Registers a key that a servicer signs requests with.
pub async fn add_signing_key(
    state: &AppState,
    by: &By,
    servicer: ServicerId,
    new: NewSigningKey,
) -> Result<SigningKeyId, Stop> {
    let mut tx = state.db.read().await?;
    if tx.servicer(servicer).await?.is_none() {
        return Err(Trouble::field("servicer", "There is no servicer with this id.").into());
    }
    drop(tx);
    signing_keys::add_to(state, by, servicer, new).await
}

/// Makes a new `client_secret` beside the old one.
pub async fn rotate_secret(
    state: &AppState,
    by: &By,
    tenant: TenantId,
    overlap: Duration,
) -> Result<NewKey, Stop> {
    let mut tx = state.db.write().await?;
    let facts = tx.tenant_facts(tenant).await?.ok_or(Trouble::NotFound)?;
    let shape = KeyShape {
        environment: facts.environment,
        kind: KeyKind::Secret,
    };
    let (key, text, old_ends_at) =
        rotation::rotate_in(&mut tx, state, tenant, shape, overlap, &by.name).await?;
    let detail = json!({ "tenant": tenant, "kind": shape.kind, "old_ends_at": old_ends_at });
    audit(
        state,
        &mut tx,
        by,
        Some(facts.servicer),
        "key.rotated",
        key,
        detail,
    )
    .await?;
    tx.commit().await?;
    Ok(NewKey {
        id: key,
        kind: shape.kind,
        value: text.expose_secret().to_owned(),
        old_ends_at,
    })
}

/// Stops every live `client_secret` of a tenant at once; says how many.
pub async fn revoke_secrets(state: &AppState, by: &By, tenant: TenantId) -> Result<usize, Stop> {
    let now = state.clock.now();
    let mut tx = state.db.write().await?;
    let facts = tx.tenant_facts(tenant).await?.ok_or(Trouble::NotFound)?;
    let mut stopped = 0;
    for key in tx.live_keys(tenant, now).await? {
        let secret = key.kind == KeyKind::Secret;
        if secret && tx.stop_key(tenant, key.id, now).await?.is_some() {
            let detail = json!({ "tenant": tenant, "kind": key.kind });
            let servicer = Some(facts.servicer);
            audit(state, &mut tx, by, servicer, "key.stopped", key.id, detail).await?;
            stopped += 1;
        }
    }
    tx.commit().await?;
    Ok(stopped)
}
