//! An account as a bank describes it: the closed sets of words around it.

string_enum! {
    /// Type of a balance, as sent in `balance_type` and `type`: the ISO 20022 balance types under the names that the
    /// documents print (Berlin Group writes the same words in lower camel case).
    BalanceType {
        ClosingAvailable = "ClosingAvailable",
        /// Booked balance at the end of a day.
        ClosingBooked = "ClosingBooked",
        ClosingCleared = "ClosingCleared",
        /// Booked plus pending entries known now.
        Expected = "Expected",
        ForwardAvailable = "ForwardAvailable",
        Information = "Information",
        /// Amount that can be spent at this moment of the day.
        InterimAvailable = "InterimAvailable",
        InterimBooked = "InterimBooked",
        InterimCleared = "InterimCleared",
        OpeningAvailable = "OpeningAvailable",
        OpeningBooked = "OpeningBooked",
        OpeningCleared = "OpeningCleared",
        PreviouslyClosedBooked = "PreviouslyClosedBooked",
    }
}

string_enum! {
    /// The sign of an amount, which itself is sent without one: `debit` is below zero.
    CreditDebit { Credit = "credit", Debit = "debit" }
}

string_enum! {
    /// Use of an account, private or business (Berlin Group `usage`: PRIV, ORGA).
    AccountUsage { Private = "private", Organisation = "organisation" }
}
