//! Erasing a tenant: its consents end at their banks, then its data key is destroyed, which makes everything sealed under it
//! unreadable at once wherever it lies: uploads, grants of banks, transactions, kept answers. The rows follow by schedule.

use app::domain::ids::TenantId;
use app::portal::Trouble;
use serde_json::json;

use crate::jobs::erase_data;
use crate::services::acts::{By, audit};
use crate::services::consents;
use crate::services::refusal::Failure;
use crate::services::trouble::Stop;
use crate::state::AppState;

/// Consents that are ended in one transaction.
const BATCH: i64 = 50;

/// Erases a tenant for good; answers how many of its consents were ended. Erasing what is erased changes nothing.
pub async fn erase(state: &AppState, by: &By, tenant: TenantId) -> Result<u64, Stop> {
    let mut tx = state.db.write().await?;
    let facts = tx.tenant_facts(tenant).await?.ok_or(Trouble::NotFound)?;
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
        audit(state, &mut tx, by, servicer, "tenant.erased", tenant, detail).await?;
        tx.commit().await?;
    }
    state.vault.forget(tenant.0);
    state.queue.wake();
    if let Err(error) = erase_data::erase(state).await {
        tracing::warn!(%error, "rows of an erased tenant are still there, unreadable; the next look deletes them");
    }
    Ok(ended)
}

async fn end_consents(state: &AppState, tenant: TenantId) -> Result<u64, Stop> {
    let mut ended = 0;
    loop {
        let now = state.clock.now();
        let mut tx = state.db.write().await?;
        let rows = tx.consents_to_end(tenant, now, BATCH).await?;
        if rows.is_empty() {
            return Ok(ended);
        }
        for row in rows {
            let was_active = tx.end_consent(row.id, now, now).await?;
            tx.cut_retention(row.id, now).await?;
            if !was_active {
                continue;
            }
            ended += 1;
            match consents::revoke_at_provider(state, &mut tx, &row).await {
                Ok(()) => {}
                Err(Failure::Database(error)) => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(consent = %row.id, %error, "the bank of an erased tenant's consent could not be told");
                }
            }
        }
        tx.commit().await?;
    }
}
