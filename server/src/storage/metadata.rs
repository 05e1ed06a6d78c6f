//! Metadata of a product's database, wherever it is: one that is open, or a file that nobody uses.

use kernel::db::Link;
use kernel::db::snapshot;

use super::{Db, DbResult, MIGRATIONS, OpenError, run};

/// Metadata of a database, from its own tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseMetadata {
    /// The id of the key file it was made with; `None` in a database that was never served.
    pub secrets_id: Option<String>,
    /// The number of its last migration.
    pub schema: i64,
}

impl DatabaseMetadata {
    /// Reads the metadata of a database.
    pub async fn of(tx: &mut impl Link) -> DbResult<Self> {
        let secrets_id = run!(tx, |conn| {
            sqlx::query_scalar("SELECT value FROM meta WHERE key = 'secrets_id'")
                .fetch_optional(conn)
                .await
        })?;
        Ok(Self {
            secrets_id,
            schema: snapshot::schema(tx).await?,
        })
    }
}

/// Returns the number of the last migration that this program knows.
pub fn newest_schema() -> i64 {
    snapshot::newest_schema(&MIGRATIONS)
}

impl Db {
    /// Returns the metadata of the database.
    pub async fn metadata(&self) -> DbResult<DatabaseMetadata> {
        DatabaseMetadata::of(&mut self.read().await?).await
    }

    /// Refuses a database that a newer version, or something else, has been at.
    pub async fn check_schema(&self) -> Result<(), OpenError> {
        let kernel: &kernel::db::Db = self;
        kernel.check_schema(&MIGRATIONS).await
    }
}
