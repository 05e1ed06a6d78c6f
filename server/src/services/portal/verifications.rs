//! Verifications that wait for a decision, as people see and decide them in the sandbox bank's stead. What a decision
//! brings about is the session's ([`crate::services::sessions::verifications`]), in a job.

use app::domain::ids::SessionId;
use app::domain::person::Permission;
use app::domain::session::Decision;
use app::portal::verifications::{Verification, Verifications};
use app::portal::{Actor, PortalError, PortalResult, RequestSource};
use async_trait::async_trait;
use serde_json::json;

use super::Services;
use super::outcome::{audit_entry, portal_result};
use crate::jobs::decide_verification::DecideVerification;
use crate::security::SecurityEvent;
use crate::services::refusal::ServiceError;
use crate::storage::verifications::PendingRow;

/// Sessions in the list.
const LISTED: i64 = 100;

#[async_trait]
impl Verifications for Services {
    async fn verifications(&self, actor: &Actor) -> PortalResult<Vec<Verification>> {
        let listed = async {
            let servicer = actor.may(Permission::UseConsole)?.servicer;
            let mut tx = self.state.db.read().await?;
            let rows = tx.pending_sessions(servicer, None, LISTED).await?;
            Ok::<_, ServiceError>(rows.into_iter().map(portal_verification).collect())
        };
        portal_result(self, listed.await)
    }

    async fn decide(
        &self,
        actor: &Actor,
        session: SessionId,
        decision: Decision,
        source: &RequestSource,
    ) -> PortalResult<()> {
        let decided = async {
            let servicer = actor.may(Permission::UseConsole)?.servicer;
            let state = &self.state;
            let mut tx = state.db.write().await?;
            let waiting = tx.pending_sessions(servicer, Some(session), 1).await?;
            let waiting = waiting.into_iter().next().ok_or_else(gone)?;
            let detail = json!({ "decision": decision, "tenant": waiting.tenant_id });
            let audit = audit_entry(
                state,
                actor,
                source,
                SecurityEvent::VerificationDecided,
                session,
                detail,
            );
            tx.audit(&audit).await?;
            let job = DecideVerification {
                session,
                position: waiting.position,
                decision,
            };
            state.queue.add(&mut tx, &job).await?;
            tx.commit().await?;
            Ok::<_, ServiceError>(())
        };
        portal_result(self, decided.await)
    }
}

fn portal_verification(row: PendingRow) -> Verification {
    Verification {
        session: row.session_id,
        run: row.run,
        tenant: row.tenant_id,
        tenant_name: row.tenant_name,
        skill: row.skill,
        step: row.step,
        since: row.pending_since,
    }
}

/// Returns the error for a session of another servicer, of no servicer, or decided meanwhile: the same for all three.
fn gone() -> PortalError {
    PortalError::Conflict(
        "This session no longer waits for a decision. Go back to the list.".into(),
    )
}

#[cfg(test)]
mod tests;
