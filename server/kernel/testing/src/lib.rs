//! What tests of every crate on the kernel need: databases of their own, rows for any schema, statements prepared, work that breaks off.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

pub mod breaking;
pub mod databases;
pub mod rows;
#[cfg(test)]
mod signals;
pub mod statements;
