//! What every door and service is handed: one value, made at start, cheap to clone.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Config;
use crate::crypto::{Pepper, Vault};
use crate::jobs::Queue;
use crate::storage::Db;

/// The server's shared parts.
#[derive(Clone)]
pub struct AppState {
    pub config: Arc<Config>,
    pub db: Db,
    pub clock: Clock,
    pub pepper: Pepper,
    pub vault: Vault,
    /// Wakes the worker when a job was added.
    pub queue: Queue,
    /// Without trailing slash; every link is built from it.
    pub public_url: Arc<str>,
}
