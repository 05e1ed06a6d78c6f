//! An account as a bank describes it: the closed sets of words around it.

words! {
    /// What a balance counts, as sent in `balance_type` and `type`: the ISO 20022 balance types under the names that
    /// the documents print (Berlin Group writes the same words in lower camel case).
    BalanceType {
        ClosingAvailable = "ClosingAvailable",
        /// What the account held at the end of a booked day.
        ClosingBooked = "ClosingBooked",
        ClosingCleared = "ClosingCleared",
        /// Booked plus pending entries known now.
        Expected = "Expected",
        ForwardAvailable = "ForwardAvailable",
        Information = "Information",
        /// What can be spent at this moment of the day.
        InterimAvailable = "InterimAvailable",
        InterimBooked = "InterimBooked",
        InterimCleared = "InterimCleared",
        OpeningAvailable = "OpeningAvailable",
        OpeningBooked = "OpeningBooked",
        OpeningCleared = "OpeningCleared",
        PreviouslyClosedBooked = "PreviouslyClosedBooked",
    }
}

words! {
    /// The sign of an amount, which itself is sent without one: `debit` is below zero.
    CreditDebit { Credit = "credit", Debit = "debit" }
}

words! {
    /// Whether an account is for a person's private life or for a trade (Berlin Group `usage`: PRIV, ORGA).
    AccountUsage { Private = "private", Organisation = "organisation" }
}
