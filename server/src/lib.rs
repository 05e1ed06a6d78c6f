//! What the product does, and how the world reaches it.
//!
//! Doors (`api`, `portal`) and the `worker` call `services`, which call `state`, `jobs`, `storage`, `skills` and `mail`;
//! the sandbox bank is a crate of its own. Everything may use the words of `app::domain`. ARCHITECTURE.md says which room a line
//! belongs to; `tests/it/rooms.rs` holds it to that.

pub mod aad;
pub mod api;
pub mod backup;
pub mod cli;
pub mod config;
#[cfg(test)]
mod fuzz;
pub mod http;
pub mod jobs;
pub mod mail;
pub mod metrics;
pub mod portal;
pub mod problem;
pub mod router;
pub mod scope;
pub mod security;
pub mod services;
pub mod skills;
pub mod start;
pub mod state;
pub mod storage;
pub mod telemetry;
#[cfg(test)]
mod testing;
pub mod text;
pub mod wire;
pub mod worker;
