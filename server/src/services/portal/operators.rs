//! What the operator's command line may do with tenants and jobs; servicers and admins are in `servicers.rs`. Whoever can run
//! the command can read the database, so no permission is asked, but every act is written down.

use app::domain::ids::{JobId, ServicerId, SigningKeyId, TenantId};
use app::domain::key::{KeyKind, KeyShape};
use app::domain::servicer::ServicerStatus;
use app::domain::tenant::Environment;
use app::portal::PortalError;
use app::portal::signing::NewSigningKey;
use app::portal::tenants::{CreatedTenant, NewKey, NewTenant};
use chrono::Duration;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::audit::{AuditActor, ProductionProof, audit};
use super::signing_keys;
use super::tenants::{self, CheckedTenant, create_in};
use crate::security::SecurityEvent;
use crate::services::refusal::ServiceError;
use crate::state::AppState;
use crate::storage::jobs::{DeadJobs, ListedJob, REVIVED};

/// Makes a tenant of any servicer, production only of an approved one.
pub async fn create_tenant(
    state: &AppState,
    by: &AuditActor,
    servicer: ServicerId,
    new: &NewTenant,
) -> Result<CreatedTenant, ServiceError> {
    let ready = CheckedTenant::parse(state, new)?;
    let mut tx = state.db.write().await?;
    let status = tx.hold_servicer(servicer).await?;
    let status = status
        .ok_or_else(|| PortalError::field("servicer", "There is no servicer with this id."))?;
    if ready.environment == Environment::Production && status != ServicerStatus::Approved {
        let why = format!(
            "Production is for approved servicers: run `server servicer approve {servicer}` first."
        );
        return Err(PortalError::Conflict(why).into());
    }
    let made = create_in(&mut tx, state, servicer, &ready, &by.name).await?;
    let detail = json!({ "name": ready.name, "environment": ready.environment });
    audit(
        state,
        &mut tx,
        by,
        Some(servicer),
        SecurityEvent::TenantCreated,
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
    by: &ProductionProof,
    servicer: ServicerId,
    new: NewSigningKey,
) -> Result<SigningKeyId, ServiceError> {
    let mut tx = state.db.read().await?;
    if tx.servicer(servicer).await?.is_none() {
        return Err(PortalError::field("servicer", "There is no servicer with this id.").into());
    }
    drop(tx);
    signing_keys::add_to(state, by, servicer, new).await
}

/// Makes a new `client_secret` beside the old one.
pub async fn rotate_secret(
    state: &AppState,
    by: &AuditActor,
    tenant: TenantId,
    overlap: Duration,
) -> Result<NewKey, ServiceError> {
    let mut tx = state.db.write().await?;
    let facts = tx.tenant_auth(tenant).await?.ok_or(PortalError::NotFound)?;
    let shape = KeyShape {
        environment: facts.environment,
        kind: KeyKind::Secret,
    };
    let (key, text, old_ends_at) =
        tenants::keys::rotate_in(&mut tx, state, tenant, shape, overlap.into(), &by.name).await?;
    let detail = json!({ "tenant": tenant, "kind": shape.kind, "old_ends_at": old_ends_at });
    audit(
        state,
        &mut tx,
        by,
        Some(facts.servicer),
        SecurityEvent::KeyRotated,
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
pub async fn revoke_secrets(
    state: &AppState,
    by: &AuditActor,
    tenant: TenantId,
) -> Result<usize, ServiceError> {
    let now = state.clock.now();
    let mut tx = state.db.write().await?;
    let facts = tx.tenant_auth(tenant).await?.ok_or(PortalError::NotFound)?;
    let mut stopped = 0;
    for key in tx.live_keys(tenant, now).await? {
        let secret = key.kind == KeyKind::Secret;
        if secret && tx.stop_key(tenant, key.id, now).await?.is_some() {
            let detail = json!({ "tenant": tenant, "kind": key.kind });
            let servicer = Some(facts.servicer);
            audit(
                state,
                &mut tx,
                by,
                servicer,
                SecurityEvent::KeyStopped,
                key.id,
                detail,
            )
            .await?;
            stopped += 1;
        }
    }
    tx.commit().await?;
    Ok(stopped)
}

/// A page of jobs, and how many there are.
pub struct ListedJobs {
    pub jobs: Vec<ListedJob>,
    pub total: i64,
    pub given_up: i64,
}

/// Lists jobs, or those given up alone.
pub async fn jobs(
    state: &AppState,
    given_up: bool,
    limit: i64,
) -> Result<ListedJobs, ServiceError> {
    let mut tx = state.db.read().await?;
    let jobs = tx.jobs(given_up, limit).await?;
    let (total, given_up) = tx.count_all_jobs().await?;
    Ok(ListedJobs {
        jobs,
        total,
        given_up,
    })
}

/// Makes jobs that were given up due again, with all their tries; answers which.
pub async fn retry_jobs(
    state: &AppState,
    by: &AuditActor,
    which: &DeadJobs,
) -> Result<Vec<JobId>, ServiceError> {
    // One that is given up again meanwhile is not tried a third time.
    let given_up_by = state.clock.now();
    let mut ids = Vec::new();
    loop {
        let mut tx = state.db.write().await?;
        let jobs = tx.revive_jobs(which, given_up_by).await?;
        let last = jobs.len() < REVIVED;
        for (id, kind) in jobs {
            let detail = json!({ "kind": kind });
            audit(
                state,
                &mut tx,
                by,
                None,
                SecurityEvent::JobRetried,
                id,
                detail,
            )
            .await?;
            ids.push(id);
        }
        tx.commit().await?;
        if last {
            break;
        }
    }
    if ids.is_empty() {
        let why = match which {
            DeadJobs::One(id) => format!("No job {id} was given up."),
            DeadJobs::Kind(kind) => format!("No job of kind {kind} was given up."),
            DeadJobs::All => "No job was given up.".to_owned(),
        };
        return Err(PortalError::Conflict(format!("{why} `server jobs list` shows them.")).into());
    }
    Ok(ids)
}

/// Deletes a job for good, unless somebody runs it just now; answers its kind.
pub async fn drop_job(
    state: &AppState,
    by: &AuditActor,
    id: JobId,
) -> Result<String, ServiceError> {
    let mut tx = state.db.write().await?;
    let Some(kind) = tx.drop_job(id, state.clock.now()).await? else {
        return Err(match tx.job(id).await? {
            Some(_) => PortalError::Conflict(
                "The job runs just now: wait for its end, or stop the server first.".to_owned(),
            ),
            None => PortalError::NotFound,
        }
        .into());
    };
    let detail = json!({ "kind": kind });
    audit(
        state,
        &mut tx,
        by,
        None,
        SecurityEvent::JobDropped,
        id,
        detail,
    )
    .await?;
    tx.commit().await?;
    Ok(kind)
}
