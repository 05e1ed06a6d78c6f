//! A servicer: a company registered with the middleware.

string_enum! {
    /// Kind of a servicer: it supplies skills, uses them, or both.
    ServicerKind {
        /// Supplies skills: a bank, an insurer.
        Provider = "provider",
        /// Uses skills: a fintech.
        Consumer = "consumer",
        /// Does both.
        Both = "both",
    }
}

string_enum! {
    /// Status of a servicer.
    ServicerStatus {
        /// May use everything in the sandbox; the state a self-made servicer starts in.
        Sandbox = "sandbox",
        /// Approved by an admin: may create production tenants.
        Approved = "approved",
        /// Stopped by an admin: API calls are refused and the portal is read-only.
        Suspended = "suspended",
    }
}

string_enum! {
    /// Legal form of a servicer: a company or a natural person (the quick start allows both).
    LegalForm { Company = "company", Person = "person" }
}

/// The longest name of a servicer, in characters.
pub const LONGEST_NAME: usize = 120;
