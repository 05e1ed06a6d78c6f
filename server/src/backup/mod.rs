//! Backups: the whole database in one sealed file, made while the server runs, and put back into an empty place.
//!
//! A backup opens only with the key file, which is not in it: keep the two apart. It is written beside its place, synced
//! to disk, and put there by one step that never overwrites. Restoring checks everything before anything is there.

mod dump;
mod moving;
mod sealed;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use kernel::clock::Clock;
use kernel::crypto::{Secrets, SecretsError, Unsealable};
use kernel::partial_file::PartialFile;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::config::Config;
use crate::storage::backup::{Unfit, check_file, newest_schema};
use crate::storage::copy::CopyError;
use crate::storage::{Db, DbError, OpenError, sqlite_path};

pub use self::moving::{RowCounts, move_to_postgres};

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
}

/// Kind of database that the backup was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseKind {
    Sqlite,
    /// PostgreSQL: the content is the output of `pg_dump --format=custom`.
    Postgres,
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
    #[error("the backup is of {0}: name a database of that kind with --database.")]
    OtherKind(&'static str),
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

/// Makes a backup of the database of the settings. `to` is a file that is not there yet, or a folder, in which it gets a
/// name by its time.
pub async fn make(config: &Config, clock: &Clock, to: &Path) -> Result<BackupSummary, BackupError> {
    let keys = config.secrets_file();
    let secrets = Secrets::read(&keys)?.ok_or_else(|| BackupError::NoKeys(keys.clone()))?;
    let db = Db::open_existing(&config.database_url()).await?;
    let facts = db.facts().await?;
    if facts.secrets_id != Some(secrets.id.to_string()) {
        return Err(other_keys(keys, facts.secrets_id));
    }
    let kind = if db.is_postgres() {
        DatabaseKind::Postgres
    } else {
        DatabaseKind::Sqlite
    };
    let path = partial_path(to, clock);
    if path.exists() {
        return Err(BackupError::Exists(path));
    }
    let (key, sealed) = sealed::new_key(&secrets, clock)?;
    let header = Header {
        id: clock.id(),
        kind,
        made_at: clock.now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        schema: facts.schema,
        secrets_id: secrets.id,
        key: sealed,
    };
    let partial = Partial::new(&path, "partial")?;
    let out = BufWriter::new(partial.write()?);
    match kind {
        DatabaseKind::Sqlite => {
            let plain = Partial::new(&path, "plain")?;
            db.snapshot(plain.path()).await?;
            check_file(plain.path()).await?;
            let from = BufReader::new(plain.read()?);
            seal(&header, &key, clock, from, out, &path)?;
        }
        DatabaseKind::Postgres => {
            let mut dump = dump::dump(&config.database_url())?;
            let from = dump.output()?;
            seal(&header, &key, clock, from, out, &path)?;
            dump.end()?;
        }
    }
    db.close().await;
    let bytes = partial.put(&path)?;
    Ok(BackupSummary {
        header,
        path,
        bytes,
    })
}

/// Puts a backup into the empty database of the settings.
pub async fn restore(config: &Config, from: &Path) -> Result<BackupSummary, BackupError> {
    let file = File::open(from).map_err(BackupError::io(from))?;
    let bytes = file.metadata().map_err(BackupError::io(from))?.len();
    let mut file = BufReader::new(file);
    let header = sealed::read_header(&mut file, from)?;
    if header.schema > newest_schema() {
        return Err(BackupError::Newer(header.version));
    }
    let keys = config.secrets_file();
    let secrets = Secrets::read(&keys)?.ok_or_else(|| BackupError::NoKeys(keys.clone()))?;
    if secrets.id != header.secrets_id {
        return Err(other_keys(keys, Some(header.secrets_id.to_string())));
    }
    let key = sealed::open_key(&secrets, &header)?;
    let url = config.database_url();
    let path = match (header.kind, sqlite_path(&url)) {
        (DatabaseKind::Sqlite, Some(path)) => {
            restore_sqlite(&header, &key, file, path).await?;
            path.to_owned()
        }
        (DatabaseKind::Postgres, None) => {
            let folder = PathBuf::from(&config.storage.data_dir);
            restore_postgres(&header, &key, file, &url, &folder).await?;
            folder
        }
        (DatabaseKind::Sqlite, None) => return Err(BackupError::OtherKind("an SQLite database")),
        (DatabaseKind::Postgres, Some(_)) => {
            return Err(BackupError::OtherKind("a Postgres database"));
        }
    };
    Ok(BackupSummary {
        header,
        path,
        bytes,
    })
}

async fn restore_sqlite(
    header: &Header,
    key: &sealed::BackupKey,
    file: impl Read,
    path: &Path,
) -> Result<(), BackupError> {
    let beside = |end: &str| PathBuf::from(format!("{}{end}", path.display()));
    for taken in [path.to_owned(), beside("-wal"), beside("-shm")] {
        if taken.exists() {
            return Err(BackupError::NotEmpty(taken.display().to_string()));
        }
    }
    let partial = Partial::new(path, "restoring")?;
    unseal(header, key, file, &partial)?;
    let facts = check_file(partial.path()).await?;
    fits(header, facts.secrets_id)?;
    partial.put(path)?;
    Ok(())
}

async fn restore_postgres(
    header: &Header,
    key: &sealed::BackupKey,
    file: impl Read,
    url: &str,
    folder: &Path,
) -> Result<(), BackupError> {
    let db = Db::open(url).await?;
    let mut tx = db.read().await?;
    if !crate::storage::copy::tables(&mut tx).await?.is_empty() {
        return Err(BackupError::NotEmpty("the database".to_owned()));
    }
    drop(tx);
    std::fs::create_dir_all(folder).map_err(BackupError::io(folder))?;
    let partial = Partial::new(&folder.join("tessera.dump"), "restoring")?;
    unseal(header, key, file, &partial)?;
    dump::restore(url, partial.path())?;
    let facts = db.facts().await?;
    db.close().await;
    fits(header, facts.secrets_id)
}

/// Decrypts all of a backup, and syncs what comes out.
fn unseal(
    header: &Header,
    key: &sealed::BackupKey,
    file: impl Read,
    partial: &Partial,
) -> Result<(), BackupError> {
    let mut out = BufWriter::new(partial.write()?);
    sealed::open(header, key, file, &mut out, partial.path())?;
    out.flush().map_err(BackupError::io(partial.path()))
}

fn seal(
    header: &Header,
    key: &sealed::BackupKey,
    clock: &Clock,
    from: impl Read,
    mut out: impl Write,
    path: &Path,
) -> Result<(), BackupError> {
    sealed::seal((header, key), clock, from, &mut out, path)?;
    out.flush().map_err(BackupError::io(path))
}

/// The database inside names the same key file as the header in clear.
fn fits(header: &Header, inside: Option<String>) -> Result<(), BackupError> {
    if inside == Some(header.secrets_id.to_string()) {
        Ok(())
    } else {
        Err(BackupError::Sealed)
    }
}

fn other_keys(path: PathBuf, wanted: Option<String>) -> BackupError {
    let wanted = wanted.and_then(|id| id.parse().ok()).unwrap_or_default();
    BackupError::OtherKeys { path, wanted }
}

fn partial_path(to: &Path, clock: &Clock) -> PathBuf {
    if to.is_dir() {
        let time = clock.now().format("%Y%m%dT%H%M%SZ");
        to.join(format!("tessera-{time}.backup"))
    } else {
        to.to_owned()
    }
}

/// A file on its way: private to its owner, and gone with this value unless it was put into its place.
struct Partial(PartialFile);

impl Partial {
    fn new(path: &Path, end: &str) -> Result<Self, BackupError> {
        let own = PathBuf::from(format!("{}.{end}-{}", path.display(), std::process::id()));
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&own)
            .map_err(BackupError::io(&own))?;
        Ok(Self(PartialFile::new(&own)))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self) -> Result<File, BackupError> {
        let file = OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(self.path());
        file.map_err(BackupError::io(self.path()))
    }

    fn read(&self) -> Result<File, BackupError> {
        File::open(self.path()).map_err(BackupError::io(self.path()))
    }

    /// Syncs the file and puts it into its place, which must be free, in one step; answers its length.
    fn put(self, path: &Path) -> Result<u64, BackupError> {
        let file = self.read()?;
        let own = self.path();
        file.sync_all().map_err(BackupError::io(own))?;
        let bytes = file.metadata().map_err(BackupError::io(own))?.len();
        // A second name for the file fails where a move would overwrite.
        std::fs::hard_link(own, path).map_err(|error| {
            if error.kind() == std::io::ErrorKind::AlreadyExists {
                BackupError::Exists(path.to_owned())
            } else {
                BackupError::io(path)(error)
            }
        })?;
        std::fs::remove_file(own).map_err(BackupError::io(own))?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(BackupError::io(folder))?;
        Ok(bytes)
    }
}
