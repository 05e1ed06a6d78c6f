//! A transaction as a bank describes it: the closed sets of words around it.

words! {
    /// Whether the bank has booked an entry or only announced it, as sent in `status`.
    BookingStatus { Booked = "booked", Pending = "pending" }
}
