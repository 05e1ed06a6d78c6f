//! The rules: whether something is allowed, and what happens then. One file per noun.
//!
//! `Services` answers the portal's seam; the API's doors call the same files. No service reads a header or knows
//! which door called.

pub mod idempotency;
pub mod keys;
pub mod limits;
pub mod refusal;

use crate::state::AppState;

/// The server's answer to every trait of [`app::portal`].
#[derive(Clone)]
pub struct Services {
    pub state: AppState,
    /// The public API's router, for the console: its calls pass through the same door as everybody's.
    #[expect(dead_code, reason = "the console's service comes next")]
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
}
