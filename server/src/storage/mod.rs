//! The one room where SQL is spoken: one text for SQLite and Postgres, one file per noun.
//!
//! `Db::read` lends a connection that can only read, `Db::write` begins the request's one transaction. A `Tx` dropped
//! without `commit` leaves nothing behind. On SQLite there is one writer and it begins IMMEDIATE, so that no
//! transaction finds out halfway that another was faster; on Postgres every state change is one conditional
//! statement, so that none needs to. The portable dialect is in `migrations/README.md`.

pub mod accounts;
pub mod audit;
pub mod backup;
pub mod callbacks;
pub mod census;
pub mod consents;
pub mod console;
pub mod copy;
pub mod data_keys;
pub mod digests;
pub mod email_links;
pub mod endings;
pub mod erasures;
pub mod export;
pub mod filler;
pub mod idempotency_keys;
pub mod inventory;
pub mod jobs;
pub mod keys;
pub mod letters_sent;
pub mod login_throttle;
pub mod meta;
pub mod nonces;
mod open;
pub mod payments;
pub mod people;
pub mod portal_sessions;
pub mod products;
pub mod rate_limits;
mod readers;
pub mod reminders;
pub mod renewals;
pub mod request_log;
pub mod request_sizes;
pub mod reseal;
pub mod retention;
pub mod servicers;
pub mod sessions;
pub mod signatures;
pub mod signing_keys;
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
#[cfg(test)]
mod upgrade_tests;
pub mod uploads;
pub mod verifications;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use sqlx::{Postgres, Sqlite, Transaction};

pub use self::open::{OpenError, sqlite_path};
use self::readers::{ReadConnection, ReadPool};

/// Error of the database. Never shown to a caller.
pub type DbError = sqlx::Error;
/// Result of a storage function.
pub type DbResult<T> = Result<T, DbError>;

static MIGRATIONS: Migrator = sqlx::sqlx_macros::migrate!("../migrations");

/// A database, opened and of the right kind; cheap to clone.
#[derive(Clone)]
pub struct Db(Pools);

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

/// One request's way to the database: reading, or the one transaction that writes, with the acts that it wrote down.
pub struct Tx(Inner, Vec<audit::AuditedAct>);

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

/// Runs the same sqlx expression on whichever database the transaction belongs to.
///
/// Written like a closure so that rustfmt formats it, but none: `?` and `.await` work inside.
macro_rules! run {
    ($tx:expr, |$conn:ident| $body:expr) => {
        match $tx.link() {
            $crate::storage::Connection::Sqlite($conn) => $body,
            $crate::storage::Connection::Postgres($conn) => $body,
        }
    };
}
pub(crate) use run;

