//! What the bank no longer shows. Nothing is taken out beyond the days that the answer covers, and an answer that takes
//! much away is believed only once a later one says the same: a bank that is ill answers with an empty list, too.

use std::collections::{HashMap, HashSet};

use app::domain::ids::{AccountId, TransactionId};
use chrono::{DateTime, Utc};

use super::changes::Changes;
use super::{Broke, CONFIRMED_AFTER, Fetch, RECENT, midnight_before};
use crate::services::utx::Met;
use crate::storage::transactions::{Newest, TransactionRow};

/// Rows looked at, or taken out, in one transaction, so that nobody waits long for the writer.
const CHUNK: i64 = 1_000;
/// Fewer that are gone than this are nothing unusual.
const FEW: usize = 5;
/// More of all that were there than one in so many.
const SHARE: usize = 5;

/// What an answer showed of an account.
pub struct Answer<'a> {
    pub account: AccountId,
    /// The oldest booking of it.
    pub oldest: Option<DateTime<Utc>>,
    /// Whether there was any entry at all.
    pub anything: bool,
    pub met: &'a Met,
    /// Bookings that are new with it.
    pub added: usize,
    /// Pending entries that it no longer has.
    pub pending: Vec<TransactionRow>,
}

/// The rows that are gone, and how many there were before.
struct Gone {
    ids: HashSet<TransactionId>,
    before: usize,
}

/// Takes out what is gone, or waits for a later answer to confirm it.
pub async fn settle(fetch: &Fetch<'_>, answer: Answer<'_>) -> Result<(), Broke> {
    let from = covered(fetch, answer.oldest);
    let mut gone = booked(fetch, &answer, from).await?;
    let mut pending = answer.pending;
    let nothing = !answer.anything && (gone.before > 0 || !pending.is_empty());
    let no_booking = answer.oldest.is_none() && gone.before > 0;
    let much = gone.ids.len() >= FEW && gone.ids.len() * SHARE > gone.before;
    let mut tx = fetch.state.db.read().await?;
    let missing: HashMap<_, _> = tx
        .missing_transactions(answer.account)
        .await?
        .into_iter()
        .collect();
    drop(tx);
    let mut held = Vec::new();
    if nothing || no_booking || much {
        let now = fetch.state.clock.now();
        let confirmed = |id: &TransactionId| {
            let since = missing.get(id);
            since.is_some_and(|since| now - *since >= CONFIRMED_AFTER)
        };
        held.extend(gone.ids.iter().copied().filter(|id| !confirmed(id)));
        gone.ids.retain(|id| confirmed(id));
        if nothing {
            let waits = |row: &TransactionRow| !confirmed(&row.id);
            held.extend(pending.iter().filter(|row| waits(row)).map(|row| row.id));
            pending.retain(|row| !waits(row));
        }
    }
    mark(fetch, &missing, held).await?;
    take_out(fetch, pending).await?;
    if gone.ids.is_empty() {
        return Ok(());
    }
    remove_booked(fetch, answer.account, from, |row| {
        !gone.ids.contains(&row.id)
    })
    .await
}

/// The first day of which an answer tells: what was asked for, and no more than what was shown. Banks forget what is old,
/// and some give less than they are asked for.
fn covered(fetch: &Fetch<'_>, oldest: Option<DateTime<Utc>>) -> DateTime<Utc> {
    match (fetch.from, oldest) {
        (Some(from), Some(oldest)) => from.max(oldest),
        (None, Some(oldest)) => oldest,
        (Some(from), None) => from,
        (None, None) => midnight_before(fetch.state.clock.now() - RECENT),
    }
}

/// The bookings of the days covered that the answer does not have.
async fn booked(
    fetch: &Fetch<'_>,
    answer: &Answer<'_>,
    from: DateTime<Utc>,
) -> Result<Gone, Broke> {
    let (mut ids, mut count, mut after) = (HashSet::new(), 0_usize, None);
    loop {
        let mut tx = fetch.state.db.read().await?;
        let rows = tx
            .booked_transactions(answer.account, from, after, CHUNK)
            .await?;
        drop(tx);
        let Some(last) = rows.last() else {
            break;
        };
        after = Some(Newest {
            booked_at: last.booked_at,
            id: last.id,
        });
        count += rows.len();
        let gone = rows.iter().filter(|row| !answer.met.knows(&row.utx));
        ids.extend(gone.map(|row| row.id));
    }
    Ok(Gone {
        ids,
        before: count.saturating_sub(answer.added),
    })
}

/// Notes what waits, and forgets of the rest that it did.
async fn mark(
    fetch: &Fetch<'_>,
    missing: &HashMap<TransactionId, DateTime<Utc>>,
    held: Vec<TransactionId>,
) -> Result<(), Broke> {
    let waits: HashSet<_> = held.iter().copied().collect();
    let back: Vec<_> = missing
        .keys()
        .copied()
        .filter(|id| !waits.contains(id))
        .collect();
    if !held.is_empty() {
        fetch.suspects();
    }
    if held.is_empty() && back.is_empty() {
        return Ok(());
    }
    let now = fetch.state.clock.now();
    let mut tx = fetch.write().await?;
    tx.mark_missing(&held, now).await?;
    tx.unmark_missing(&back).await?;
    Ok(tx.commit().await?)
}

/// Takes all transactions of an account out.
pub async fn empty(fetch: &Fetch<'_>, account: AccountId) -> Result<(), Broke> {
    let mut tx = fetch.state.db.read().await?;
    let pending = tx.pending_transactions(fetch.consent.id, account).await?;
    drop(tx);
    take_out(fetch, pending).await?;
    remove_booked(fetch, account, DateTime::UNIX_EPOCH, |_| false).await
}

async fn take_out(fetch: &Fetch<'_>, gone: Vec<TransactionRow>) -> Result<(), Broke> {
    if gone.is_empty() {
        return Ok(());
    }
    let mut tx = fetch.write().await?;
    Changes::without(gone).write(fetch, &mut tx).await?;
    Ok(tx.commit().await?)
}

/// Takes an account's booked transactions from a time on out, but for those that stay.
async fn remove_booked(
    fetch: &Fetch<'_>,
    account: AccountId,
    from: DateTime<Utc>,
    stays: impl Fn(&TransactionRow) -> bool,
) -> Result<(), Broke> {
    let mut after = None;
    loop {
        let mut tx = fetch.state.db.read().await?;
        let rows = tx.booked_transactions(account, from, after, CHUNK).await?;
        drop(tx);
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = Some(Newest {
            booked_at: last.booked_at,
            id: last.id,
        });
        take_out(fetch, rows.into_iter().filter(|row| !stays(row)).collect()).await?;
    }
}
