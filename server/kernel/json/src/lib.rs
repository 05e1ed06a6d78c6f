//! JSON that comes from outside: one reader for bodies, pasted keys, sets of keys, signatures, console data and banks'
//! answers.
//!
//! It reads RFC 8259 and nothing else. Size, depth and the number of values are counted while it reads, a name that
//! stands twice in one object is refused at every level (RFC 7493, section 2.3), and no name means anything to it. Numbers
//! keep their text, so that an amount never passes through binary floating point.
//!
//! ```
//! use json::ReadLimits;
//! let value = json::read(br#"{"amount": 4.270000000000000000001}"#, ReadLimits::BODY).unwrap();
//! assert_eq!(value.get("amount").unwrap().to_string(), "4.270000000000000000001");
//! ```
//!
//! [`JsonValue`] is what was read; [`from_slice`] makes a type of one's own of it (serde), [`JsonValue::to_value`] a
//! `serde_json::Value`, and [`JsonReader`] goes through a text without keeping it.

mod fault;
mod number;
mod plain;
mod reader;
#[cfg(test)]
mod tests;
mod tree;
mod typed;
mod write;

pub use fault::{Fault, FaultReason};
pub use number::Number;
pub use plain::{Inexact, PlainValue};
pub use reader::{JsonReader, ValueStart};
pub use tree::{JsonValue, Object, read};
pub use typed::{Exact, ExactValue, ReadError, from_slice};
pub use write::Style;

/// Limits on the size of a text. Reading ends with a [`Fault`] as soon as one of them is exceeded.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// The longest text, in bytes.
    pub bytes: usize,
    /// The deepest nesting of arrays and objects.
    pub depth: usize,
    /// The most values: texts, numbers, words, arrays and objects, each counted.
    pub values: usize,
}

impl ReadLimits {
    /// A request's body, and whatever else a person or a client sends.
    pub const BODY: Self = Self {
        bytes: 256 * 1024,
        depth: 64,
        values: 16 * 1024,
    };
    /// The answer of a bank.
    pub const ANSWER: Self = Self {
        bytes: 5 * 1024 * 1024,
        depth: 64,
        values: 512 * 1024,
    };
    /// A key, or a published set of keys.
    pub const KEYS: Self = Self {
        bytes: 64 * 1024,
        depth: 16,
        values: 4 * 1024,
    };
    /// One part of a signature: its header or its claims.
    pub const CLAIMS: Self = Self {
        bytes: 8 * 1024,
        depth: 16,
        values: 512,
    };
}
