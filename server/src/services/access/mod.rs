//! Who may call, and how often: the keys a call presents, signatures, networks, rate limits, calls that are repeated, and
//! the catalogue of skills a client may choose from.
//!
//! It may use `refusal`, and no other area.

pub mod catalog;
pub mod idempotency;
pub mod keys;
pub mod networks;
pub mod rate_limits;
pub mod signatures;
