//! The operator's commands about the key file: which keys there are and what hangs on them, and rotation step by step.

use std::time::Instant;

use clap::Subcommand;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use kernel::crypto::KeyTag;
use kernel::crypto::file::{FileKey, KeyFile, KeyPurpose};
use serde_json::{Value, json};

use super::operate::{Output, open_existing, say};
use super::{CommandError, print_text};
use crate::config::Config;
use crate::security::SecurityEvent;
use crate::services::portal::audit::{AuditActor, audit};
use crate::services::portal::secrets::rewrap::{self, KeyDependents, RewrapSummary};
use crate::services::portal::secrets::rotation::{self, KeyFileOverview, KeyStepError};
use crate::state::AppState;

#[derive(Subcommand)]
#[command(
    after_help = "A rotation, none of whose steps stops a server or fails a call:\n  \
                  1. server secrets add --kind vault        a new key, used for nothing yet\n  \
                  2. copy the key file to every machine; servers read it within a second\n  \
                  3. server secrets activate --kind vault ID, then copy the file again\n  \
                  4. server secrets rewrap                  (vault only; may be stopped and started again)\n  \
                  5. server secrets drop --kind vault ID    the old one, then copy the file again\n\n\
                  Exit codes: 0 done, 1 not done and why, 2 a wrong command line. docs/SECRETS.md tells more."
)]
pub enum SecretsCommand {
    /// Show the keys, what hangs on each, and which running process has read which.
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Add a new key beside the active one; prints its id. It is used for nothing yet.
    Add {
        /// vault or pepper
        #[arg(long, value_parser = purposes())]
        kind: KeyPurpose,
        #[command(flatten)]
        output: Output,
    },
    /// Use a key for everything new; refused until every running process has read it.
    Activate {
        /// vault or pepper
        #[arg(long, value_parser = purposes())]
        kind: KeyPurpose,
        /// Its id, as `add` and `list` print it.
        #[arg(value_parser = tag)]
        id: KeyTag,
        /// Do not wait for processes that have not read it.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Move every data key under the active vault key, and what older releases sealed under data keys.
    Rewrap {
        #[command(flatten)]
        output: Output,
    },
    /// Take an old key out of the file; refused while anything hangs on it.
    Drop {
        /// vault or pepper
        #[arg(long, value_parser = purposes())]
        kind: KeyPurpose,
        /// Its id, as `list` prints it.
        #[arg(value_parser = tag)]
        id: KeyTag,
        /// End what still hangs on it: keys stop, consents end, people choose new passwords.
        #[arg(long)]
        revoke: bool,
        #[command(flatten)]
        output: Output,
    },
}

fn purposes() -> impl TypedValueParser<Value = KeyPurpose> {
    let words = [
        PossibleValue::new("vault").help("Wraps the data keys that data is sealed under"),
        PossibleValue::new("pepper")
            .help("Makes the digests that keys, tokens and passwords are stored as"),
    ];
    PossibleValuesParser::new(words).map(|word| match word.as_str() {
        "pepper" => KeyPurpose::Pepper,
        _ => KeyPurpose::Vault,
    })
}

fn tag(text: &str) -> Result<KeyTag, String> {
    KeyTag::parse(text).ok_or_else(|| "must be sixteen hexadecimal digits".to_owned())
}

impl From<KeyStepError> for CommandError {
    fn from(error: KeyStepError) -> Self {
        Self::Done(error.to_string())
    }
}

pub async fn run(config: &Config, command: SecretsCommand) -> Result<(), CommandError> {
    let state = open_existing(config).await?;
    let path = config.secrets_file();
    let done = match command {
        SecretsCommand::List { output } => {
            let overview = rotation::list(&state, &path).await?;
            if output.json() {
                print_text(&format!("{}\n", overview_json(&overview)))
            } else {
                print_text(&describe(&overview))
            }
        }
        SecretsCommand::Add { kind, output } => {
            let id = rotation::add(&state, &path, kind).await?;
            let advice = "Copy the key file to every machine, then activate it.";
            say(&output, &step(kind, id, "added"), advice)
        }
        SecretsCommand::Activate {
            kind,
            id,
            force,
            output,
        } => {
            rotation::activate(&state, &path, kind, id, force).await?;
            let advice = match kind {
                KeyPurpose::Vault => "Copy the key file again, then run `server secrets rewrap`.",
                KeyPurpose::Pepper => {
                    "Copy the key file again. Digests are renewed as they are used; `server secrets list` counts what is left."
                }
            };
            say(&output, &step(kind, id, "active"), advice)
        }
        SecretsCommand::Rewrap { output } => rewrapped(&state, &path, &output).await,
        SecretsCommand::Drop {
            kind,
            id,
            revoke,
            output,
        } => {
            let ended = rotation::drop_key(&state, &path, kind, id, revoke).await?;
            let mut result = step(kind, id, "dropped");
            if let Some(fields) = result.as_object_mut() {
                fields.insert("ended".into(), dependents_json(&ended));
            }
            let advice = "Copy the key file again. Backups from before need the old file: keep or destroy both together.";
            say(&output, &result, advice)
        }
    };
    state.close().await;
    done
}

fn step(kind: KeyPurpose, id: KeyTag, state: &str) -> Value {
    json!({ "kind": kind.as_str(), "id": id.to_string(), "state": state })
}

async fn rewrapped(
    state: &AppState,
    path: &std::path::Path,
    output: &Output,
) -> Result<(), CommandError> {
    let broken = |error: &dyn std::fmt::Display| CommandError::Done(error.to_string());
    let file = KeyFile::read(path)
        .map_err(|error| broken(&error))?
        .ok_or_else(|| {
            CommandError::Done(format!("There is no key file at {}.", path.display()))
        })?;
    let begin = Instant::now();
    let last = std::sync::Mutex::new(Instant::now());
    let progress = |what: &str, done: RewrapSummary| {
        let mut last = last
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.elapsed().as_secs() >= 2 {
            *last = Instant::now();
            let seconds = begin.elapsed().as_secs();
            eprintln!(
                "    {what}: {} keys and {} rows after {seconds} s",
                done.keys, done.rows
            );
        }
    };
    let done = rewrap::rewrap(state, &file, progress).await;
    let done = done.map_err(|error| broken(&error))?;
    let result = json!({ "data_keys": done.keys, "rows": done.rows, "broken": done.broken });
    write_down(state, &result).await?;
    if done.broken > 0 {
        return Err(CommandError::Done(format!(
            "{} rows do not open under any key of the file: they were altered, or belong to another key file. The others were moved \
             ({} data keys, {} rows). `server secrets list` shows where they are.",
            done.broken, done.keys, done.rows
        )));
    }
    say(
        output,
        &result,
        "The old vault key may be dropped now, if `server secrets list` counts nothing on it.",
    )
}

async fn write_down(state: &AppState, result: &Value) -> Result<(), CommandError> {
    let failed = |error: crate::storage::DbError| CommandError::Done(error.to_string());
    let mut tx = state.db.write().await.map_err(failed)?;
    let by = AuditActor::operator();
    audit(
        state,
        &mut tx,
        &by,
        None,
        SecurityEvent::SecretsRewrapped,
        "vault",
        result.clone(),
    )
    .await
    .map_err(failed)?;
    tx.commit().await.map_err(failed)
}

fn dependents_json(hanging: &[KeyDependents]) -> Value {
    let counts = hanging.iter().map(|it| (it.what.clone(), it.count.into()));
    Value::Object(counts.collect())
}

fn of_key<'a>(overview: &'a KeyFileOverview, key: &FileKey) -> &'a [KeyDependents] {
    let found = overview.hanging.iter().find(|(_, tag, _)| *tag == key.tag);
    found.map_or(&[], |(_, _, hanging)| hanging)
}

