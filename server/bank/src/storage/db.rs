//! The bank's database: the kernel's, with the bank's migrations. It has it for itself: a file, or a schema of Postgres.

use std::ops::Deref;

use kernel::db::copy::{self, CopyError};
use kernel::db::statistics::PrivateColumns;
use kernel::db::{Connection, DbResult, Link, OpenError, snapshot};
use sqlx::migrate::Migrator;

use super::meta;
use crate::inventory::TABLES;

static MIGRATIONS: Migrator = sqlx::sqlx_macros::migrate!("../../migrations/bank");

/// The schema of a Postgres database that the bank has its tables in.
pub const SCHEMA: &str = "sandbox_bank";

/// Digests, which the planner of Postgres must not keep.
const PRIVATE: PrivateColumns = PrivateColumns {
    is_private: |table, column| {
        let known = TABLES.iter().find(|known| known.name == table);
        known.is_some_and(|known| known.digests.split_whitespace().any(|name| name == column))
    },
    listed: &[],
};

/// A bank's database; cheap to clone.
#[derive(Clone)]
pub struct Db(kernel::db::Db);

/// One request's way to the database: reading, or the one transaction that writes.
pub struct Tx(kernel::db::Tx);

/// Reason a database is not taken for this bank's.
#[derive(Debug, thiserror::Error)]
pub enum TakeOverError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{0}")]
    Copy(#[from] CopyError),
    #[error("it is another's bank")]
    Foreign,
}

impl From<kernel::db::DbError> for TakeOverError {
    fn from(error: kernel::db::DbError) -> Self {
        Self::Open(error.into())
    }
}

impl From<kernel::db::Db> for Db {
    fn from(db: kernel::db::Db) -> Self {
        Self(db)
    }
}

/// All that needs no word of the bank's.
impl Deref for Db {
    type Target = kernel::db::Db;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Db {
    /// Opens `sqlite:PATH` (made if missing), or the bank's schema in `postgres://…` (made if missing), without migrating it.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        kernel::db::Db::open_schema(url, SCHEMA).await.map(Self)
    }

    /// Opens a database that is there already, and makes neither a file nor a schema; `None` if there is none.
    pub async fn open_if_made(url: &str) -> Result<Option<Self>, OpenError> {
        let db = kernel::db::Db::open_schema_if_made(url, SCHEMA).await?;
        Ok(db.map(Self))
    }

    /// Returns the database as the kernel knows it.
    pub fn kernel(&self) -> kernel::db::Db {
        self.0.clone()
    }

    /// Brings the schema up to date; safe to call from several processes at once.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        self.0.migrate(&MIGRATIONS).await?;
        self.0.restrict_statistics(PRIVATE).await?;
        Ok(())
    }

    /// Refuses a database that a newer version, or something else, has been at.
    pub async fn check_schema(&self) -> Result<(), OpenError> {
        self.0.check_schema(&MIGRATIONS).await
    }

    /// Takes a database that nobody had before: its first opening, to which an earlier home of the bank's tables may give
    /// their rows. All of them or none, and once: answers whether this call did it.
    pub async fn take_over<L: Link>(&self, earlier: Option<&mut L>) -> Result<bool, TakeOverError> {
        // A look takes no turn of the one who writes.
        if meta::find(&mut self.read().await?, meta::TAKEN_OVER)
            .await?
            .is_some()
        {
            return Ok(false);
        }
        let mut tx = self.write().await?;
        if !meta::claim(&mut tx, meta::TAKEN_OVER, "true").await? {
            return Ok(false);
        }
        if let Some(earlier) = earlier {
            let mut names = Vec::new();
            for table in TABLES {
                if snapshot::has_table(earlier, table.name).await? {
                    names.push(table.name.to_owned());
                }
            }
            copy::copy_tables(earlier, &mut tx, names).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Notes whose bank this is, the first time; afterwards refuses to be another's.
    pub async fn belong_to(&self, owner: &str) -> Result<(), TakeOverError> {
        if self.owner().await?.as_deref() == Some(owner) {
            return Ok(());
        }
        let mut tx = self.write().await?;
        if !meta::claim(&mut tx, meta::OWNER, owner).await? {
            return Err(TakeOverError::Foreign);
        }
        Ok(tx.commit().await?)
    }

    /// Returns whose bank this is; `None` before anybody said so.
    pub async fn owner(&self) -> DbResult<Option<String>> {
        meta::find(&mut self.read().await?, meta::OWNER).await
    }

    /// A connection that reads; each statement sees what was committed before it.
    pub async fn read(&self) -> DbResult<Tx> {
        self.0.read().await.map(Tx)
    }

    /// Begins the transaction of a request that may write.
    pub async fn write(&self) -> DbResult<Tx> {
        self.0.write().await.map(Tx)
    }
}

impl Tx {
    /// Ends the transaction: what it wrote is durable when this returns.
    pub async fn commit(self) -> DbResult<()> {
        self.0.commit().await
    }

    /// Returns the connection to speak through; see [`kernel::db::run`].
    pub fn link(&mut self) -> Connection<'_> {
        self.0.link()
    }
}

impl Link for Tx {
    fn link(&mut self) -> Connection<'_> {
        Self::link(self)
    }
}

/// Returns the number of the last migration that this program knows.
pub fn newest_schema() -> i64 {
    snapshot::newest_schema(&MIGRATIONS)
}

/// Returns whose bank's database this is, as a file or transaction tells it; `None` before anybody said so.
pub async fn owner(tx: &mut impl Link) -> DbResult<Option<String>> {
    meta::find(tx, meta::OWNER).await
}
