//! A database of either kind: one text of SQL for SQLite and Postgres.
//!
//! `Db::read` lends a connection that can only read, `Db::write` begins a transaction. A `Tx` dropped without `commit`
//! leaves nothing behind. On SQLite there is one writer and it begins IMMEDIATE, so that no transaction finds out halfway
//! that another was faster; on Postgres every state change is one conditional statement, so that none needs to. Whoever
//! has tables wraps `Db` and `Tx` in types of its own and brings its migrations.

mod advice;
pub mod copy;
mod filesystem;
mod open;
mod readers;
mod signals;
pub mod snapshot;
mod statement;
pub mod statistics;

use std::time::Instant;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use sqlx::{Postgres, Sqlite, Transaction};

pub use self::open::{OpenError, Tenancy, is_postgres_url, refuse_missing, sqlite_path};
pub use self::readers::ReadQueue;
use self::readers::{ReadConnection, ReadPool};
pub use self::signals::{Signal, Signals, Subscription};
pub use self::statement::{STATEMENTS, Statement, Tally, WRITER_WAITS, tallied, tallied_now};
pub use crate::run;

/// Error of the database. Never shown to a caller.
pub type DbError = sqlx::Error;
/// Result of a storage function.
pub type DbResult<T> = Result<T, DbError>;

/// A database, opened and of the right kind; cheap to clone.
#[derive(Clone)]
pub struct Db(Pools, Signals);

#[derive(Clone)]
enum Pools {
    Sqlite {
        writer: SqlitePool,
        readers: ReadPool<Sqlite>,
    },
    Postgres {
        writer: PgPool,
        readers: ReadPool<Postgres>,
        counters: ReadPool<Postgres>,
    },
}

/// One request's way to the database: reading, or the one transaction that writes. With it, what is signalled when it
/// ends.
pub struct Tx {
    inner: Inner,
    signals: Signals,
    raised: Vec<Signal>,
}

