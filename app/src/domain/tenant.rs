//! A tenant: one app of a servicer, its environment, and the links and origins it registered.

pub use super::environment::Environment;
pub use super::link::{LinkError, RedirectLink};
pub use super::origin::Origin;

string_enum! {
    /// Status of a tenant. Calls of a paused one are refused.
    TenantStatus { Active = "active", Paused = "paused" }
}

/// The longest name of a tenant, in characters.
pub const LONGEST_NAME: usize = 80;
