//! A copy of everything that is stored of one servicer, as JSON lines: what the operator gives a servicer that asks for its
//! data. The first line tells what is left out and why; each line after it is a row; the last one has the counts.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use app::domain::ids::ServicerId;
use app::portal::PortalError;
use kernel::partial_file::PartialFile;
use serde_json::{Map, Value, json};

use super::audit::{AuditActor, audit};
use crate::security::SecurityEvent;
use crate::services::refusal::ServiceError;
use crate::state::AppState;
use crate::storage::copy::CopyError;
use crate::storage::export::{Exported, OwnedRows, of};
use crate::storage::inventory::tables;

/// What was exported.
pub struct ExportSummary {
    /// Rows of each table that had any.
    pub tables: Map<String, Value>,
    pub rows: u64,
}

/// What stops an export between two rows.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("{0}")]
    Copy(#[from] CopyError),
    #[error("the file cannot be written: {0}")]
    File(#[from] std::io::Error),
}

impl From<Broken> for ServiceError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Copy(CopyError::Database(error)) => error.into(),
            other => Self::Broken(other.to_string()),
        }
    }
}

/// Writes a servicer's data into a new file that its owner alone may read. What is there already is left alone; a file that
/// could not be finished is taken away.
pub async fn export(
    state: &AppState,
    by: &AuditActor,
    id: ServicerId,
    to: &Path,
) -> Result<ExportSummary, ServiceError> {
    let mut tx = state.db.write().await?;
    let (name, _) = tx.servicer(id).await?.ok_or(PortalError::NotFound)?;
    audit(
        state,
        &mut tx,
        by,
        Some(id),
        SecurityEvent::ServicerExported,
        id,
        json!({}),
    )
    .await?;
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to);
    let file = file.map_err(|error| {
        PortalError::Conflict(format!("{} cannot be made: {error}.", to.display()))
    })?;
    let unfinished = PartialFile::new(to);
    tx.commit().await?;
    let done = write(state, id, &name, file).await?;
    unfinished.finish();
    Ok(done)
}

async fn write(
    state: &AppState,
    id: ServicerId,
    name: &str,
    file: File,
) -> Result<ExportSummary, ServiceError> {
    let mut out = BufWriter::new(file);
    let mut tx = state.db.read().await?;
    let (mut parts, mut without, mut left_out) = (Vec::new(), Map::new(), Map::new());
    for table in tables() {
        match of(table.name) {
            Some(OwnedRows::Rows(condition)) => {
                let exported = Exported::of(&mut tx, table).await.map_err(Broken::from)?;
                left_out.insert(table.name.to_owned(), exported.to_json());
                parts.push((table.name, condition, exported));
            }
            Some(OwnedRows::None(why)) => drop(without.insert(table.name.to_owned(), json!(why))),
            None => {
                return Err(ServiceError::Broken(format!(
                    "it is not said whose {} is",
                    table.name
                )));
            }
        }
    }
    let head = json!({"export": "servicer", "version": 1, "servicer_id": id, "name": name, "made_at": state.clock.now(),
                      "columns_left_out": left_out, "tables_left_out": without});
    line(&mut out, &head)?;
    let mut done = ExportSummary {
        tables: Map::new(),
        rows: 0,
    };
    for (table, condition, exported) in parts {
        let take = |row: Value| line(&mut out, &json!({"table": table, "row": row}));
        let count = tx.export(table, condition, &exported, id, take).await?;
        done.tables.insert(table.to_owned(), json!(count));
        done.rows += count;
    }
    line(
        &mut out,
        &json!({"end": true, "tables": done.tables, "rows": done.rows}),
    )?;
    let file = out
        .into_inner()
        .map_err(|error| Broken::File(error.into_error()))?;
    file.sync_all().map_err(Broken::File)?;
    Ok(done)
}

fn line(out: &mut impl Write, value: &Value) -> Result<(), Broken> {
    serde_json::to_writer(&mut *out, value).map_err(std::io::Error::from)?;
    Ok(out.write_all(b"\n")?)
}
