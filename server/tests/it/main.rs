//! The one integration test binary: linking is slow, so there is one. What runs against a server starts the real
//! binary, on SQLite and on Postgres alike, and calls it as any client would.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    clippy::struct_field_names,
    reason = "a test that is surprised should stop, and a story is told in one piece"
)]
#![expect(
    clippy::match_same_arms,
    clippy::assigning_clones,
    clippy::disallowed_methods,
    reason = "tables of decisions are read line by line; and beside a real server there is no clock but the real one"
)]

mod authorization_matrix;
mod bad_input;
mod cli;
mod console;
mod credentials;
mod durability;
mod edge;
mod edge_answers;
mod export;
mod filters;
#[cfg(target_os = "linux")]
mod full_disk;
mod heads;
mod json;
mod limits;
mod marketplace;
mod memory;
mod networks;
mod one_time;
mod operating;
mod payments;
mod people;
#[cfg(target_os = "linux")]
mod power;
mod promises;
mod protocol;
mod restarts;
mod retention;
mod returns;
mod rooms;
mod rotation;
mod secrets;
mod security_events;
mod seed_flow;
mod slips;
mod streaming;
mod telemetry;
mod unpublished;
mod uploads;
mod uploads_corpus;
mod world;
