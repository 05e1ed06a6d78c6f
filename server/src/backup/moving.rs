//! From SQLite to Postgres: every row of every table, in one transaction of each database, and read again before it is
//! committed.

use std::collections::BTreeMap;
use std::path::Path;

use app::domain::ids::AuditId;
use kernel::clock::Clock;
use kernel::crypto::Secrets;
use kernel::db::copy::{copy_all, sums};
use kernel::db::snapshot::LoneFile;
use serde_json::json;

use super::{BackupError, other_keys};
use crate::config::{Config, bank_database_beside};
use crate::security::SecurityEvent;
use crate::start;
use crate::storage::audit::AuditRow;
use crate::storage::metadata::DatabaseMetadata;
use crate::storage::{Db, DbError, sqlite_path};

/// Number of rows that were copied, by table name.
pub type RowCounts = BTreeMap<String, u64>;

/// Copies the database at `from`, which nobody may have open, into the empty one at `to`, and the sandbox bank's beside the
/// one into its schema in the other; a setting that names the bank's database names its source or its target. The key file of
/// the settings, which must be that of the database, serves the new ones as well. The sources are left as they are.
///
/// The bank's rows are committed first. Whoever is stopped between the two moves again: what the bank's target holds by then
/// is what its source holds.
pub async fn move_to_postgres(
    config: &Config,
    clock: &Clock,
    from: &str,
    to: &str,
) -> Result<RowCounts, BackupError> {
    let path = sqlite_path(from).ok_or(BackupError::From)?;
    if sqlite_path(to).is_some() {
        return Err(BackupError::To);
    }
    let keys = config.secrets_file();
    let secrets = Secrets::read(&keys)?.ok_or_else(|| BackupError::NoKeys(keys.clone()))?;
    let (bank_from, bank_to) = bank_places(config, from, to);
    up_to_date(config, path, from, &bank_from).await?;
    let mut source = lock(path).await?;
    let secrets_id = DatabaseMetadata::of(&mut source).await?.secrets_id;
    if secrets_id != Some(secrets.id.to_string()) {
        return Err(other_keys(keys, secrets_id));
    }
    let target = Db::open(to).await?;
    target.migrate().await?;
    let mut tx = target.write().await?;
    let mut moved = copy_all(&mut source, &mut tx).await?;
    moved.extend(move_bank(&bank_from, &bank_to).await?);
    tx.audit(&AuditRow {
        id: AuditId(clock.id()),
        at: clock.now(),
        person: None,
        actor: "operator".to_owned(),
        servicer: None,
        tenant: None,
        action: SecurityEvent::DatabaseMoved,
        target: "postgres".to_owned(),
        detail: json!({ "rows": moved.values().sum::<u64>() }),
        ip: String::new(),
    })
    .await?;
    tx.commit().await?;
    target.close().await;
    Ok(moved)
}

/// Returns where the sandbox bank's database is, and where it is to be.
fn bank_places(config: &Config, from: &str, to: &str) -> (String, String) {
    let named = config.sandbox.bank_database.as_str();
    match sqlite_path(named) {
        Some(_) => (named.to_owned(), to.to_owned()),
        None if named.is_empty() => (bank_database_beside(from), to.to_owned()),
        None => (bank_database_beside(from), named.to_owned()),
    }
}

/// Copies the sandbox bank's database, if there is one, and commits it.
async fn move_bank(from: &str, to: &str) -> Result<RowCounts, BackupError> {
    let Some(path) = sqlite_path(from).filter(|path| path.is_file()) else {
        return Ok(RowCounts::new());
    };
    let mut source = lock(path).await?;
    let target = bank::Db::open(to).await?;
    target.migrate().await?;
    let mut tx = target.write().await?;
    let held = sums(&mut source).await?;
    if sums(&mut tx).await? == held {
        // An earlier try came as far as this.
        let counts = held.into_iter().map(|(table, sum)| (table, sum.rows));
        return Ok(counts.collect());
    }
    let moved = copy_all(&mut source, &mut tx).await?;
    tx.commit().await?;
    target.close().await;
    Ok(moved)
}

/// Brings the sources up to date, so that both sides have the same tables.
async fn up_to_date(
    config: &Config,
    path: &Path,
    from: &str,
    bank_from: &str,
) -> Result<(), BackupError> {
    // Alone first: a server of an earlier version that still runs must not have its tables changed under it.
    lock(path).await?.close().await?;
    let db = Db::open_existing(from).await?;
    let mut config = config.clone();
    config.sandbox.bank_database = bank_from.to_owned();
    // One that is not there is made only for rows that are to go into it.
    config.sandbox.enabled = sqlite_path(bank_from).is_some_and(Path::is_file);
    let bank = start::bring_up_to_date(&db, &config).await?;
    db.close().await;
    if let Some(bank) = bank {
        bank.close().await;
    }
    Ok(())
}

/// Opens a file for oneself alone.
async fn lock(path: &Path) -> Result<LoneFile, BackupError> {
    LoneFile::lock(path)
        .await
        .map_err(|error| busy(error, path))
}

fn busy(error: DbError, path: &Path) -> BackupError {
    if crate::storage::is_busy(&error) {
        BackupError::InUse(path.to_owned())
    } else {
        error.into()
    }
}
