//! The words: what things are and which values are legal. Types that parse, pure rules and their unit
//! tests. Nothing here waits, reads a clock, opens a file or knows a database or an HTTP server.

#[macro_use]
mod macros;

pub mod account;
pub mod console;
pub mod country;
pub mod currency;
pub mod environment;
pub mod ids;
pub mod key;
pub mod link;
pub mod moment;
pub mod money;
pub mod nearest;
pub mod origin;
pub mod payment;
pub mod person;
pub mod problem;
pub mod product;
pub mod schema;
pub mod schemes;
pub mod servicer;
pub mod session;
pub mod signature;
pub mod skill;
pub mod tenant;
pub mod terms;
pub mod text;
pub mod transaction;
pub mod upload;
pub mod zone;

/// A word that is not in its closed set; the message lists what would have been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of: {}", expected.join(", "))]
pub struct UnknownWord {
    /// The words that are legal here.
    pub expected: &'static [&'static str],
}
