//! Payments: what can be ordered of the bank, when it is due, and how far it is.
//!
//! A payment's status is worked out from a few facts (authorised, refused, cancelled) and the clock, as the books are:
//! nothing has to run for a payment to be executed, and a cancellation and an execution cannot both happen. Executed
//! payments do not enter the books. Those are the same on every machine, and everybody's test users share them: what
//! one developer pays would show in another's account, and eat up what others can pay from.

pub mod order;
pub mod schedule;
pub mod status;
