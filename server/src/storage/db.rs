//! The product's database: the kernel's, with the product's migrations and the acts that a transaction wrote down.

use std::ops::Deref;

use kernel::db::{Connection, DbResult, Link, OpenError, Signal};
use sqlx::migrate::Migrator;

#[cfg(test)]
use super::testing::crash;
use super::{audit, statistics};

pub(crate) static MIGRATIONS: Migrator = sqlx::sqlx_macros::migrate!("../migrations");

/// A database, opened and of the right kind; cheap to clone.
#[derive(Clone)]
pub struct Db(kernel::db::Db);

/// One request's way to the database: reading, or the one transaction that writes, with the acts that it wrote down.
pub struct Tx(kernel::db::Tx, pub(super) Vec<audit::AuditedAct>);

impl From<kernel::db::Db> for Db {
    fn from(db: kernel::db::Db) -> Self {
        Self(db)
    }
}

/// All that needs no word of the product.
impl Deref for Db {
    type Target = kernel::db::Db;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Db {
    /// Opens `sqlite:PATH` (made if missing) or `postgres://…`, without migrating it.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        kernel::db::Db::open(url).await.map(Self)
    }

    /// Opens a database that is there already; an SQLite file is never made.
    pub async fn open_existing(url: &str) -> Result<Self, OpenError> {
        kernel::db::Db::open_existing(url).await.map(Self)
    }

    /// Brings the schema up to date; safe to call from several processes at once. Refuses to take tables away whose rows the
    /// sandbox bank has not taken over (`bank_tables.rs`).
    pub async fn migrate(&self) -> Result<(), OpenError> {
        self.migrate_before_bank_moves_out().await?;
        self.check_bank_moved_out().await?;
        self.0.migrate(&MIGRATIONS).await?;
        self.0.restrict_statistics(statistics::PRIVATE).await?;
        Ok(())
    }

    /// A connection that reads; each statement sees what was committed before it.
    pub async fn read(&self) -> DbResult<Tx> {
        #[cfg(test)]
        crash::point();
        self.0.read().await.map(Tx::of)
    }

    /// Begins the transaction of a request that may write.
    pub async fn write(&self) -> DbResult<Tx> {
        #[cfg(test)]
        crash::point();
        self.0.write().await.map(Tx::of)
    }

    /// A connection for counters: on Postgres each statement commits by itself without waiting for the disk, because a
    /// count that a power cut takes back harms nobody. Elsewhere the transaction of one who writes.
    pub async fn counting(&self) -> DbResult<Tx> {
        #[cfg(test)]
        crash::point();
        self.0.counting().await.map(Tx::of)
    }
}

impl Tx {
    fn of(tx: kernel::db::Tx) -> Self {
        Self(tx, Vec::new())
    }

    /// Ends the transaction: what it wrote is durable when this returns, and only then is told to the log.
    pub async fn commit(self) -> DbResult<()> {
        #[cfg(test)]
        crash::point();
        self.0.commit().await?;
        self.1.iter().for_each(audit::AuditedAct::tell);
        #[cfg(test)]
        crash::point();
        Ok(())
    }

    /// Names what this transaction changes, for those who wait for it; see [`kernel::db::Signals`].
    pub fn signal(&mut self, signal: Signal) {
        self.0.signal(signal);
    }

    /// Returns `true` if the database answers.
    pub async fn is_alive(&mut self) -> bool {
        self.0.is_alive().await
    }

    /// Returns the connection to speak through; see [`kernel::db::run`].
    pub fn link(&mut self) -> Connection<'_> {
        #[cfg(test)]
        crash::point();
        self.0.link()
    }
}

impl Link for Tx {
    fn link(&mut self) -> Connection<'_> {
        Self::link(self)
    }
}
