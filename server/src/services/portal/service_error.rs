//! Errors of services, on their way to a [`PortalError`] that may be shown.

use app::portal::{Actor, PortalError, PortalResult, RequestSource};
use kernel::crypto::Unsealable;
use serde_json::Value;

use super::Services;
use super::audit::{self, AuditActor};
use crate::security::SecurityEvent;
use crate::state::passwords::HashingFailed;
use crate::state::{AppState, DataKeyError};
use crate::storage::DbError;
use crate::storage::audit::AuditRow;

/// Lets services use `?` on everything that can go wrong; [`portal_result`] logs what is our fault, once.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error("{0:?}")]
    Trouble(PortalError),
    #[error("database: {0}")]
    Database(#[from] DbError),
    #[error("{0}")]
    Unsealable(#[from] Unsealable),
    #[error("{0}")]
    Hashing(#[from] HashingFailed),
    /// Something that cannot be is so; the text is for the log alone.
    #[error("{0}")]
    Broken(String),
}

impl From<PortalError> for ServiceError {
    fn from(error: PortalError) -> Self {
        Self::Trouble(error)
    }
}

impl From<DataKeyError> for ServiceError {
    fn from(error: DataKeyError) -> Self {
        match error {
            DataKeyError::Database(error) => error.into(),
            DataKeyError::Unsealable(error) => error.into(),
        }
    }
}

/// The portal's answer; what is our fault is logged, and the person sees its reference.
pub fn portal_result<T>(services: &Services, result: Result<T, ServiceError>) -> PortalResult<T> {
    result.map_err(|stop| match stop {
        ServiceError::Trouble(error) => error,
        ServiceError::Database(error) => services.database_error(&error),
        fault => services.internal_error(fault),
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
