//! The one room where SQL is spoken: one text for SQLite and Postgres, one file per noun.
//!
//! [`Db`] and [`Tx`] are the kernel's with what the product adds: its migrations, and the acts that a transaction wrote
//! down. The portable dialect is in `migrations/README.md`.

pub mod accounts;
pub mod audit;
pub mod bank_tables;
pub mod callbacks;
pub mod census;
pub mod consents;
pub mod console;
pub mod data_keys;
mod db;
#[cfg(test)]
mod db_tests;
pub mod digests;
pub mod email_links;
pub mod endings;
pub mod erasures;
pub mod export;
#[cfg(any(test, feature = "bench"))]
pub mod filler;
pub mod idempotency_keys;
pub mod inventory;
pub mod jobs;
pub mod keys;
pub mod letters_sent;
pub mod login_throttle;
pub mod meta;
pub mod metadata;
pub mod nonces;
pub mod paging;
pub mod payments;
pub mod people;
pub mod portal_sessions;
pub mod products;
pub mod rate_limits;
pub mod reminders;
pub mod renewals;
pub mod request_log;
pub mod request_sizes;
pub mod reseal;
pub mod retention;
pub mod schedule;
pub mod servicers;
pub mod sessions;
pub mod signatures;
pub mod signing_keys;
#[cfg(test)]
mod statements_tests;
mod statistics;
pub mod steps;
pub mod sync;
pub mod temp_tokens;
pub mod tenants;
pub mod terms;
#[cfg(test)]
pub mod testing;
pub mod transactions;
pub mod unreadable;
pub mod uploads;
pub mod verifications;

pub(crate) use kernel::db::run;
pub use kernel::db::{
    Connection, DbError, DbResult, OpenError, Signal, Subscription, copy, is_busy, is_postgres_url,
    is_taken, lost_race, sqlite_path,
};

pub(crate) use self::db::MIGRATIONS;
pub use self::db::{Db, Tx};
