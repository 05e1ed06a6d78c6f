//! The rules: whether something is allowed, and what happens then. One file per noun.
//!
//! `Services` answers the portal's seam; the API's doors call the same files. No service reads a header or knows
//! which door called.

pub mod acts;
pub mod console;
pub mod idempotency;
pub mod keys;
pub mod limits;
pub mod passwords;
pub mod people;
pub mod refusal;
pub mod requests;
pub mod servicers;
pub mod skills;
pub mod tenants;
pub mod trouble;

use std::fmt::Display;

use app::portal::Trouble;

use crate::state::AppState;
use crate::storage::Tx;

/// The server's answer to every trait of [`app::portal`].
#[derive(Clone)]
pub struct Services {
    pub state: AppState,
    /// The public API's router, for the console: its calls pass through the same door as everybody's.
    api: Option<axum::Router>,
}

impl Services {
    /// Services without a way back into the API: all but the console's calls.
    pub fn new(state: AppState) -> Self {
        Self { state, api: None }
    }

    /// Hands the console the router that serves the public API.
    #[must_use]
    pub fn with_api(self, api: axum::Router) -> Self {
        Self {
            api: Some(api),
            ..self
        }
    }

    /// A connection that reads, for the portal's seam.
    pub(crate) async fn read(&self) -> Result<Tx, Trouble> {
        self.state
            .db
            .read()
            .await
            .map_err(|error| self.broken(error))
    }

    /// The transaction of a portal request that may write.
    pub(crate) async fn write(&self) -> Result<Tx, Trouble> {
        self.state
            .db
            .write()
            .await
            .map_err(|error| self.broken(error))
    }

    /// Our own fault, logged under the reference that the person is shown. `error` carries no secret.
    pub(crate) fn broken(&self, error: impl Display) -> Trouble {
        let reference = self.state.clock.id().to_string();
        tracing::error!(%reference, %error, "a portal request failed");
        Trouble::Internal(reference)
    }
}
