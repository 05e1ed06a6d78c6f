//! The router that the accept loop serves, and that tests call.

use axum::Router;

use crate::api;
use crate::state::AppState;

/// Every route of the API. The portal is merged in `cli/serve.rs`; the sandbox bank has a listener of its own.
pub fn router(state: &AppState) -> Router {
    api::router(state)
}
