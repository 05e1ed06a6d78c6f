//! Access to the API: the keys a call presents, signatures, networks, rate limits, repeated calls, and the catalogue of
//! skills a client may choose from.
//!
//! It may use `refusal`, and no other area.

pub mod catalog;
pub mod idempotency;
pub mod keys;
pub mod networks;
pub mod rate_limits;
pub mod signatures;
