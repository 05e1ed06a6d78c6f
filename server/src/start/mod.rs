//! From settings to a state that works: the data folder, the database and the sandbox bank's brought up to date, and the key
//! file that belongs to them.

mod bank_moves_out;
#[cfg(test)]
mod upgrade_tests;

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use bank::TakeOverError;
use kernel::clock::Clock;
use kernel::crypto::{Secrets, SecretsError};
use kernel::retention::RuledDatabase;

use crate::config::{Config, ConfigError};
use crate::mail::{self, MailError};
use crate::services::portal::people::spelling;
use crate::services::portal::secrets::data_keys::{self, PrepareError};
use crate::state::AppState;
use crate::storage::{Db, DbError, OpenError};

pub use self::bank_moves_out::bring_up_to_date;

/// Key of the row of table `meta` that holds the id of the key file that the database was made with.
const SECRETS_ID: &str = "secrets_id";

/// Reason the server cannot start, with a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("cannot make the data folder {path}: {source}. Choose another with --data-dir.")]
    Folder {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Mail(#[from] MailError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the database does not answer: {0}")]
    Database(#[from] DbError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(
        "the key file {0} is missing, and this database was made with one. Restore it from a backup, or name its place \
         with TESSERA_SECRETS_FILE: without it no key or password link can be checked, and it cannot be made again."
    )]
    SecretsMissing(PathBuf),
    #[error(
        "the key file {0} belongs to another database. Give the one this database was made with (storage.secrets_file or \
         TESSERA_SECRETS_FILE), or name the database that belongs to this file (--database)."
    )]
    SecretsForeign(PathBuf),
    #[error(
        "the key file's id in the database is not readable: the row secrets_id of table meta was altered"
    )]
    SecretsIdDamaged,
    #[error(transparent)]
    DataKeys(#[from] PrepareError),
    #[error("the sandbox bank's database: {0}")]
    BankDatabase(OpenError),
    #[error(
        "the sandbox bank's database ({0}) belongs to another installation. Name another with sandbox.bank_database, or move \
         this one away."
    )]
    BankForeign(String),
    #[error("the sandbox bank's tables cannot be moved to a database of their own: {0}")]
    BankMove(TakeOverError),
}

impl From<TakeOverError> for StartError {
    fn from(error: TakeOverError) -> Self {
        Self::BankMove(error)
    }
}

/// Makes the data folder, opens and migrates the databases, and reads or makes their key file.
///
/// The public URL is that of the settings, or of the configured listening address; a caller that binds port 0 sets
/// `public_url` once it knows the port.
pub async fn open(config: &Config, clock: Clock) -> Result<AppState, StartError> {
    let (db, bank) = open_databases(config).await?;
    let secrets = secrets(&db, &config.secrets_file(), &clock).await?;
    if let Some(bank) = &bank {
        claim_bank(bank, &secrets, config).await?;
    }
    data_keys::prepare(&db, &secrets.vault, &clock).await?;
    let data_dir = Path::new(&config.storage.data_dir);
    let mailer = mail::from_settings(&config.mail, data_dir, clock.clone())?;
    let public_url = config.public_url(config.listen()?);
    let state = AppState::new(config.clone(), db, clock, secrets, mailer, &public_url);
    Ok(match bank {
        Some(bank) => state.with_bank_database(RuledDatabase {
            db: bank.kernel(),
            rules: bank::retention::RULES,
        }),
        None => state,
    })
}

/// Notes in the bank's database whose bank it is, or finds that it is another's.
async fn claim_bank(bank: &bank::Db, secrets: &Secrets, config: &Config) -> Result<(), StartError> {
    match bank.belong_to(&secrets.id.to_string()).await {
        Err(TakeOverError::Foreign) => Err(StartError::BankForeign(redacted(
            &config.bank_database_url(),
        ))),
        done => Ok(done?),
    }
}

/// Returns a database's URL without the password in it.
fn redacted(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut parsed) if parsed.password().is_some() => {
            parsed.set_password(None).ok();
            parsed.into()
        }
        _ => url.to_owned(),
    }
}

/// Refuses whatever would keep the server from starting, as far as can be told without making or changing anything:
/// settings, mail, the data folder, the database if it is there, and the key file that belongs to it.
pub async fn check(config: &Config) -> Result<(), StartError> {
    let data_dir = Path::new(&config.storage.data_dir);
    mail::from_settings(&config.mail, data_dir, Clock::system())?;
    check_folder(data_dir)?;
    let path = config.secrets_file();
    let secrets = Secrets::read(&path)?;
    let db = match Db::open_existing(&config.database_url()).await {
        // It is made at the first start, with or without a key file that waits for it.
        Err(OpenError::Missing(_)) => return Ok(()),
        opened => opened?,
    };
    let known = if db.is_migrated().await? {
        db.check_schema().await?;
        db.read().await?.meta(SECRETS_ID).await?
    } else {
        None
    };
    db.close().await;
    check_bank(config, known.as_deref()).await?;
    match (known, secrets) {
        (None, _) => Ok(()),
        (Some(known), Some(secrets)) => match known.parse::<uuid::Uuid>() {
            Ok(known) if known == secrets.id => Ok(()),
            Ok(_) => Err(StartError::SecretsForeign(path)),
            Err(_) => Err(StartError::SecretsIdDamaged),
        },
        (Some(_), None) => Err(StartError::SecretsMissing(path)),
    }
}

