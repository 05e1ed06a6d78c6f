//! A tenant: one app of a servicer, its environment, and the links and origins it registered.

pub use super::link::{LinkError, RedirectLink};
pub use super::origin::Origin;

words! {
    /// Which world a tenant lives in; the two never meet.
    Environment { Sandbox = "sandbox", Production = "production" }
}

words! {
    /// Whether a tenant's calls are served.
    TenantStatus { Active = "active", Paused = "paused" }
}

/// The longest name of a tenant, in characters.
pub const LONGEST_NAME: usize = 80;
