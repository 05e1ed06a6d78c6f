//! Changes since a cursor: what a client needs to keep a mirror of a consent's transactions, each change once.
//!
//! A cursor is the number of the last change a client has, and when it was given that. Changes come in the order in which
//! they were committed (see [`crate::storage::sync`]), so whoever stores each `next_cursor` misses none and is told none
//! twice, wherever they stopped.

use std::collections::HashMap;

use app::domain::ids::{CredentialsId, TransactionId};
use app::domain::problem::Code;
use app::domain::transaction::ChangeKind;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};

use super::data::{self, Freshness, UnreadableCount};
use super::lifecycle::Credentials;
use super::transactions::{OpenedTransaction, lost, opened};
use crate::services::access::keys::Client;
use crate::services::refusal::{ApiError, FieldProblem, Refusal};
use crate::state::AppState;
use crate::storage::paging::{Paged, one_more};
pub use crate::storage::transactions::TransactionRow;

/// Time for which a cursor can be used (docs/API.md, "Transactions").
const CURSOR_LIFE: Duration = Duration::days(365);
/// Bytes of a cursor's seal. It is no secret: it keeps one consent's cursor from being used with another.
const SEAL: usize = 8;

/// Changes since a cursor.
pub struct SyncChanges {
    pub added: Vec<OpenedTransaction>,
    pub modified: Vec<OpenedTransaction>,
    /// The rows as they were last; their sealed details no longer open.
    pub removed: Vec<TransactionRow>,
    pub next_cursor: String,
    pub has_more: bool,
    pub fresh: Freshness,
    pub unreadable: Vec<UnreadableCount>,
}

/// At most `count` changes after a cursor, or from the beginning on.
pub async fn sync(
    state: &AppState,
    client: &Client,
    credentials: &Credentials,
    cursor: Option<&str>,
    count: i64,
) -> Result<SyncChanges, ApiError> {
    let readable = data::readable(state, client, credentials).await?;
    let consent = readable.consent.id;
    let now = state.now_of(readable.consent.tenant_id);
    let state = &state.for_tenant_alone(readable.consent.tenant_id).await?;
    let after = match cursor {
        Some(cursor) => read_cursor(state, consent, cursor, now)?,
        None => 0,
    };
    let mut tx = state.db.read().await?;
    let rows = tx.changes_after(consent, after, one_more(count)).await?;
    drop(tx);
    let Paged { rows, has_more } = Paged::from_rows(rows, count);
    let last = rows.last().map_or(after, |row| row.change_no);
    let mut changes = SyncChanges {
        added: Vec::new(),
        modified: Vec::new(),
        removed: Vec::new(),
        next_cursor: write_cursor(state, consent, last, now)?,
        has_more,
        fresh: readable.fresh,
        unreadable: data::unreadable(state, &readable).await?,
    };
    for row in folded(rows) {
        match row.change_kind {
            ChangeKind::Added => changes.added.push(opened(state, row)),
            ChangeKind::Modified => changes.modified.push(opened(state, row)),
            ChangeKind::Removed => changes.removed.push(row),
        }
    }
    for items in [&changes.added, &changes.modified] {
        changes.unreadable.extend(lost(consent, items));
    }
    Ok(changes)
}

/// Several changes of one transaction as the one that they come to; in the order of the first.
fn folded(rows: Vec<TransactionRow>) -> Vec<TransactionRow> {
    let mut places: HashMap<TransactionId, usize> = HashMap::new();
    let mut all: Vec<Option<TransactionRow>> = Vec::with_capacity(rows.len());
    for row in rows {
        let place = *places.entry(row.id).or_insert(all.len());
        let Some(slot) = all.get_mut(place) else {
            all.push(Some(row));
            continue;
        };
        let kind = match (slot.as_ref().map(|row| row.change_kind), row.change_kind) {
            // Neither the coming nor the going of what was never seen is news.
            (Some(ChangeKind::Added), ChangeKind::Removed) => None,
            (Some(ChangeKind::Added), _) => Some(ChangeKind::Added),
            (_, later) => Some(later),
        };
        *slot = kind.map(|change_kind| TransactionRow { change_kind, ..row });
    }
    all.into_iter().flatten().collect()
}

fn write_cursor(
    state: &AppState,
    consent: CredentialsId,
    number: i64,
    now: DateTime<Utc>,
) -> Result<String, ApiError> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend(now.timestamp().to_be_bytes());
    let (seal, _) = seals(state, consent, &bytes)?;
    bytes.extend(seal);
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The number of a cursor that is this consent's and not too old.
fn read_cursor(
    state: &AppState,
    consent: CredentialsId,
    text: &str,
    now: DateTime<Utc>,
) -> Result<i64, ApiError> {
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (plain, given) = bytes.split_at_checked(16)?;
        let (today, former) = seals(state, consent, plain).ok()?;
        if given != today && given != former {
            return None;
        }
        let (number, at) = plain.split_at_checked(8)?;
        let number = i64::from_be_bytes(number.try_into().ok()?);
        let at = i64::from_be_bytes(at.try_into().ok()?);
        Some((number, DateTime::from_timestamp(at, 0)?))
    };
    let Some((number, at)) = read() else {
        let expected = "must be the next_cursor of an earlier answer for the same consent";
        let field = FieldProblem::new("cursor", Code::InvalidField, expected);
        return Err(Refusal::new(Code::InvalidField)
            .says("Wrong: cursor.")
            .at(vec![field])
            .into());
    };
    if at + CURSOR_LIFE <= now {
        return Err(Code::CursorExpired.into());
    }
    Ok(number)
}

/// A cursor's seal, under the tenant's data key so that it outlives every pepper; and the one it would have had before
/// there were data keys.
fn seals(
    state: &AppState,
    consent: CredentialsId,
    plain: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), ApiError> {
    let text = format!("{consent}/{}", URL_SAFE_NO_PAD.encode(plain));
    let digest = state.vault.digest(&state.pepper, "sync_cursor", &text)?;
    // A data key's digest begins with its version.
    let today = digest.0.iter().skip(1).take(SEAL).copied().collect();
    let former = digest.other().iter().take(SEAL).copied().collect();
    Ok((today, former))
}
