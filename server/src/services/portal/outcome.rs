//! What comes of a portal act: the answer that a person may be shown, and the entry in the audit log.

use app::portal::{Actor, PortalResult, RequestSource};
use serde_json::Value;

use super::Services;
use super::audit::{self, AuditActor};
use crate::security::SecurityEvent;
use crate::services::refusal::ServiceError;
use crate::state::AppState;
use crate::storage::audit::AuditRow;

/// The portal's answer; what is our fault is logged, and the person sees its reference.
pub fn portal_result<T>(services: &Services, result: Result<T, ServiceError>) -> PortalResult<T> {
    result.map_err(|error| match error {
        ServiceError::Refused(error) => error,
        ServiceError::Database(error) => services.database_error(&error),
        ServiceError::Broken(why) => services.internal_error(why),
    })
}

/// The audit row of a portal act, to be written in the act's own transaction.
pub fn audit_entry(
    state: &AppState,
    actor: &Actor,
    source: &RequestSource,
    action: SecurityEvent,
    target: impl ToString,
    detail: Value,
) -> AuditRow {
    let servicer = actor
        .membership
        .as_ref()
        .map(|membership| membership.servicer);
    let by = AuditActor::actor(actor, source);
    audit::audit_row(state, &by, servicer, action, target, detail)
}
