//! A transaction as a bank describes it: the closed sets of words around it.

words! {
    /// Whether the bank has booked an entry or only announced it, as sent in `status`.
    BookingStatus { Booked = "booked", Pending = "pending" }
}

words! {
    /// What happened to a row of transactions, in the log that a client's mirror is kept by.
    ChangeKind { Added = "added", Modified = "modified", Removed = "removed" }
}
