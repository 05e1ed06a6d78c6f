//! A tenant: one app of a servicer, its environment, and the links and origins it registered.

pub use super::link::{LinkError, RedirectLink};
pub use super::origin::Origin;

string_enum! {
    /// Environment of a tenant. Sandbox and production are kept apart.
    Environment { Sandbox = "sandbox", Production = "production" }
}

string_enum! {
    /// Status of a tenant. Calls of a paused one are refused.
    TenantStatus { Active = "active", Paused = "paused" }
}

/// The longest name of a tenant, in characters.
pub const LONGEST_NAME: usize = 80;
