//! The two worlds a tenant, a skill or a key may belong to.

string_enum! {
    /// Environment of a tenant. Sandbox and production are kept apart.
    Environment { Sandbox = "sandbox", Production = "production" }
}
