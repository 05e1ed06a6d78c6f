//! Copies of an SQLite database while it is in use, and the checks that one must pass before anybody works with it.

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::{Connection, Db, DbError, DbResult, MIGRATIONS, OpenError, run};

/// Metadata of a database, from its own tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseMetadata {
    /// The id of the key file it was made with; `None` in a database that was never served.
    pub secrets_id: Option<String>,
    /// The number of its last migration.
    pub schema: i64,
}

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

/// Returns the number of the last migration that this program knows.
pub fn newest_schema() -> i64 {
    MIGRATIONS
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

impl Db {
    /// Returns the metadata of the database.
    pub async fn facts(&self) -> DbResult<DatabaseMetadata> {
        let secrets_id = self.read().await?.meta("secrets_id").await?;
        let mut tx = self.read().await?;
        let migrations = super::copy::migrations(&mut tx).await?;
        Ok(DatabaseMetadata {
            secrets_id,
            schema: migrations.last().map_or(0, |(version, _)| *version),
        })
    }

    /// Returns `true` if any migration was ever run.
    pub async fn is_migrated(&self) -> DbResult<bool> {
        let mut tx = self.read().await?;
        let sql = match tx.link() {
            Connection::Sqlite(_) => {
                "SELECT name FROM sqlite_master WHERE name = '_sqlx_migrations'"
            }
            Connection::Postgres(_) => {
                "SELECT tablename::text FROM pg_tables
                 WHERE schemaname = current_schema() AND tablename = '_sqlx_migrations'"
            }
        };
        let found: Option<String> = run!(tx, |conn| sqlx::query_scalar(sql)
            .fetch_optional(conn)
            .await)?;
        Ok(found.is_some())
    }

    /// Refuses a database that a newer version, or something else, has been at.
    pub async fn check_schema(&self) -> Result<(), OpenError> {
        let mut tx = self.read().await?;
        for (version, checksum) in super::copy::migrations(&mut tx).await? {
            let known = MIGRATIONS
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

/// Checks a database file that nobody uses: whole, consistent, and what it says of itself.
pub async fn check_file(file: &Path) -> Result<DatabaseMetadata, Unfit> {
    let mut conn = open_alone(file).await?;
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
    let facts = facts(&mut conn).await?;
    conn.close().await?;
    Ok(facts)
}

async fn open_alone(file: &Path) -> DbResult<SqliteConnection> {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(false)
        .read_only(true)
        .immutable(true)
        .busy_timeout(Duration::from_secs(1))
        .connect()
        .await
}

async fn facts(conn: &mut SqliteConnection) -> DbResult<DatabaseMetadata> {
    let secrets_id = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'secrets_id'")
        .fetch_optional(&mut *conn)
        .await?;
    let schema: Option<i64> = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
        .fetch_one(conn)
        .await?;
    Ok(DatabaseMetadata {
        secrets_id,
        schema: schema.unwrap_or(0),
    })
}