enum Inner {
    SqliteRead(ReadConnection<Sqlite>),
    SqliteWrite(Transaction<'static, Sqlite>),
    PostgresRead(ReadConnection<Postgres>),
    PostgresWrite(Transaction<'static, Postgres>),
}

/// The connection behind a [`Tx`], for the [`run!`] macro.
pub enum Connection<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

/// A way to a database: a [`Tx`], the type of a crate that wraps it, or a connection of its own.
pub trait Link: Send {
    /// Returns the connection to speak through; see [`run!`].
    fn link(&mut self) -> Connection<'_>;
}

/// Runs the same sqlx expression on whichever database the transaction belongs to: a `Tx` of the kernel, or of a crate that
/// wraps it and hands on `link`.
///
/// Written like a closure so that rustfmt formats it, but none: `?` and `.await` work inside. Each use is one
/// [`Statement`] to whoever looks from outside, named by the function it is in.
#[macro_export]
macro_rules! run {
    ($tx:expr, |$conn:ident| $body:expr) => {{
        fn here() {}
        let place = ::std::any::type_name_of_val(&here);
        match $tx.link() {
            $crate::db::Connection::Sqlite($conn) => {
                let _statement = $crate::db::Statement::begin("sqlite", place);
                $body
            }
            $crate::db::Connection::Postgres($conn) => {
                let _statement = $crate::db::Statement::begin("postgresql", place);
                $body
            }
        }
    }};
}

impl Db {
    /// Brings the schema up to date; safe to call from several processes at once.
    pub async fn migrate(&self, migrations: &Migrator) -> Result<(), OpenError> {
        self.migrate_to(migrations, i64::MAX).await
    }

    /// Runs the migrations up to and with this version; otherwise as [`Db::migrate`].
    pub async fn migrate_to(&self, migrations: &Migrator, version: i64) -> Result<(), OpenError> {
        match &self.0 {
            Pools::Sqlite { writer, .. } => open::migrate_sqlite(migrations, version, writer).await,
            Pools::Postgres { writer, .. } => Ok(migrations.run_to(version, writer).await?),
        }
    }

    /// A connection that reads; each statement sees what was committed before it.
    pub async fn read(&self) -> DbResult<Tx> {
        Ok(self.tx(match &self.0 {
            Pools::Sqlite { readers, .. } => Inner::SqliteRead(readers.lend().await?),
            Pools::Postgres { readers, .. } => Inner::PostgresRead(readers.lend().await?),
        }))
    }

    /// Returns who reads, and who waits to.
    pub fn read_queue(&self) -> ReadQueue {
        match &self.0 {
            Pools::Sqlite { readers, .. } => readers.queue(),
            Pools::Postgres { readers, .. } => readers.queue(),
        }
    }

    /// Begins the transaction of a request that may write.
    pub async fn write(&self) -> DbResult<Tx> {
        let asked_at = Instant::now();
        let begun = match &self.0 {
            Pools::Sqlite { writer, .. } => {
                Inner::SqliteWrite(writer.begin_with("BEGIN IMMEDIATE").await?)
            }
            Pools::Postgres { writer, .. } => Inner::PostgresWrite(writer.begin().await?),
        };
        WRITER_WAITS.add(asked_at.elapsed());
        Ok(self.tx(begun))
    }

    /// A connection for counters: on Postgres each statement commits by itself without waiting for the disk, because a
    /// count that a power cut takes back harms nobody. Elsewhere the transaction of one who writes.
    pub async fn counting(&self) -> DbResult<Tx> {
        match &self.0 {
            Pools::Sqlite { .. } => self.write().await,
            Pools::Postgres { counters, .. } => {
                Ok(self.tx(Inner::PostgresRead(counters.lend().await?)))
            }
        }
    }

    /// Writes the log of past writes over into the database file and empties it, so that nothing deleted is left in it.
    /// `false` if somebody was reading from it just then: try again later. Postgres has nothing like it; there, what was
    /// deleted is out of reach at once, and its space is used again after the next vacuum.
    pub async fn scrub(&self) -> DbResult<bool> {
        let Pools::Sqlite { writer, .. } = &self.0 else {
            return Ok(true);
        };
        let (busy, _, _): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(writer)
            .await?;
        Ok(busy == 0)
    }

    /// Returns `true` on PostgreSQL, where several processes may share the database.
    pub fn is_postgres(&self) -> bool {
        matches!(self.0, Pools::Postgres { .. })
    }

    /// Returns the pool of the one who writes to an SQLite database; `None` on Postgres.
    pub fn sqlite_writer(&self) -> Option<&SqlitePool> {
        match &self.0 {
            Pools::Sqlite { writer, .. } => Some(writer),
            Pools::Postgres { .. } => None,
        }
    }

    /// Returns the pool of those who write to a Postgres database; `None` on SQLite.
    pub fn postgres_writer(&self) -> Option<&PgPool> {
        match &self.0 {
            Pools::Postgres { writer, .. } => Some(writer),
            Pools::Sqlite { .. } => None,
        }
    }

    fn tx(&self, inner: Inner) -> Tx {
        Tx {
            inner,
            signals: self.1.clone(),
            raised: Vec::new(),
        }
    }

    /// Closes every connection, so that the files are whole and nothing is left open.
    pub async fn close(&self) {
        self.1.flush().await;
        match &self.0 {
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres {
                writer,
                readers,
                counters,
            } => {
                counters.close().await;
                readers.close().await;
                writer.close().await;
            }
        }
    }
}

impl Tx {
    /// Names what this transaction changes, for those who wait for it. It is sent once the transaction is committed.
    pub fn signal(&mut self, signal: Signal) {
        if !self.raised.contains(&signal) {
            self.raised.push(signal);
        }
    }

    /// Ends the transaction: what it wrote is durable when this returns, and whoever waits for it has been told.
    pub async fn commit(self) -> DbResult<()> {
        let committed = match self.inner {
            Inner::SqliteWrite(tx) => tx.commit().await,
            Inner::PostgresWrite(tx) => tx.commit().await,
            Inner::SqliteRead(_) | Inner::PostgresRead(_) => return Ok(()),
        };
        // The benchmark counts these lines: each is a wait for the disk.
        tracing::trace!("committed");
        committed?;
        self.signals.send(self.raised);
        Ok(())
    }

    /// Returns `true` if the database answers.
    pub async fn is_alive(&mut self) -> bool {
        run!(self, |conn| sqlx::query("SELECT 1")
            .execute(conn)
            .await
            .is_ok())
    }

    /// Returns the connection to speak through; see [`run!`].
    pub fn link(&mut self) -> Connection<'_> {
        match &mut self.inner {
            Inner::SqliteRead(reader) => Connection::Sqlite(reader.connection()),
            Inner::SqliteWrite(tx) => Connection::Sqlite(tx),
            Inner::PostgresRead(reader) => Connection::Postgres(reader.connection()),
            Inner::PostgresWrite(tx) => Connection::Postgres(tx),
        }
    }
}

impl Link for Tx {
    fn link(&mut self) -> Connection<'_> {
        Self::link(self)
    }
}

/// Returns `true` if an error says that a row like this exists already.
pub fn is_taken(error: &DbError) -> bool {
    error
        .as_database_error()
        .is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// Returns `true` if an error says that another transaction did the same at this instant and was faster: the row is its
/// own, or PostgreSQL chose this transaction to break a deadlock (`deadlock_detected`, 40P01). The transaction is lost
/// either way; a new one sees what the other did.
pub fn lost_race(error: &DbError) -> bool {
    is_taken(error)
        || error
            .as_database_error()
            .is_some_and(|error| error.code().as_deref() == Some("40P01"))
}

/// Returns `true` if an error says that a later try may succeed: no connection was free, another writer held the
/// database, the database server is going down, or the disk is full.
pub fn is_busy(error: &DbError) -> bool {
    match error {
        DbError::PoolTimedOut => true,
        DbError::Database(error) => {
            let code = error.code();
            // SQLite's own numbers, of which the last eight bits are the kind: SQLITE_BUSY, SQLITE_FULL. A full disk also
            // shows as an IOERR of writing, or of growing the file of the log's index.
            let sqlite = code
                .as_deref()
                .and_then(|code| code.parse::<u32>().ok())
                .is_some_and(|code| matches!(code & 0xff, 5 | 13) || matches!(code, 778 | 4874));
            // Postgres: too many connections, disk full, shutting down, starting.
            sqlite || matches!(code.as_deref(), Some("53300" | "53100" | "57P01" | "57P03"))
        }
        _ => false,
    }
}
