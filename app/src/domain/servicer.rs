//! A servicer: a company registered with the middleware.

words! {
    /// What a servicer does with skills.
    ServicerKind {
        /// Supplies skills: a bank, an insurer.
        Provider = "provider",
        /// Uses skills: a fintech.
        Consumer = "consumer",
        /// Does both.
        Both = "both",
    }
}

words! {
    /// How far a servicer may go.
    ServicerStatus {
        /// May use everything in the sandbox; the state a self-made servicer starts in.
        Sandbox = "sandbox",
        /// Approved by an admin: may create production tenants.
        Approved = "approved",
        /// Stopped by an admin: API calls are refused and the portal is read-only.
        Suspended = "suspended",
    }
}

words! {
    /// Whether a servicer registered as a natural person or as a company (the quick start allows both).
    LegalForm { Company = "company", Person = "person" }
}

/// The longest name of a servicer, in characters.
pub const LONGEST_NAME: usize = 120;
