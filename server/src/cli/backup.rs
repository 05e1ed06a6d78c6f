//! `server backup`, `server restore` and `server move`.

use std::path::PathBuf;

use clap::Args;
use kernel::clock::Clock;
use serde_json::json;

use super::CommandError;
use super::operate::{Output, say};
use crate::backup::{self, BackupError, BackupSummary};
use crate::config::Config;

#[derive(Args)]
pub struct Backup {
    /// A file that is not there yet, or a folder, in which it gets a name by its time.
    to: PathBuf,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub struct Restore {
    /// A file that `server backup` made.
    from: PathBuf,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub struct Move {
    /// The SQLite database: `sqlite:PATH`. Nobody may have it open.
    #[arg(long, value_name = "URL")]
    from: String,
    /// The Postgres database, which must be empty: `postgres://user@host/database`.
    #[arg(long, value_name = "URL")]
    to: String,
    #[command(flatten)]
    output: Output,
}

pub async fn make(config: &Config, command: Backup) -> Result<(), CommandError> {
    let done = backup::make(config, &Clock::system(), &command.to).await?;
    say(
        &command.output,
        &summary_json(&done),
        "It opens only with the key file, which is not in it: keep the two apart.",
    )
}

pub async fn restore(config: &Config, command: Restore) -> Result<(), CommandError> {
    let done = backup::restore(config, &command.from).await?;
    say(
        &command.output,
        &summary_json(&done),
        "It was checked whole. `server serve` brings it up to date and serves it.",
    )
}

pub async fn move_all(config: &Config, command: Move) -> Result<(), CommandError> {
    let Move { from, to, output } = command;
    let moved = backup::move_to_postgres(config, &Clock::system(), &from, &to).await?;
    let rows: u64 = moved.values().sum();
    let done = json!({ "tables": moved.len(), "rows": rows });
    say(
        &output,
        &done,
        "Every row was read again and compared. Serve the new database with the same key file (--database); \
         the old one was left as it is.",
    )
}

fn summary_json(done: &BackupSummary) -> serde_json::Value {
    json!({
        "backup_id": done.header.id,
        "path": done.path,
        "bytes": done.bytes,
        "made_at": done.header.made_at,
        "database": done.header.kind,
        "schema": done.header.schema,
    })
}

impl From<BackupError> for CommandError {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::From | BackupError::To => Self::Asked(error.to_string()),
            other => Self::Done(other.to_string()),
        }
    }
}
