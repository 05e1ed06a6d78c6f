//! Erasing a tenant: its consents end at their banks, then its data key is destroyed, which makes everything sealed under it
//! unreadable at once wherever it lies: uploads, grants of banks, transactions, kept answers. Files go in the act as well; the
//! other rows follow by schedule.

use app::domain::ids::TenantId;
use app::domain::session::EndedBy;
use app::portal::PortalError;
use serde_json::json;

use crate::security::SecurityEvent;
use crate::services::consents;
use crate::services::portal::audit::{AuditActor, audit};
use crate::services::refusal::{ApiError, ServiceError};
use crate::services::sessions::erasure;
use crate::state::AppState;

/// Consents that are ended in one transaction.
const BATCH: i64 = 50;

/// Erases a tenant for good; answers how many of its consents were ended. Erasing what is erased changes nothing.
pub async fn erase(
    state: &AppState,
    by: &AuditActor,
    tenant: TenantId,
) -> Result<u64, ServiceError> {
    let mut tx = state.db.write().await?;
    let facts = tx.tenant_auth(tenant).await?.ok_or(PortalError::NotFound)?;
    // First of all nobody may begin anything: from here on its keys are refused.
    tx.shut_tenant(tenant, state.clock.now()).await?;
    tx.commit().await?;
    let ended = end_consents(state, tenant).await?;
    let now = state.clock.now();
    let mut tx = state.db.write().await?;
    if tx.erase_data_key(tenant.0, now).await? {
        tx.strip_tenant(tenant, now).await?;
        let detail = json!({ "consents_ended": ended });
        let servicer = Some(facts.servicer);
        audit(
            state,
            &mut tx,
            by,
            servicer,
            SecurityEvent::TenantErased,
            tenant,
            detail,
        )
        .await?;
        tx.commit().await?;
    } else {
        // Not kept until the end: what follows takes its own turns to write.
        drop(tx);
    }
    state.vault.forget(tenant.0);
    erase_uploads(state, tenant).await?;
    if let Err(error) = erasure::erase(state).await {
        tracing::warn!(%error, "rows of an erased tenant are still there, unreadable; the next look deletes them");
    }
    Ok(ended)
}

/// Erases the files that the tenant's sessions were sent, one in a transaction: each has many pieces.
async fn erase_uploads(state: &AppState, tenant: TenantId) -> Result<(), ServiceError> {
    loop {
        let mut tx = state.db.write().await?;
        let erased = tx.erase_upload_of_tenant(tenant).await?;
        tx.commit().await?;
        if !erased {
            return Ok(());
        }
    }
}

async fn end_consents(state: &AppState, tenant: TenantId) -> Result<u64, ServiceError> {
    let mut ended = 0;
    loop {
        let now = state.clock.now();
        let mut tx = state.db.write().await?;
        let rows = tx.consents_to_end(tenant, now, BATCH).await?;
        if rows.is_empty() {
            return Ok(ended);
        }
        for row in rows {
            let was_active = tx.end_consent(row.id, now, now, EndedBy::Tenant).await?;
            tx.cut_retention(row.id, now).await?;
            if !was_active {
                continue;
            }
            ended += 1;
            match consents::revoke_at_provider(state, &mut tx, &row).await {
                Ok(()) => {}
                Err(ApiError::Database(error)) => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(consent = %row.id, %error, "the bank of an erased tenant's consent could not be told");
                }
            }
        }
        tx.commit().await?;
    }
}
