//! Backups: the whole database and the sandbox bank's in one sealed file, made while the server runs, and put back into an
//! empty place.
//!
//! Each of the two is of one moment, the bank's a little later than the product's: of whatever the product knows the bank has
//! heard, and what it has heard of besides is what any bank knows of a client that lost its last notes. A backup opens only with the key file, which is not in it: keep the two apart. It is written beside its place, synced
//! to disk, and put there by one step that never overwrites. Restoring checks everything before anything is there.

mod dump;
mod make;
mod moving;
mod partial;
mod restore;
mod sealed;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use kernel::crypto::{SecretsError, Unsealable};
use kernel::db::snapshot::Unfit;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::start::StartError;
use crate::storage::copy::CopyError;
use crate::storage::{DbError, OpenError, sqlite_path};

pub use self::make::make;
pub use self::moving::{RowCounts, move_to_postgres};
pub use self::restore::restore;

/// Unencrypted header of a backup: the metadata that is readable without the key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header {
    pub id: Uuid,
    pub kind: DatabaseKind,
    pub made_at: DateTime<Utc>,
    /// The version of the program that made it.
    pub version: String,
    /// The number of the database's last migration.
    pub schema: i64,
    /// The id of the key file that opens it.
    pub secrets_id: Uuid,
    /// The key of this backup, sealed under the key file's; base64.
    key: String,
    /// The sandbox bank's database, which follows the product's. `None` if there was none, or it lay in the product's: up to
    /// schema 44.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank: Option<BankContent>,
}

/// Metadata of the sandbox bank's database in a backup.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct BankContent {
    pub kind: DatabaseKind,
    /// The number of its last migration.
    pub schema: i64,
}

/// Kind of database that the backup was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseKind {
    Sqlite,
    /// PostgreSQL: the content is the output of `pg_dump --format=custom`.
    Postgres,
}

impl DatabaseKind {
    /// Returns the kind that a URL names.
    fn of(url: &str) -> Self {
        match sqlite_path(url) {
            Some(_) => Self::Sqlite,
            None => Self::Postgres,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "an SQLite database",
            Self::Postgres => "a Postgres database",
        }
    }
}

/// A backup that was made or put back.
#[derive(Debug)]
pub struct BackupSummary {
    pub header: Header,
    pub path: PathBuf,
    pub bytes: u64,
}

/// Error of making or restoring a backup. Its text is a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{0} is there already. A backup never overwrites: name another file.")]
    Exists(PathBuf),
    #[error("cannot read or write {path}: {source}")]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{0} is no backup of this program's, or its first lines are damaged.")]
    NotOne(PathBuf),
    #[error("the backup does not open: it is damaged, cut short, or sealed under another key.")]
    Sealed,
    #[error(
        "there is no key file at {0}. A backup opens only with the key file of its installation: put it there first \
         (storage.secrets_file or TESSERA_SECRETS_FILE names another place)."
    )]
    NoKeys(PathBuf),
    #[error(
        "the key file {path} is of another installation: the backup belongs to the one with id {wanted}."
    )]
    OtherKeys { path: PathBuf, wanted: Uuid },
    #[error(
        "the backup was made by a newer version ({0}): restore it with that version or a later one."
    )]
    Newer(String),
    #[error("the backup is of {0}: name a database of that kind with {1}.")]
    OtherKind(&'static str, &'static str),
    #[error(
        "the sandbox bank's database belongs to the installation with id {0}: sandbox.bank_database names another's."
    )]
    OtherBank(String),
    #[error(
        "{0} has data already. Restoring needs an empty place: name another database, or move this one away first."
    )]
    NotEmpty(String),
    #[error("the backup's database is not fit for use: {0}")]
    Unfit(#[from] Unfit),
    #[error("cannot run {program}: {why}")]
    Program { program: &'static str, why: String },
    #[error("{0} is in use: stop the server (and whatever else has the file open) first.")]
    InUse(PathBuf),
    #[error("--from must be an SQLite database, like sqlite:data/tessera.db.")]
    From,
    #[error("--to must be a Postgres database, like postgres://tessera@db.example.com/tessera.")]
    To,
    #[error("{0}")]
    Copy(#[from] CopyError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the database does not answer: {0}")]
    Database(#[from] DbError),
}

impl From<Unsealable> for BackupError {
    fn from(_: Unsealable) -> Self {
        Self::Sealed
    }
}

impl BackupError {
    fn io(path: &Path) -> impl Fn(std::io::Error) -> Self + '_ {
        |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

fn other_keys(path: PathBuf, wanted: Option<String>) -> BackupError {
    let wanted = wanted.and_then(|id| id.parse().ok()).unwrap_or_default();
    BackupError::OtherKeys { path, wanted }
}
