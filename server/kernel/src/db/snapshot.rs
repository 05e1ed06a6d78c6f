//! Copies of an SQLite database while it is in use, files that are opened without the pools of [`Db`], and the checks that
//! one must pass before anybody works with it.

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteLockingMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use super::{Connection, Db, DbError, DbResult, Link, OpenError, copy, open, run};

/// Reason a database file is not fit for use.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    #[error("{0}")]
    Database(#[from] DbError),
    #[error("its integrity check fails: {0}")]
    Damaged(String),
    #[error("{0} rows refer to rows that are not there")]
    Dangling(usize),
}

/// Returns the number of the last migration that a crate brings.
pub fn newest_schema(migrations: &Migrator) -> i64 {
    let versions = migrations.iter().map(|migration| migration.version);
    versions.max().unwrap_or(0)
}

/// Returns the number of the last migration that a database has been through; 0 before the first.
pub async fn schema(tx: &mut impl Link) -> DbResult<i64> {
    let migrations = copy::migrations(tx).await?;
    Ok(migrations.last().map_or(0, |(version, _)| *version))
}

/// Returns `true` if a database has a table of this name.
pub async fn has_table(tx: &mut impl Link, name: &str) -> DbResult<bool> {
    let sql = match tx.link() {
        Connection::Sqlite(_) => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name = $1"
        }
        Connection::Postgres(_) => {
            "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1"
        }
    };
    let found: Option<String> = run!(tx, |conn| sqlx::query_scalar(sql)
        .bind(name)
        .fetch_optional(conn)
        .await)?;
    Ok(found.is_some())
}

/// Takes a schema of a Postgres database away if it is there; fails if anything is in it.
pub async fn drop_empty_schema(url: &str, schema: &str) -> DbResult<()> {
    let mut conn = open::connect(&url.parse()?).await?;
    let sql = format!("DROP SCHEMA IF EXISTS {schema} RESTRICT");
    conn.execute(AssertSqlSafe(sql)).await?;
    conn.close().await
}

impl Db {
    /// Returns `true` if any migration was ever run.
    pub async fn is_migrated(&self) -> DbResult<bool> {
        let mut tx = self.read().await?;
        has_table(&mut tx, "_sqlx_migrations").await
    }

    /// Refuses a database that a newer version, or something else, has been at.
    pub async fn check_schema(&self, migrations: &Migrator) -> Result<(), OpenError> {
        let mut tx = self.read().await?;
        for (version, checksum) in copy::migrations(&mut tx).await? {
            let known = migrations
                .iter()
                .find(|migration| migration.version == version);
            match known {
                None => return Err(MigrateError::VersionMissing(version).into()),
                Some(known) if *known.checksum != *checksum => {
                    return Err(MigrateError::VersionMismatch(version).into());
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Writes the database as it stands at this instant to a file that is empty or not there, while others read and
    /// write. `false` on Postgres, which has tools of its own.
    pub async fn snapshot(&self, file: &Path) -> DbResult<bool> {
        let Some(writer) = self.sqlite_writer() else {
            return Ok(false);
        };
        // A connection of its own: the one who writes is not kept waiting.
        let mut conn = writer.connect_options().as_ref().clone().connect().await?;
        sqlx::query("VACUUM INTO $1")
            .bind(file.display().to_string())
            .execute(&mut conn)
            .await?;
        conn.close().await?;
        Ok(true)
    }
}

/// One connection to an SQLite file that nobody else uses.
pub struct LoneFile(SqliteConnection);

impl LoneFile {
    /// Opens a database for oneself alone, and begins its transaction; fails with "database is locked" while a server or
    /// anybody else has it open.
    pub async fn lock(file: &Path) -> DbResult<Self> {
        let mut conn = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(false)
            .locking_mode(SqliteLockingMode::Exclusive)
            .busy_timeout(Duration::from_secs(1))
            .connect()
            .await?;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut conn).await?;
        Ok(Self(conn))
    }

    /// Opens a file to read it, and checks that it is whole and consistent.
    pub async fn check(file: &Path) -> Result<Self, Unfit> {
        let mut conn = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(false)
            .read_only(true)
            .immutable(true)
            .busy_timeout(Duration::from_secs(1))
            .connect()
            .await?;
        let said: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(3)")
            .fetch_all(&mut conn)
            .await?;
        if said != ["ok"] {
            return Err(Unfit::Damaged(said.join("; ")));
        }
        let dangling = sqlx::query("PRAGMA foreign_key_check")
            .fetch_all(&mut conn)
            .await?;
        if !dangling.is_empty() {
            return Err(Unfit::Dangling(dangling.len()));
        }
        Ok(Self(conn))
    }

    /// Gives the file back.
    pub async fn close(self) -> DbResult<()> {
        self.0.close().await
    }
}

impl Link for LoneFile {
    fn link(&mut self) -> Connection<'_> {
        Connection::Sqlite(&mut self.0)
    }
}
