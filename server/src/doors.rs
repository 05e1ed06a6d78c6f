//! All doors as one router: what the accept loop serves, and what tests knock on.

use axum::Router;

use crate::api;
use crate::state::AppState;

/// Every route of the server but the sandbox bank's, which is another company.
pub fn router(state: &AppState) -> Router {
    api::router(state)
}
