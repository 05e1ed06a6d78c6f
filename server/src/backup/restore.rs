//! Putting a backup back. Everything is opened and checked before anything is in its place; then the sandbox bank's database
//! comes first, so that whoever finds the product's has both.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use kernel::crypto::Secrets;
use kernel::db::copy;
use kernel::db::snapshot::{self, LoneFile};

use super::dump;
use super::partial::Partial;
use super::sealed::{self, BackupKey, Part};
use super::{BackupError, BackupSummary, DatabaseKind, Header, other_keys};
use crate::config::Config;
use crate::storage::metadata::{DatabaseMetadata, newest_schema};
use crate::storage::{Db, sqlite_path};

/// Puts a backup into the empty databases of the settings.
pub async fn restore(config: &Config, from: &Path) -> Result<BackupSummary, BackupError> {
    let file = File::open(from).map_err(BackupError::io(from))?;
    let bytes = file.metadata().map_err(BackupError::io(from))?.len();
    let mut file = BufReader::new(file);
    let header = sealed::read_header(&mut file, from)?;
    let bank_schema = header.bank.map_or(0, |bank| bank.schema);
    if header.schema > newest_schema() || bank_schema > bank::newest_schema() {
        return Err(BackupError::Newer(header.version));
    }
    let keys = config.secrets_file();
    let secrets = Secrets::read(&keys)?.ok_or_else(|| BackupError::NoKeys(keys.clone()))?;
    if secrets.id != header.secrets_id {
        return Err(other_keys(keys, Some(header.secrets_id.to_string())));
    }
    let key = sealed::open_key(&secrets, &header)?;
    let folder = PathBuf::from(&config.storage.data_dir);
    let place = |part, url: String| Place::new(part, url, &folder);
    let own = place(Part::Product, config.database_url());
    let bank = place(Part::Bank, config.bank_database_url());
    own.expect(header.kind)?;
    own.check_empty().await?;
    // A backup without a bank needs the place as well: the bank's tables may be in the product's, which hands them over.
    bank.check_empty().await?;
    let own_content = own.unseal(&header, &key, &mut file).await?;
    let mut bank_content = None;
    if let Some(content) = header.bank {
        bank.expect(content.kind)?;
        bank_content = Some(bank.unseal(&header, &key, &mut file).await?);
    }
    if let Some(content) = bank_content {
        bank.put(content).await?;
    }
    own.put(own_content).await?;
    own.check_whose(&header).await?;
    Ok(BackupSummary {
        header,
        path: own.shown(),
        bytes,
    })
}

/// Place of one of the databases.
struct Place<'p> {
    part: Part,
    url: String,
    /// Folder in which a backup is opened before it is copied to Postgres.
    folder: &'p Path,
}

impl<'p> Place<'p> {
    const fn new(part: Part, url: String, folder: &'p Path) -> Self {
        Self { part, url, folder }
    }

    /// Refuses a place of another kind than what is to come there.
    fn expect(&self, kind: DatabaseKind) -> Result<(), BackupError> {
        let setting = match self.part {
            Part::Product => "--database",
            Part::Bank => "sandbox.bank_database",
        };
        if DatabaseKind::of(&self.url) == kind {
            Ok(())
        } else {
            Err(BackupError::OtherKind(kind.name(), setting))
        }
    }

    async fn check_empty(&self) -> Result<(), BackupError> {
        if let Some(path) = sqlite_path(&self.url) {
            let beside = |end: &str| PathBuf::from(format!("{}{end}", path.display()));
            let taken = [path.to_owned(), beside("-wal"), beside("-shm")];
            return match taken.into_iter().find(|file| file.exists()) {
                Some(file) => Err(BackupError::NotEmpty(file.display().to_string())),
                None => Ok(()),
            };
        }
        let (tables, name) = match self.part {
            Part::Product => {
                let db = Db::open(&self.url).await?;
                let tables = copy::tables(&mut db.read().await?).await?;
                db.close().await;
                (tables, "the database".to_owned())
            }
            Part::Bank => {
                let Some(db) = bank::Db::open_if_made(&self.url).await? else {
                    return Ok(());
                };
                let tables = copy::tables(&mut db.read().await?).await?;
                db.close().await;
                (tables, format!("the schema {}", bank::SCHEMA))
            }
        };
        if tables.is_empty() {
            Ok(())
        } else {
            Err(BackupError::NotEmpty(name))
        }
    }

    /// Opens the next part of a backup into a file of its own, and checks it.
    async fn unseal(
        &self,
        header: &Header,
        key: &BackupKey,
        file: &mut impl Read,
    ) -> Result<Partial, BackupError> {
        let path = if let Some(path) = sqlite_path(&self.url) {
            path.to_owned()
        } else {
            std::fs::create_dir_all(self.folder).map_err(BackupError::io(self.folder))?;
            self.folder.join(match self.part {
                Part::Product => "tessera.dump",
                Part::Bank => "bank.dump",
            })
        };
        let partial = Partial::new(&path, "restoring")?;
        let mut out = BufWriter::new(partial.write()?);
        sealed::open((header, key), self.part, file, &mut out, partial.path())?;
        out.flush().map_err(BackupError::io(partial.path()))?;
        drop(out);
        if sqlite_path(&self.url).is_some() {
            let mut file = LoneFile::check(partial.path()).await?;
            let whose = self.whose(&mut file).await?;
            file.close().await?;
            self.fits(header, whose)?;
        }
        Ok(partial)
    }

    /// Puts what was opened into its place.
    async fn put(&self, content: Partial) -> Result<(), BackupError> {
        if let Some(path) = sqlite_path(&self.url) {
            return content.put(path).map(|_| ());
        }
        if matches!(self.part, Part::Bank) {
            // The dump makes the schema; an empty one that is there is in its way.
            snapshot::drop_empty_schema(&self.url, bank::SCHEMA).await?;
        }
        dump::restore(&self.url, content.path())
    }

    /// Checks that a restored Postgres database names the key file that the header names. Files were checked before.
    async fn check_whose(&self, header: &Header) -> Result<(), BackupError> {
        if sqlite_path(&self.url).is_some() {
            return Ok(());
        }
        let db = Db::open(&self.url).await?;
        let whose = db.metadata().await?.secrets_id;
        db.close().await;
        self.fits(header, whose)
    }

    async fn whose(&self, file: &mut LoneFile) -> Result<Option<String>, BackupError> {
        Ok(match self.part {
            Part::Product => DatabaseMetadata::of(file).await?.secrets_id,
            Part::Bank => bank::owner(file).await?,
        })
    }

    /// The database inside names the same key file as the header in clear. A bank's that was never opened by a server names
    /// none.
    fn fits(&self, header: &Header, inside: Option<String>) -> Result<(), BackupError> {
        match (self.part, inside) {
            (Part::Bank, None) => Ok(()),
            (_, Some(id)) if id == header.secrets_id.to_string() => Ok(()),
            _ => Err(BackupError::Sealed),
        }
    }

    fn shown(&self) -> PathBuf {
        sqlite_path(&self.url).unwrap_or(self.folder).to_owned()
    }
}
