//! Rotation by command, in steps that an operator takes one after the other: add, distribute, activate, (re-wrap,) drop.
//! Each is refused while a running process could not follow it, or while something would be lost.
//!
//! The commands write the key file; which processes have read what, and what still hangs on a key, the database says.

use std::path::Path;

use chrono::Duration;
use serde_json::json;

use super::rewrap;
use crate::crypto::KeyTag;
use crate::crypto::file::{FileKey, KeyFile, Kind, SecretsError};
use crate::services::acts::{By, audit};
use crate::services::consents;
use crate::services::refusal::Failure;
use crate::state::AppState;
use crate::storage::data_keys::HolderRow;
use crate::storage::{DbError, Tx, census};

/// A process that was not heard of for so long has ended.
pub const HEARD: Duration = Duration::seconds(60);
/// Consents that are read at a time.
const BATCH: i64 = 100;
/// Where the database remembers which key file it was made with; its row is held while the file is changed.
const HELD: &str = "secrets_id";

/// Why a step was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error("the database does not answer: {0}")]
    Database(#[from] DbError),
    /// What stands in the way, and what to do.
    #[error("{0}")]
    Refused(String),
}

/// The key file, and what is known about its keys.
pub struct Overview {
    pub file: KeyFile,
    /// Per key: its kind, and what hangs on it.
    pub hanging: Vec<(Kind, KeyTag, Vec<Hanging>)>,
    pub holders: Vec<HolderRow>,
}

/// Something that needs a key: what, how much, and how it goes away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hanging {
    pub what: String,
    pub count: i64,
}

/// Shows the keys, what hangs on each, and which running process has read which.
pub async fn list(state: &AppState, path: &Path) -> Result<Overview, NotTaken> {
    let file = read(path)?;
    let mut tx = state.db.read().await?;
    let holders = tx.key_holders(state.clock.now() - HEARD).await?;
    drop(tx);
    let mut hanging = Vec::new();
    for kind in [Kind::Vault, Kind::Pepper] {
        for key in file.ring(kind).all() {
            hanging.push((kind, key.tag, hangs(state, kind, key).await?));
        }
    }
    Ok(Overview {
        file,
        hanging,
        holders,
    })
}

/// Adds a new key beside the active one: understood from now on, used for nothing yet. Answers its id.
pub async fn add(state: &AppState, path: &Path, kind: Kind) -> Result<KeyTag, NotTaken> {
    let (mut tx, mut file) = hold(state, path).await?;
    let tag = file.ring_mut(kind).add(&state.clock).ok_or_else(|| {
        let other = file.ring(kind).other().map(|key| key.tag.to_string());
        NotTaken::Refused(format!(
            "There are two {kind} keys already, one of them on its way: finish with {} first (activate or drop it).",
            other.unwrap_or_default(),
            kind = kind.as_str()
        ))
    })?;
    write(state, &mut tx, &file, path, "secrets.added", kind, tag).await?;
    tx.commit().await?;
    Ok(tag)
}

/// Makes the other key the one for everything new. Refused while a running process has not read it, unless `force`d.
pub async fn activate(
    state: &AppState,
    path: &Path,
    kind: Kind,
    tag: KeyTag,
    force: bool,
) -> Result<(), NotTaken> {
    let (mut tx, mut file) = hold(state, path).await?;
    if file.ring(kind).active().tag == tag {
        return Ok(());
    }
    let without = lacking(state, &mut tx, |holder| {
        holder.keys.split(' ').any(|known| known == tag.to_string())
    })
    .await?;
    if !without.is_empty() && !force {
        return Err(NotTaken::Refused(format!(
            "{} running process(es) have not read this key yet: {}. Give them this key file and wait a second; with --force what \
             they are asked for and was made under the new key is refused until they have it.",
            without.len(),
            without.join(", ")
        )));
    }
    if !file.ring_mut(kind).activate(tag) {
        return Err(unknown(kind, tag));
    }
    write(state, &mut tx, &file, path, "secrets.activated", kind, tag).await?;
    Ok(tx.commit().await?)
}

/// Takes a key that is not active out of the file. Refused while anything hangs on it, unless that is to be ended
/// (`revoke`), and while a running process still uses it for new things.
pub async fn drop_key(
    state: &AppState,
    path: &Path,
    kind: Kind,
    tag: KeyTag,
    revoke: bool,
) -> Result<Vec<Hanging>, NotTaken> {
    let (mut tx, mut file) = hold(state, path).await?;
    let Some(key) = file.ring(kind).by_tag(tag).cloned() else {
        return Err(unknown(kind, tag));
    };
    if file.ring(kind).active().tag == tag {
        return Err(NotTaken::Refused(
            "This key is the active one: activate another first.".to_owned(),
        ));
    }
    let with = lacking(state, &mut tx, |holder| {
        let active = match kind {
            Kind::Vault => &holder.vault,
            Kind::Pepper => &holder.pepper,
        };
        *active != tag.to_string()
    })
    .await?;
    if !with.is_empty() {
        return Err(NotTaken::Refused(format!(
            "{} running process(es) still make new things under this key: {}. Give them this key file first.",
            with.len(),
            with.join(", ")
        )));
    }
    // Counted while the row is held: no key file changes meanwhile, and nobody makes anything under this key any more.
    let hanging = hangs(state, kind, &key).await?;
    if !hanging.is_empty() && !revoke {
        return Err(NotTaken::Refused(refusal(kind, &hanging)));
    }
    if revoke {
        end_all(state, &mut tx, kind, &key).await?;
    }
    file.ring_mut(kind).drop(tag);
    write(state, &mut tx, &file, path, "secrets.dropped", kind, tag).await?;
    tx.commit().await?;
    Ok(hanging)
}

