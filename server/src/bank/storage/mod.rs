//! The bank's own SQL room: its tables begin with `bank_`, and nobody else's are named here.

pub mod applications;
pub mod books;
pub mod consents;
pub mod payments;
pub mod visits;
