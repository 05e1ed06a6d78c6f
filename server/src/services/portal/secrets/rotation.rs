//! Rotation by command, in steps that an operator takes one after the other: add, distribute, activate, (re-wrap,) drop.
//! Each is refused while a running process could not follow it, or while something would be lost.
//!
//! The commands write the key file; which processes have read what, and what still hangs on a key, the database says.

use std::path::Path;

use app::domain::session::EndedBy;
use chrono::Duration;
use kernel::crypto::KeyTag;
use kernel::crypto::file::{FileKey, KeyFile, KeyPurpose, SecretsError};
use serde_json::json;

use super::rewrap::{self, KeyDependents};
use crate::security::SecurityEvent;
use crate::services::consents;
use crate::services::portal::audit::{AuditActor, audit};
use crate::services::refusal::ApiError;
use crate::state::AppState;
use crate::storage::data_keys::HolderRow;
use crate::storage::{DbError, Tx, census};

/// Time after which a process that was not heard of counts as ended.
pub const HEARD: Duration = Duration::seconds(60);
/// Consents ended in one transaction.
const BATCH: i64 = 100;
/// Key of the `meta` row that names the key file the database was made with; the row is locked while the file is
/// changed.
const HELD: &str = "secrets_id";

/// Reason why a step was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum KeyStepError {
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error("the database does not answer: {0}")]
    Database(#[from] DbError),
    /// The step is refused; the text says why, and what to do.
    #[error("{0}")]
    Refused(String),
}

/// The key file, and what is known about its keys.
pub struct KeyFileOverview {
    pub file: KeyFile,
    /// For each key: its kind, its tag, and what still needs it.
    pub hanging: Vec<(KeyPurpose, KeyTag, Vec<KeyDependents>)>,
    pub holders: Vec<HolderRow>,
}

/// Shows the keys, what hangs on each, and which running process has read which.
pub async fn list(state: &AppState, path: &Path) -> Result<KeyFileOverview, KeyStepError> {
    let file = read(path)?;
    let mut tx = state.db.read().await?;
    let holders = tx.key_holders(state.clock.now() - HEARD).await?;
    drop(tx);
    let mut hanging = Vec::new();
    for kind in [KeyPurpose::Vault, KeyPurpose::Pepper] {
        for key in file.ring(kind).all() {
            hanging.push((kind, key.tag, hangs(state, kind, key).await?));
        }
    }
    Ok(KeyFileOverview {
        file,
        hanging,
        holders,
    })
}

/// Adds a new key beside the active one: understood from now on, used for nothing yet. Answers its id.
pub async fn add(state: &AppState, path: &Path, kind: KeyPurpose) -> Result<KeyTag, KeyStepError> {
    let (mut tx, mut file) = hold(state, path).await?;
    let tag = file.ring_mut(kind).add(&state.clock).ok_or_else(|| {
        let other = file.ring(kind).other().map(|key| key.tag.to_string());
        KeyStepError::Refused(format!(
            "There are two {kind} keys already, one of them on its way: finish with {} first (activate or drop it).",
            other.unwrap_or_default(),
            kind = kind.as_str()
        ))
    })?;
    write(
        state,
        &mut tx,
        &file,
        path,
        SecurityEvent::SecretsAdded,
        kind,
        tag,
    )
    .await?;
    tx.commit().await?;
    Ok(tag)
}

/// Makes the other key the one for everything new. Refused while a running process has not read it, unless `force`d.
pub async fn activate(
    state: &AppState,
    path: &Path,
    kind: KeyPurpose,
    tag: KeyTag,
    force: bool,
) -> Result<(), KeyStepError> {
    let (mut tx, mut file) = hold(state, path).await?;
    if file.ring(kind).active().tag == tag {
        return Ok(());
    }
    let without = lacking(state, &mut tx, |holder| {
        holder.keys.split(' ').any(|known| known == tag.to_string())
    })
    .await?;
    if !without.is_empty() && !force {
        return Err(KeyStepError::Refused(format!(
            "{} running process(es) have not read this key yet: {}. Give them this key file and wait a second; with --force what \
             they are asked for and was made under the new key is refused until they have it.",
            without.len(),
            without.join(", ")
        )));
    }
    if !file.ring_mut(kind).activate(tag) {
        return Err(unknown(kind, tag));
    }
    write(
        state,
        &mut tx,
        &file,
        path,
        SecurityEvent::SecretsActivated,
        kind,
        tag,
    )
    .await?;
    Ok(tx.commit().await?)
}

