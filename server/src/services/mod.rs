//! The rules: whether something is allowed, and what happens then.
//!
//! An area holds what belongs together, and its head says what it may use: `portal` -> `sessions` -> `consents` ->
//! `access` -> `refusal`, `lease`, never the other way. The API's handlers and the portal's traits call the same files. No service
//! reads a header or knows which of the two called.

pub mod access;
pub mod background;
pub mod consents;
/// The contract of every portal, which the fake of the page tests is held to as well.
#[cfg(test)]
#[path = "../../../app/tests/contract/mod.rs"]
mod contract;
pub mod lease;
pub mod portal;
pub mod refusal;
pub mod sessions;
#[cfg(test)]
mod tests;
