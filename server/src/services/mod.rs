//! The rules: whether something is allowed, and what happens then. One file per noun.
//!
//! `Services` answers the portal's seam; the API's doors call the same files. No service reads a header or knows
//! which door called.

use crate::state::AppState;

/// The server's answer to every trait of [`app::portal`].
#[derive(Clone)]
pub struct Services {
    pub state: AppState,
}
