//! A transaction as a bank describes it: the closed sets of words around it.

string_enum! {
    /// State of an entry at the bank, booked or only announced, as sent in `status`.
    BookingStatus { Booked = "booked", Pending = "pending" }
}

string_enum! {
    /// Kind of change to a transaction, in the log from which clients keep a copy up to date.
    ChangeKind { Added = "added", Modified = "modified", Removed = "removed" }
}
