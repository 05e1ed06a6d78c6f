//! Acts of people, signed in at the portal or at the command line: accounts and passwords, servicers, tenants and their
//! keys, operators, the key file, the sandbox console, the request log, and the audit log that keeps them.
//!
//! It may use `sessions`, `consents`, `access` and `refusal`; none of them knows of it. [`Services`] implements the traits
//! of [`app::portal`], each beside the rules it asks for.

pub mod audit;
pub mod console;
pub mod export;
pub mod operators;
pub mod outcome;
pub mod passwords;
pub mod people;
pub mod request_log;
pub mod secrets;
pub mod servicers;
pub mod signatures;
pub mod signing_keys;
pub mod skills;
pub mod tenants;
mod verifications;

use std::fmt::Display;
use std::sync::Arc;

use app::portal::PortalError;

use self::console::ApiCaller;
use crate::state::AppState;
use crate::storage::{DbError, is_busy};

/// The server's answer to every trait of [`app::portal`].
#[derive(Clone)]
pub struct Services {
    pub state: AppState,
    /// The console's way into the public API: its calls take the same route as everybody's.
    api: Option<Arc<dyn ApiCaller>>,
}

impl Services {
    /// Services without a way back into the API: all but the console's calls.
    pub fn new(state: AppState) -> Self {
        Self { state, api: None }
    }

    /// Hands the console its way into the public API.
    #[must_use]
    pub fn with_api(self, api: impl ApiCaller + 'static) -> Self {
        Self {
            api: Some(Arc::new(api)),
            ..self
        }
    }

    /// The database could not do it: worth another try, or our own fault.
    pub(crate) fn database_error(&self, error: &DbError) -> PortalError {
        if is_busy(error) {
            tracing::warn!(%error, "the database is busy");
            return PortalError::Unavailable;
        }
        self.internal_error(error)
    }

    /// Our own fault, logged under the reference that the person is shown. `error` carries no secret.
    pub(crate) fn internal_error(&self, error: impl Display) -> PortalError {
        let reference = self.state.clock.id().to_string();
        tracing::error!(%reference, %error, "a portal request failed");
        PortalError::Internal(reference)
    }
}
