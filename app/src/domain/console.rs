//! A run of the sandbox console: where it stands, and what may be asked for besides what comes next.

string_enum! {
    /// Stage of a run, named after the call or event that it waits for.
    RunStage {
        OpenSession = "open_session",
        Step = "step",
        /// The step submitted last lacks required files.
        Uploads = "uploads",
        /// The end-user is at the bank; no call can be made.
        Bank = "bank",
        /// The provider verifies; asking the session again says whether it has decided.
        Pending = "pending",
        /// Asking the session what comes next: after a refusal, or when a nonce or token was not used in time.
        Ask = "ask",
        Exchange = "exchange",
        Accounts = "accounts",
        Transactions = "transactions",
        Payment = "payment",
        Products = "products",
        Done = "done",
        /// Nothing can be done in this run any more.
        DeadEnd = "dead_end",
    }
}

string_enum! {
    /// A call that a run offers once it has read what its consent is for.
    Offer {
        Balances = "balances",
        /// Reads the payment once more: it may have moved on.
        Payment = "payment",
        CancelPayment = "cancel_payment",
        /// Reads the products once more.
        Products = "products",
    }
}
