//! A run of the sandbox console: where it stands.

words! {
    /// What a run waits for.
    RunStage {
        OpenSession = "open_session",
        Step = "step",
        /// The end-user is at the bank; no call can be made.
        Bank = "bank",
        /// Asking the session what comes next: after a refusal, or when a nonce or token was not used in time.
        Ask = "ask",
        Exchange = "exchange",
        Accounts = "accounts",
        Transactions = "transactions",
        Done = "done",
        /// Nothing can be done in this run any more.
        DeadEnd = "dead_end",
    }
}
