//! What every call passes through, whichever door it came to: reading, proving, counting, noting, answering.

#[macro_use]
pub mod describe;
#[macro_use]
pub mod fields;
pub mod call;
pub mod credentials;
pub mod json;
pub mod notes;
pub mod once;
pub mod security_headers;
