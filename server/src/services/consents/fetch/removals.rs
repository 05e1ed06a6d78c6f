//! What the bank no longer shows. Nothing is taken out beyond the days that the answer covers, and an answer that takes
//! much away is believed only once a later one says the same: a bank that is ill answers with an empty list, too.

use std::collections::{HashMap, HashSet};

use app::domain::ids::{AccountId, TransactionId};
use chrono::{DateTime, Duration, NaiveDate, NaiveTime, Utc};

use super::changes::ChangeSet;
use super::{CONFIRMED_AFTER, Fetch, FetchError, RECENT, midnight_before};
use crate::services::consents::utx::SeenTransactions;
use crate::storage::transactions::{TransactionPosition, TransactionRow};

/// Rows looked at, or taken out, in one transaction, so that nobody waits long for the writer.
const CHUNK: i64 = 1_000;
/// Fewest bookings gone that count as many.
const FEW: usize = 5;
/// Divisor of the bookings stored before: more of them gone than this part count as many.
const SHARE: usize = 5;
/// Fewest bookings gone that count as many if they are more than half of all.
const HALF: usize = 2;
/// A time before every booking.
const EARLIEST: DateTime<Utc> = match NaiveDate::from_ymd_opt(1, 1, 1) {
    Some(day) => day.and_time(NaiveTime::MIN).and_utc(),
    None => DateTime::UNIX_EPOCH,
};

/// Summary of what an answer showed of an account.
pub struct ListingSummary<'a> {
    pub account: AccountId,
    /// The oldest booking of it.
    pub oldest: Option<DateTime<Utc>>,
    /// `true` if there was any entry at all.
    pub anything: bool,
    /// `true` if the bank's list came to its end.
    pub complete: bool,
    /// Entries that cannot be read, each of which may be any that is missing.
    pub unnamed: usize,
    pub seen: &'a SeenTransactions,
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

impl Gone {
    fn is_much(&self) -> bool {
        self.ids.len() >= FEW && self.ids.len() * SHARE > self.before
    }

    fn is_most(&self) -> bool {
        self.ids.len() >= HALF && self.ids.len() * 2 > self.before
    }
}

/// Takes out what is gone, or waits for a later answer to confirm it.
pub async fn settle(fetch: &Fetch<'_>, answer: ListingSummary<'_>) -> Result<(), FetchError> {
    if !answer.complete {
        fetch.suspects();
        return Ok(());
    }
    let from = covered(fetch, &answer).await?;
    let mut gone = booked(fetch, &answer, from).await?;
    let mut pending = answer.pending;
    if (1..=answer.unnamed).contains(&(gone.ids.len() + pending.len())) {
        fetch.suspects();
        gone.ids.clear();
        pending.clear();
    }
    let nothing = !answer.anything && (gone.before > 0 || !pending.is_empty());
    let no_booking = answer.oldest.is_none() && gone.before > 0;
    let much = gone.is_most() || gone.is_much();
    let mut tx = fetch.state.db.read().await?;
    let missing: HashMap<_, _> = tx
        .missing_transactions(answer.account)
        .await?
        .into_iter()
        .collect();
    drop(tx);
    let mut held = Vec::new();
    if nothing || no_booking || much {
        let now = fetch.now();
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
/// and some give less than they are asked for. A list that is cut short may be cut in the middle of its last day.
async fn covered(
    fetch: &Fetch<'_>,
    answer: &ListingSummary<'_>,
) -> Result<DateTime<Utc>, FetchError> {
    let Some(oldest) = answer.oldest else {
        let recent = || midnight_before(fetch.now() - RECENT);
        return Ok(fetch.from.unwrap_or_else(recent));
    };
    let asked = fetch.from.unwrap_or(EARLIEST);
    let mut tx = fetch.state.db.read().await?;
    let first = tx
        .booked_transactions(answer.account, asked, None, 1)
        .await?;
    drop(tx);
    let is_cut = first.first().is_some_and(|row| row.booked_at < oldest);
    Ok(if is_cut {
        oldest + Duration::days(1)
    } else {
        asked.max(oldest)
    })
}

/// The bookings of the days covered that the answer does not have.
async fn booked(
    fetch: &Fetch<'_>,
    answer: &ListingSummary<'_>,
    from: DateTime<Utc>,
) -> Result<Gone, FetchError> {
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
        after = Some(TransactionPosition {
            booked_at: last.booked_at,
            id: last.id,
        });
        count += rows.len();
        let gone = rows.iter().filter(|row| !answer.seen.knows(&row.utx));
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
) -> Result<(), FetchError> {
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
    let now = fetch.now();
    let mut tx = fetch.write().await?;
    tx.mark_missing(&held, now).await?;
    tx.unmark_missing(&back).await?;
    Ok(tx.commit().await?)
}

/// Takes all transactions of an account out.
pub async fn empty(fetch: &Fetch<'_>, account: AccountId) -> Result<(), FetchError> {
    let mut tx = fetch.state.db.read().await?;
    let pending = tx.pending_transactions(fetch.consent.id, account).await?;
    drop(tx);
    take_out(fetch, pending).await?;
    remove_booked(fetch, account, EARLIEST, |_| false).await
}

async fn take_out(fetch: &Fetch<'_>, gone: Vec<TransactionRow>) -> Result<(), FetchError> {
    if gone.is_empty() {
        return Ok(());
    }
    let mut tx = fetch.write().await?;
    ChangeSet::without(gone).write(fetch, &mut tx).await?;
    Ok(tx.commit().await?)
}

/// Takes an account's booked transactions from a time on out, but for those that stay.
async fn remove_booked(
    fetch: &Fetch<'_>,
    account: AccountId,
    from: DateTime<Utc>,
    stays: impl Fn(&TransactionRow) -> bool,
) -> Result<(), FetchError> {
    let mut after = None;
    loop {
        let mut tx = fetch.state.db.read().await?;
        let rows = tx.booked_transactions(account, from, after, CHUNK).await?;
        drop(tx);
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = Some(TransactionPosition {
            booked_at: last.booked_at,
            id: last.id,
        });
        take_out(fetch, rows.into_iter().filter(|row| !stays(row)).collect()).await?;
    }
}
