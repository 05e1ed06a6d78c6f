//! A session: an ordered conversation of steps that takes an end-user through consent or onboarding.

words! {
    /// Where a session stands, as sent in `status`.
    SessionStatus {
        /// Opened; no step submitted yet.
        Created = "SESSION_CREATED",
        /// At least one step submitted.
        InProgress = "SESSION_IN_PROGRESS",
        /// Waiting for an offline verification.
        Pending = "SESSION_PENDING",
        /// The last step was accepted and a `temp_token` issued.
        Completed = "SESSION_COMPLETED",
        /// Ended by the provider without result.
        Failed = "SESSION_FAILED",
        /// Ended by time.
        Expired = "SESSION_EXPIRED",
        /// Ended by the tenant.
        Cancelled = "SESSION_CANCELLED",
    }
}

impl SessionStatus {
    /// Whether nothing can happen in the session any more.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Expired | Self::Cancelled
        )
    }
}

words! {
    /// The life of a consent record, as sent in `status`.
    ConsentStatus { Active = "ACTIVE", Deleted = "DELETED", Expired = "EXPIRED" }
}
