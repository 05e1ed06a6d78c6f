//! States without anybody in them, for tests of what needs no more, and to build worlds of. Tests from outside the crate call
//! [`start::open`](crate::start::open) with a mock clock.

use std::sync::Arc;

use kernel::clock::Clock;
use kernel::crypto::Secrets;

use crate::config::Config;
use crate::mail::MemoryMailer;
use crate::state::AppState;
use crate::storage::Db;

/// Returns a state over a fresh database (see `on_both!`), its clock standing at the first second of 2026.
pub fn state(db: Db) -> AppState {
    state_with(db, Config::default())
}

/// Returns such a state with the given settings.
pub fn state_with(db: Db, config: Config) -> AppState {
    let clock = Clock::mock("2026-01-01T00:00:00Z".parse().unwrap(), 1);
    let secrets = Secrets::make(&clock);
    let mailer = Arc::new(MemoryMailer::default());
    AppState::new(config, db, clock, secrets, mailer, "http://127.0.0.1:3000")
}
