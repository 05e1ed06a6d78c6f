//! Making a backup: the product's database, then the sandbox bank's, sealed one after the other.

use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use kernel::clock::Clock;
use kernel::crypto::Secrets;
use kernel::db::snapshot::{self, LoneFile};

use super::dump::{self, Schemas};
use super::partial::Partial;
use super::sealed::{self, BackupKey, Part};
use super::{BackupError, BackupSummary, BankContent, DatabaseKind, Header, other_keys};
use crate::config::Config;
use crate::storage::Db;

/// Makes a backup of the databases of the settings. `to` is a file that is not there yet, or a folder, in which it gets a
/// name by its time.
pub async fn make(config: &Config, clock: &Clock, to: &Path) -> Result<BackupSummary, BackupError> {
    let keys = config.secrets_file();
    let secrets = Secrets::read(&keys)?.ok_or_else(|| BackupError::NoKeys(keys.clone()))?;
    let db = Db::open_existing(&config.database_url()).await?;
    let metadata = db.metadata().await?;
    if metadata.secrets_id != Some(secrets.id.to_string()) {
        return Err(other_keys(keys, metadata.secrets_id));
    }
    let bank = bank_database(config, &secrets).await?;
    let path = place(to, clock);
    if path.exists() {
        return Err(BackupError::Exists(path));
    }
    let (key, sealed) = sealed::new_key(&secrets, clock)?;
    let header = Header {
        id: clock.id(),
        kind: DatabaseKind::of(&config.database_url()),
        made_at: clock.now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        schema: metadata.schema,
        secrets_id: secrets.id,
        key: sealed,
        bank: bank.as_ref().map(|(_, content)| *content),
    };
    let partial = Partial::new(&path, "partial")?;
    let mut out = Out {
        header: &header,
        key: &key,
        clock,
        path: &path,
        file: BufWriter::new(partial.write()?),
    };
    sealed::write_header(&header, &mut out.file, &path)?;
    let url = config.database_url();
    out.database(Part::Product, &db, &url).await?;
    db.close().await;
    if let Some((bank, _)) = bank {
        out.database(Part::Bank, &bank, &config.bank_database_url())
            .await?;
        bank.close().await;
    }
    out.file.flush().map_err(BackupError::io(&path))?;
    drop(out);
    let bytes = partial.put(&path)?;
    Ok(BackupSummary {
        header,
        path,
        bytes,
    })
}

/// Opens the sandbox bank's database; `None` if there is none.
async fn bank_database(
    config: &Config,
    secrets: &Secrets,
) -> Result<Option<(bank::Db, BankContent)>, BackupError> {
    let url = config.bank_database_url();
    let Some(db) = bank::Db::open_if_made(&url).await? else {
        return Ok(None);
    };
    if !db.is_migrated().await? {
        db.close().await;
        return Ok(None);
    }
    if let Some(owner) = db.owner().await?
        && owner != secrets.id.to_string()
    {
        return Err(BackupError::OtherBank(owner));
    }
    let schema = snapshot::schema(&mut db.read().await?).await?;
    let kind = DatabaseKind::of(&url);
    Ok(Some((db, BankContent { kind, schema })))
}

/// A backup that is being written.
struct Out<'o> {
    header: &'o Header,
    key: &'o BackupKey,
    clock: &'o Clock,
    path: &'o Path,
    file: BufWriter<std::fs::File>,
}

impl Out<'_> {
    /// Adds a database as it stands at one instant.
    async fn database(
        &mut self,
        part: Part,
        db: &kernel::db::Db,
        url: &str,
    ) -> Result<(), BackupError> {
        if db.is_postgres() {
            let schemas = match part {
                Part::Product => Schemas::AllBut(bank::SCHEMA),
                Part::Bank => Schemas::Only(bank::SCHEMA),
            };
            let mut dump = dump::dump(url, schemas)?;
            let from = dump.output()?;
            self.seal(part, from)?;
            return dump.end();
        }
        let plain = Partial::new(self.path, "plain")?;
        db.snapshot(plain.path()).await?;
        LoneFile::check(plain.path()).await?.close().await?;
        self.seal(part, BufReader::new(plain.read()?))
    }

    fn seal(&mut self, part: Part, from: impl std::io::Read) -> Result<(), BackupError> {
        let keys = (self.header, self.key);
        sealed::seal(keys, part, self.clock, from, &mut self.file, self.path)
    }
}

fn place(to: &Path, clock: &Clock) -> PathBuf {
    if to.is_dir() {
        let time = clock.now().format("%Y%m%dT%H%M%SZ");
        to.join(format!("tessera-{time}.backup"))
    } else {
        to.to_owned()
    }
}
