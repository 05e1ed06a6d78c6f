//! From SQLite to Postgres: every row of every table, in one transaction, and read again before it is committed.

use std::collections::BTreeMap;
use std::path::Path;

use app::domain::ids::AuditId;
use kernel::clock::Clock;
use kernel::crypto::Secrets;
use serde_json::json;

use super::{BackupError, other_keys};
use crate::config::Config;
use crate::security::SecurityEvent;
use crate::storage::audit::AuditRow;
use crate::storage::copy::CopySource;
use crate::storage::{Db, DbError, sqlite_path};

/// Number of rows that were copied, by table name.
pub type RowCounts = BTreeMap<String, u64>;

/// Copies the database at `from`, which nobody may have open, into the empty one at `to`. The key file of the settings,
/// which must be that of the database, serves the new one as well. All or nothing: the source is left as it is.
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
    up_to_date(path, from).await?;
    let mut source = CopySource::open(path)
        .await
        .map_err(|error| busy(error, path))?;
    let secrets_id = source.secrets_id().await?;
    if secrets_id != Some(secrets.id.to_string()) {
        return Err(other_keys(keys, secrets_id));
    }
    let target = Db::open(to).await?;
    target.migrate().await?;
    let mut tx = target.write().await?;
    let moved = source.copy_into(&mut tx).await?;
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

/// Brings the source up to date, so that both have the same tables.
async fn up_to_date(path: &Path, from: &str) -> Result<(), BackupError> {
    // Alone first: a server of an earlier version that still runs must not have its tables changed under it.
    let alone = CopySource::open(path)
        .await
        .map_err(|error| busy(error, path))?;
    alone.close().await?;
    let db = Db::open_existing(from).await?;
    db.migrate().await?;
    db.close().await;
    Ok(())
}

fn busy(error: DbError, path: &Path) -> BackupError {
    if crate::storage::is_busy(&error) {
        BackupError::InUse(path.to_owned())
    } else {
        error.into()
    }
}
