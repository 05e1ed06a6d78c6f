//! The end of accounts whose address nobody proved: 30 days after they were used last, they and their sandbox go.

use chrono::Duration;

use crate::security::SecurityEvent;
use crate::services::portal::audit::{AuditActor, audit};
use crate::services::refusal::ServiceError;
use crate::state::AppState;

/// Time an account without a proved address lasts after its last use, in the portal or by its sandbox keys.
pub const UNPROVED_LAST: Duration = Duration::days(30);
/// Accounts looked up at a time.
const BATCH: i64 = 100;

/// Ends every account whose time is over, each in a transaction of its own, until none is left; says how many.
pub async fn end_unproved(state: &AppState) -> Result<u64, ServiceError> {
    let now = state.clock.now();
    let since = now - UNPROVED_LAST;
    if state.db.read().await?.has_undated_people().await? {
        let mut tx = state.db.write().await?;
        tx.begin_days_of_unproved(now).await?;
        tx.commit().await?;
    }
    let mut ended = 0;
    loop {
        let due = state.db.read().await?.unproved_unused(since, BATCH).await?;
        let before = ended;
        for person in due {
            let mut tx = state.db.write().await?;
            let Some(servicers) = tx.take_for_ending(person, since).await? else {
                continue;
            };
            let mut lost = Vec::new();
            for servicer in &servicers {
                lost.extend(tx.erase_data_keys_of(*servicer, now).await?);
                tx.delete_servicer(*servicer).await?;
            }
            tx.delete_person(person).await?;
            let detail = serde_json::json!({ "servicers": servicers });
            let by = AuditActor::server();
            audit(
                state,
                &mut tx,
                &by,
                None,
                SecurityEvent::PersonEnded,
                person,
                detail,
            )
            .await?;
            tx.commit().await?;
            for tenant in lost {
                state.vault.forget(tenant);
            }
            ended += 1;
        }
        if ended == before {
            return Ok(ended);
        }
    }
}