/// Takes a key that is not active out of the file. Refused while anything hangs on it, unless that is to be ended
/// (`revoke`), and while a running process still uses it for new things.
pub async fn drop_key(
    state: &AppState,
    path: &Path,
    kind: KeyPurpose,
    tag: KeyTag,
    revoke: bool,
) -> Result<Vec<KeyDependents>, KeyStepError> {
    let mut ended = None;
    if revoke && kind == KeyPurpose::Pepper {
        ended = Some(end_all(state, path, kind, tag).await?);
    }
    let (mut tx, mut file, key) = droppable(state, path, kind, tag).await?;
    // Counted while the row is held: no key file changes meanwhile, and nobody makes anything under this key any more.
    let hanging = hangs(state, kind, &key).await?;
    if !hanging.is_empty() && !revoke {
        return Err(KeyStepError::Refused(refusal(kind, &hanging)));
    }
    file.ring_mut(kind).drop(tag);
    write(
        state,
        &mut tx,
        &file,
        path,
        SecurityEvent::SecretsDropped,
        kind,
        tag,
    )
    .await?;
    tx.commit().await?;
    Ok(ended.unwrap_or(hanging))
}

/// The key to drop, while the key file is held for it: one that is not active, and that no process uses for anything new.
async fn droppable(
    state: &AppState,
    path: &Path,
    kind: KeyPurpose,
    tag: KeyTag,
) -> Result<(Tx, KeyFile, FileKey), KeyStepError> {
    let (mut tx, file) = hold(state, path).await?;
    let Some(key) = file.ring(kind).by_tag(tag).cloned() else {
        return Err(unknown(kind, tag));
    };
    if file.ring(kind).active().tag == tag {
        return Err(KeyStepError::Refused(
            "This key is the active one: activate another first.".to_owned(),
        ));
    }
    let with = lacking(state, &mut tx, |holder| {
        let active = match kind {
            KeyPurpose::Vault => &holder.vault,
            KeyPurpose::Pepper => &holder.pepper,
        };
        *active != tag.to_string()
    })
    .await?;
    if !with.is_empty() {
        return Err(KeyStepError::Refused(format!(
            "{} running process(es) still make new things under this key: {}. Give them this key file first.",
            with.len(),
            with.join(", ")
        )));
    }
    Ok((tx, file, key))
}

fn refusal(kind: KeyPurpose, hanging: &[KeyDependents]) -> String {
    let lines = hanging
        .iter()
        .map(|it| format!("\n  {:>10}  {}", it.count, it.what));
    let advice = match kind {
        KeyPurpose::Vault => {
            "Run `server secrets rewrap`, then drop it again. --revoke gives up what cannot be re-wrapped."
        }
        KeyPurpose::Pepper => {
            "Wait until they are renewed or over, then drop it again. --revoke ends them now: keys stop, consents end, people \
             choose new passwords by letter."
        }
    };
    format!(
        "This key is still needed:{}\n{advice}",
        lines.collect::<String>()
    )
}

/// Returns what still needs a key, without the kinds of which there is none.
async fn hangs(
    state: &AppState,
    kind: KeyPurpose,
    key: &FileKey,
) -> Result<Vec<KeyDependents>, KeyStepError> {
    let all = match kind {
        KeyPurpose::Vault => rewrap::under(state, key).await?,
        KeyPurpose::Pepper => on_pepper(state, key).await?,
    };
    Ok(all.into_iter().filter(|it| it.count > 0).collect())
}

async fn on_pepper(state: &AppState, key: &FileKey) -> Result<Vec<KeyDependents>, DbError> {
    let now = state.clock.now();
    let mut tx = state.db.read().await?;
    let mut all = Vec::new();
    let bound = bound(key);
    for kind in &census::SECRETS {
        all.push(KeyDependents {
            count: tx.count_on_pepper(kind, &bound, key.first, now).await?,
            what: format!("{}: {}", kind.name, kind.goes),
        });
    }
    all.push(KeyDependents {
        count: tx.count_passwords_on(&prefix(key)).await?,
        what: "passwords: hashed anew when their people sign in next".to_owned(),
    });
    if key.first {
        for (what, count) in tx.count_former_names(now).await? {
            all.push(KeyDependents {
                what: what.to_owned(),
                count,
            });
        }
    }
    Ok(all)
}