fn refusal(kind: Kind, hanging: &[Hanging]) -> String {
    let lines = hanging
        .iter()
        .map(|it| format!("\n  {:>10}  {}", it.count, it.what));
    let advice = match kind {
        Kind::Vault => "Run `server secrets rewrap`, then drop it again. --revoke gives up what cannot be re-wrapped.",
        Kind::Pepper => {
            "Wait until they are renewed or over, then drop it again. --revoke ends them now: keys stop, consents end, people \
             choose new passwords by letter."
        }
    };
    format!("This key is still needed:{}\n{advice}", lines.collect::<String>())
}

/// What still needs a key.
async fn hangs(state: &AppState, kind: Kind, key: &FileKey) -> Result<Vec<Hanging>, NotTaken> {
    let all = match kind {
        Kind::Vault => rewrap::under(state, key).await?,
        Kind::Pepper => on_pepper(state, key).await?,
    };
    Ok(all.into_iter().filter(|it| it.count > 0).collect())
}

async fn on_pepper(state: &AppState, key: &FileKey) -> Result<Vec<Hanging>, DbError> {
    let now = state.clock.now();
    let mut tx = state.db.read().await?;
    let mut all = Vec::new();
    let bound = bound(key);
    for kind in &census::SECRETS {
        all.push(Hanging {
            count: tx.count_on_pepper(kind, &bound, key.first, now).await?,
            what: format!("{}: {}", kind.name, kind.goes),
        });
    }
    all.push(Hanging {
        count: tx.count_passwords_on(&prefix(key)).await?,
        what: "passwords: hashed anew when their people sign in next".to_owned(),
    });
    if key.first {
        for (what, count) in tx.count_former_names(now).await? {
            all.push(Hanging {
                what: what.to_owned(),
                count,
            });
        }
    }
    Ok(all)
}

async fn end_all(
    state: &AppState,
    tx: &mut Tx,
    kind: Kind,
    key: &FileKey,
) -> Result<(), DbError> {
    let now = state.clock.now();
    if kind == Kind::Vault {
        return Ok(());
    }
    loop {
        let rows = tx
            .consents_on_pepper(&bound(key), key.first, now, BATCH)
            .await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            tx.end_consent(row.id, now, now).await?;
            match consents::revoke_at_provider(state, tx, &row).await {
                Ok(()) => {}
                Err(Failure::Database(error)) => return Err(error),
                Err(error) => {
                    tracing::warn!(consent = %row.id, %error, "the bank of a revoked consent could not be told");
                }
            }
        }
    }
    for digests in &census::SECRETS {
        tx.end_on_pepper(digests, &bound(key), key.first, now).await?;
    }
    tx.clear_passwords_on(&prefix(key)).await?;
    Ok(())
}

/// What the statements of the census are bound to.
fn bound(key: &FileKey) -> Vec<u8> {
    key.tag.0.to_vec()
}

fn prefix(key: &FileKey) -> String {
    if key.first {
        String::new()
    } else {
        format!("{}:", key.tag)
    }
}

/// The running processes for which something does not hold.
async fn lacking(
    state: &AppState,
    tx: &mut Tx,
    holds: impl Fn(&HolderRow) -> bool,
) -> Result<Vec<String>, DbError> {
    let holders = tx.key_holders(state.clock.now() - HEARD).await?;
    let lacking = holders.iter().filter(|holder| !holds(holder));
    Ok(lacking.map(|holder| holder.process.to_string()).collect())
}

/// A transaction that holds the key file against other commands, and the file.
async fn hold(state: &AppState, path: &Path) -> Result<(Tx, KeyFile), NotTaken> {
    let mut tx = state.db.write().await?;
    tx.hold_meta(HELD).await?;
    Ok((tx, read(path)?))
}

fn read(path: &Path) -> Result<KeyFile, NotTaken> {
    KeyFile::read(path)?
        .ok_or_else(|| NotTaken::Refused(format!("There is no key file at {}.", path.display())))
}

/// Writes the act down, then the file: an act that is written down and did not happen is seen, one that happened and is
/// not written down would not be.
async fn write(
    state: &AppState,
    tx: &mut Tx,
    file: &KeyFile,
    path: &Path,
    action: &'static str,
    kind: Kind,
    tag: KeyTag,
) -> Result<(), NotTaken> {
    let detail = json!({ "kind": kind.as_str() });
    audit(state, tx, &By::operator(), None, action, tag, detail).await?;
    Ok(file.replace(path)?)
}

fn unknown(kind: Kind, tag: KeyTag) -> NotTaken {
    NotTaken::Refused(format!(
        "There is no {} key {tag} beside the active one: `server secrets list` shows them.",
        kind.as_str()
    ))
}
