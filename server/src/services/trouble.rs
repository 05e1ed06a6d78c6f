//! What stops a portal operation, on its way to a [`Trouble`] that may be shown.

use app::portal::{Actor, Answered, Source, Trouble};
use serde_json::Value;

use super::Services;
use super::acts::{self, By};
use super::passwords::HashingFailed;
use crate::crypto::Unsealable;
use crate::state::{AppState, Locked};
use crate::storage::DbError;
use crate::storage::audit::AuditRow;

/// Lets services use `?` on everything that can go wrong; [`answered`] logs what is our fault, once.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    #[error("{0:?}")]
    Trouble(Trouble),
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

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<Locked> for Stop {
    fn from(error: Locked) -> Self {
        match error {
            Locked::Database(error) => error.into(),
            Locked::Unsealable(error) => error.into(),
        }
    }
}

/// The portal's answer; what is our fault is logged, and the person sees its reference.
pub fn answered<T>(services: &Services, result: Result<T, Stop>) -> Answered<T> {
    result.map_err(|stop| match stop {
        Stop::Trouble(trouble) => trouble,
        fault => services.broken(fault),
    })
}

/// The audit row of a portal act, to be written in the act's own transaction.
pub fn act(
    state: &AppState,
    actor: &Actor,
    source: &Source,
    action: &'static str,
    target: impl ToString,
    detail: Value,
) -> AuditRow {
    let servicer = actor
        .membership
        .as_ref()
        .map(|membership| membership.servicer);
    let by = By::actor(actor, source);
    acts::row(state, &by, servicer, action, target, detail)
}