/// Ends what hangs on a pepper, a batch in a transaction, so that nobody waits long for the writer; answers what there was.
/// Each batch makes sure anew that the key may be dropped. Broken off at any point, it goes on with what is left when it is
/// begun again.
async fn end_all(
    state: &AppState,
    path: &Path,
    kind: KeyPurpose,
    tag: KeyTag,
) -> Result<Vec<KeyDependents>, KeyStepError> {
    let (mut tx, _, key) = droppable(state, path, kind, tag).await?;
    let hanging = hangs(state, kind, &key).await?;
    // Written down before anything ends: what is broken off was begun by somebody.
    let left: u64 = hanging
        .iter()
        .filter_map(|it| u64::try_from(it.count).ok())
        .sum();
    let detail = json!({ "kind": kind.as_str(), "step": "ends what hangs on it", "left": left });
    let action = SecurityEvent::SecretsDropped;
    audit(
        state,
        &mut tx,
        &AuditActor::operator(),
        None,
        action,
        tag,
        detail,
    )
    .await?;
    tx.commit().await?;
    loop {
        let (mut tx, _, key) = droppable(state, path, kind, tag).await?;
        let ended = end_consents(state, &mut tx, &key).await?;
        tx.commit().await?;
        if ended == 0 {
            break;
        }
    }
    for digests in &census::SECRETS {
        let (mut tx, _, key) = droppable(state, path, kind, tag).await?;
        let now = state.clock.now();
        tx.end_on_pepper(digests, &bound(&key), key.first, now)
            .await?;
        tx.commit().await?;
    }
    let (mut tx, _, key) = droppable(state, path, kind, tag).await?;
    tx.clear_passwords_on(&prefix(&key)).await?;
    tx.commit().await?;
    Ok(hanging)
}

/// Ends some of the consents that hang on a pepper, and says how many.
async fn end_consents(state: &AppState, tx: &mut Tx, key: &FileKey) -> Result<usize, DbError> {
    let now = state.clock.now();
    let rows = tx
        .consents_on_pepper(&bound(key), key.first, now, BATCH)
        .await?;
    for row in &rows {
        tx.end_consent(row.id, now, now, EndedBy::Tenant).await?;
        match consents::revoke_at_provider(state, tx, row).await {
            Ok(()) => {}
            Err(ApiError::Database(error)) => return Err(error),
            Err(error) => {
                tracing::warn!(consent = %row.id, %error, "the bank of a revoked consent could not be told");
            }
        }
    }
    Ok(rows.len())
}

/// Returns the value that the census statements bind for a key: the bytes of its tag.
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
async fn hold(state: &AppState, path: &Path) -> Result<(Tx, KeyFile), KeyStepError> {
    let mut tx = state.db.write().await?;
    tx.hold_meta(HELD).await?;
    Ok((tx, read(path)?))
}

fn read(path: &Path) -> Result<KeyFile, KeyStepError> {
    KeyFile::read(path)?.ok_or_else(|| {
        KeyStepError::Refused(format!("There is no key file at {}.", path.display()))
    })
}

/// Writes the act down, then the file: an act that is written down and did not happen is seen, one that happened and is
/// not written down would not be.
async fn write(
    state: &AppState,
    tx: &mut Tx,
    file: &KeyFile,
    path: &Path,
    action: SecurityEvent,
    kind: KeyPurpose,
    tag: KeyTag,
) -> Result<(), KeyStepError> {
    let detail = json!({ "kind": kind.as_str() });
    audit(
        state,
        tx,
        &AuditActor::operator(),
        None,
        action,
        tag,
        detail,
    )
    .await?;
    Ok(file.replace(path)?)
}

fn unknown(kind: KeyPurpose, tag: KeyTag) -> KeyStepError {
    KeyStepError::Refused(format!(
        "There is no {} key {tag} beside the active one: `server secrets list` shows them.",
        kind.as_str()
    ))
}