/// Checks the sandbox bank's database, if it is there.
async fn check_bank(config: &Config, known: Option<&str>) -> Result<(), StartError> {
    if !config.sandbox.enabled {
        return Ok(());
    }
    let url = config.bank_database_url();
    let Some(bank) = bank::Db::open_if_made(&url)
        .await
        .map_err(StartError::BankDatabase)?
    else {
        return Ok(());
    };
    let mut owner = None;
    if bank.is_migrated().await? {
        bank.check_schema()
            .await
            .map_err(StartError::BankDatabase)?;
        owner = bank.owner().await?;
    }
    bank.close().await;
    match (owner.as_deref(), known) {
        (Some(owner), Some(known)) if owner != known => {
            Err(StartError::BankForeign(redacted(&url)))
        }
        _ => Ok(()),
    }
}

/// The data folder, or the nearest folder above it that is there, must be one, and writable.
fn check_folder(path: &Path) -> Result<(), StartError> {
    let refused = |source| StartError::Folder {
        path: path.to_owned(),
        source,
    };
    let whole = std::path::absolute(path).map_err(refused)?;
    for folder in whole.ancestors() {
        match std::fs::metadata(folder) {
            Ok(found) if !found.is_dir() => {
                return Err(refused(std::io::ErrorKind::NotADirectory.into()));
            }
            Ok(found) if found.permissions().readonly() => {
                return Err(refused(std::io::ErrorKind::PermissionDenied.into()));
            }
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(refused(error)),
        }
    }
    Ok(())
}

/// Makes the data folder, opens the database and the sandbox bank's, and brings both up to date. Every command that brings a
/// database up to date does it here.
pub async fn open_databases(config: &Config) -> Result<(Db, Option<bank::Db>), StartError> {
    make_folder(Path::new(&config.storage.data_dir))?;
    let db = Db::open(&config.database_url()).await?;
    let bank = bank_moves_out::bring_up_to_date(&db, config).await?;
    spelling::respell(&db).await?;
    Ok((db, bank))
}

/// A folder nobody but the server's user can enter; an existing one is left as it is.
fn make_folder(path: &Path) -> Result<(), StartError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| StartError::Folder {
            path: path.to_owned(),
            source,
        })
}

/// The key file of a database: the one it was made with, or a new one for an empty database.
///
/// The id is claimed in a transaction that commits only after the file is on disk, so that of several processes that
/// start on one empty database exactly one makes the file. A crash in between leaves a file beside an empty database,
/// which takes it over, as it does a file that was put there beforehand.
async fn secrets(db: &Db, path: &Path, clock: &Clock) -> Result<Secrets, StartError> {
    let mut tx = db.write().await?;
    let before = Secrets::read(path)?;
    let id = before
        .as_ref()
        .map_or_else(|| clock.id(), |secrets| secrets.id);
    if tx.claim_meta(SECRETS_ID, &id.to_string()).await? {
        let secrets = match before {
            Some(secrets) => secrets,
            None => Secrets::create(path, id, clock)?,
        };
        tx.commit().await?;
        return Ok(secrets);
    }
    let known = tx.meta(SECRETS_ID).await?.unwrap_or_default();
    let known: uuid::Uuid = known.parse().map_err(|_| StartError::SecretsIdDamaged)?;
    // Another process may have made the file while this one waited for the claim.
    match Secrets::read(path)? {
        Some(secrets) if secrets.id == known => Ok(secrets),
        Some(_) => Err(StartError::SecretsForeign(path.to_owned())),
        None => Err(StartError::SecretsMissing(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::storage::testing::on_both;

    on_both!(
        the_key_file_is_made_with_an_empty_database_only,
        of_many_first_starts_one_makes_the_file
    );

    fn clock() -> Clock {
        Clock::mock("2026-01-01T00:00:00Z".parse().unwrap(), 1)
    }

    async fn the_key_file_is_made_with_an_empty_database_only(db: Db) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.key");
        let clock = clock();
        let made = secrets(&db, &path, &clock).await.unwrap();
        let again = secrets(&db, &path, &clock).await.unwrap();
        assert_eq!(made.id, again.id);

        std::fs::rename(&path, folder.path().join("elsewhere")).unwrap();
        let missing = secrets(&db, &path, &clock).await.err().unwrap();
        assert!(matches!(missing, StartError::SecretsMissing(_)));
        assert!(!path.exists(), "a lost key file is not made again");

        Secrets::create(&path, clock.id(), &clock).unwrap();
        let foreign = secrets(&db, &path, &clock).await.err().unwrap();
        assert!(matches!(foreign, StartError::SecretsForeign(_)));
    }

    async fn of_many_first_starts_one_makes_the_file(db: Db) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.key");
        let tasks: Vec<_> = (0..8)
            .map(|seed| {
                let (db, path) = (db.clone(), path.clone());
                let clock = Clock::mock("2026-01-01T00:00:00Z".parse().unwrap(), seed);
                tokio::spawn(async move { secrets(&db, &path, &clock).await.map(|it| it.id) })
            })
            .collect();
        let mut ids = Vec::new();
        for task in tasks {
            ids.push(task.await.unwrap().unwrap());
        }
        ids.dedup();
        assert_eq!(ids.len(), 1);
    }

    #[tokio::test]
    async fn a_fresh_start_makes_a_private_folder_and_a_second_one_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("deep").join("data");
        let mut config = Config::default();
        config.storage.data_dir = data.display().to_string();
        let first = open(&config, clock()).await.unwrap();
        first.close().await;
        assert_eq!(
            std::fs::metadata(&data).unwrap().permissions().mode() & 0o777,
            0o700
        );
        let second = open(&config, clock()).await.unwrap();
        second.close().await;
        assert!(first.pepper.digest("a", "b") == second.pepper.digest("a", "b"));
        assert_eq!(&*second.public_url, "http://127.0.0.1:3000");
    }
}