impl Db {
    /// Brings the schema up to date; safe to call from several processes at once.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        match &self.0 {
            Pools::Sqlite { writer, .. } => open::migrate_sqlite(&MIGRATIONS, writer).await,
            Pools::Postgres { writer, .. } => {
                MIGRATIONS.run(writer).await?;
                Ok(statistics::restrict(writer).await?)
            }
        }
    }

    /// A connection that reads; each statement sees what was committed before it.
    pub async fn read(&self) -> DbResult<Tx> {
        #[cfg(test)]
        testing::crash::point();
        Ok(Tx::of(match &self.0 {
            Pools::Sqlite { readers, .. } => Inner::SqliteRead(readers.lend().await?),
            Pools::Postgres { readers, .. } => Inner::PostgresRead(readers.lend().await?),
        }))
    }

    /// How many wait for each connection that reads.
    pub fn queue(&self) -> usize {
        match &self.0 {
            Pools::Sqlite { readers, .. } => readers.queue(),
            Pools::Postgres { readers, .. } => readers.queue(),
        }
    }

    /// Begins the transaction of a request that may write.
    pub async fn write(&self) -> DbResult<Tx> {
        #[cfg(test)]
        testing::crash::point();
        Ok(Tx::of(match &self.0 {
            Pools::Sqlite { writer, .. } => {
                Inner::SqliteWrite(writer.begin_with("BEGIN IMMEDIATE").await?)
            }
            Pools::Postgres { writer, .. } => Inner::PostgresWrite(writer.begin().await?),
        }))
    }

    /// A connection for counters: on Postgres each statement commits by itself without waiting for the disk, because a
    /// count that a power cut takes back harms nobody. Elsewhere the transaction of one who writes.
    pub async fn counting(&self) -> DbResult<Tx> {
        match &self.0 {
            Pools::Sqlite { .. } => self.write().await,
            Pools::Postgres { counters, .. } => {
                Ok(Tx::of(Inner::PostgresRead(counters.lend().await?)))
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

    /// Closes every connection, so that the files are whole and nothing is left open.
    pub async fn close(&self) {
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
    fn of(inner: Inner) -> Self {
        Self(inner, Vec::new())
    }

    /// Ends the transaction: what it wrote is durable when this returns.
    pub async fn commit(self) -> DbResult<()> {
        #[cfg(test)]
        testing::crash::point();
        let committed = match self.0 {
            Inner::SqliteWrite(tx) => tx.commit().await,
            Inner::PostgresWrite(tx) => tx.commit().await,
            Inner::SqliteRead(_) | Inner::PostgresRead(_) => return Ok(()),
        };
        // The benchmark counts these lines: each is a wait for the disk.
        tracing::trace!("committed");
        if committed.is_ok() {
            self.1.iter().for_each(audit::AuditedAct::tell);
        }
        #[cfg(test)]
        testing::crash::point();
        committed
    }

    /// Returns `true` if the database answers.
    pub async fn is_alive(&mut self) -> bool {
        run!(self, |conn| sqlx::query("SELECT 1")
            .execute(conn)
            .await
            .is_ok())
    }

    /// The connection to speak through; see [`run!`].
    pub fn link(&mut self) -> Connection<'_> {
        #[cfg(test)]
        testing::crash::point();
        match &mut self.0 {
            Inner::SqliteRead(reader) => Connection::Sqlite(reader.connection()),
            Inner::SqliteWrite(tx) => Connection::Sqlite(tx),
            Inner::PostgresRead(reader) => Connection::Postgres(reader.connection()),
            Inner::PostgresWrite(tx) => Connection::Postgres(tx),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use testing::on_both;

    on_both!(
        what_is_not_committed_never_happened,
        a_reader_cannot_write,
        writers_wait_for_each_other
    );

    async fn count(db: &Db) -> i64 {
        let mut tx = db.read().await.unwrap();
        run!(tx, |conn| sqlx::query_scalar("SELECT COUNT(*) FROM meta")
            .fetch_one(conn)
            .await)
        .unwrap()
    }

    async fn put(tx: &mut Tx, key: &str) -> DbResult<()> {
        run!(tx, |conn| sqlx::query(
            "INSERT INTO meta (key, value) VALUES ($1, 'x')"
        )
        .bind(key)
        .execute(conn)
        .await
        .map(|_| ()))
    }

    async fn what_is_not_committed_never_happened(db: Db) {
        let mut tx = db.write().await.unwrap();
        put(&mut tx, "dropped").await.unwrap();
        drop(tx);
        let mut tx = db.write().await.unwrap();
        put(&mut tx, "kept").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(count(&db).await, 1);
    }

    async fn a_reader_cannot_write(db: Db) {
        let mut tx = db.read().await.unwrap();
        assert!(put(&mut tx, "sneaked").await.is_err());
        assert_eq!(count(&db).await, 0);
    }

    async fn writers_wait_for_each_other(db: Db) {
        let tasks: Vec<_> = (0..40)
            .map(|n| {
                let db = db.clone();
                tokio::spawn(async move {
                    let mut tx = db.write().await.unwrap();
                    let seen: i64 =
                        run!(tx, |conn| sqlx::query_scalar("SELECT COUNT(*) FROM meta")
                            .fetch_one(conn)
                            .await)
                        .unwrap();
                    put(&mut tx, &format!("{n}-{seen}")).await.unwrap();
                    tx.commit().await.unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(count(&db).await, 40);
    }

    /// SQLite has one writer at a time: nobody can wait for anybody in a circle.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_circle_of_waiting_on_postgres_is_a_lost_race() {
        let db = testing::postgres().await;
        let (mut one, mut two) = (db.write().await.unwrap(), db.write().await.unwrap());
        put(&mut one, "a").await.unwrap();
        put(&mut two, "b").await.unwrap();
        let other = tokio::spawn(async move { put(&mut two, "a").await });
        let mine = put(&mut one, "b").await;
        // Dropped before the other is asked for: what it holds would keep the other waiting.
        drop(one);
        let outcomes = [mine, other.await.unwrap()];
        let lost = outcomes.iter().filter_map(|put| put.as_ref().err());
        let lost: Vec<bool> = lost.map(lost_race).collect();
        assert_eq!(lost, [true], "{outcomes:?}");
        db.close().await;
    }
}
