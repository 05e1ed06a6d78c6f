//! The bank's own SQL room: one text for SQLite and Postgres, one file per noun. Its tables begin with `bank_`.

pub mod applications;
pub mod books;
pub mod consents;
mod db;
mod meta;
pub mod payments;
pub mod visits;

pub(crate) use kernel::db::run;
pub use kernel::db::{DbError, DbResult, is_busy};

pub use self::db::{Db, SCHEMA, TakeOverError, Tx, newest_schema, owner};