fn overview_json(overview: &KeyFileOverview) -> Value {
    let keys = |kind: KeyPurpose| -> Vec<Value> {
        let keys = overview.file.ring(kind).all();
        keys.map(|key| {
            json!({
                "id": key.tag.to_string(),
                "state": key.state.as_str(),
                "created_at": key.created,
                "hangs_on_it": dependents_json(of_key(overview, key)),
            })
        })
        .collect()
    };
    let holders = overview.holders.iter().map(|holder| {
        json!({
            "process": holder.process,
            "vault": holder.vault,
            "pepper": holder.pepper,
            "keys": holder.keys.split(' ').collect::<Vec<_>>(),
            "seen_at": holder.seen_at,
        })
    });
    json!({
        "id": overview.file.id,
        "vault": keys(KeyPurpose::Vault),
        "pepper": keys(KeyPurpose::Pepper),
        "processes": holders.collect::<Vec<_>>(),
    })
}

fn describe(overview: &KeyFileOverview) -> String {
    let mut text = String::new();
    for kind in [KeyPurpose::Vault, KeyPurpose::Pepper] {
        for key in overview.file.ring(kind).all() {
            let created = key
                .created
                .map_or_else(|| "of the first format".to_owned(), |at| at.to_rfc3339());
            text.push_str(&format!(
                "{:<7}{}  {:<7}{created}\n",
                kind.as_str(),
                key.tag,
                key.state.as_str()
            ));
            for it in of_key(overview, key) {
                text.push_str(&format!("    {:>10}  {}\n", it.count, it.what));
            }
        }
    }
    if overview.holders.is_empty() {
        text.push_str("No server is running on this database.\n");
    }
    for holder in &overview.holders {
        text.push_str(&format!(
            "process {}: vault {}, pepper {}, seen {}\n",
            holder.process,
            holder.vault,
            holder.pepper,
            holder.seen_at.to_rfc3339()
        ));
    }
    text
}
