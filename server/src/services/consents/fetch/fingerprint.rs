//! Transactions as the bank shows them and as they are stored, and the fingerprint by which two of them are one.

use chrono::Duration;

use super::Fetch;
use crate::aad;
use crate::services::consents::sealed::{self, StoredTransactionDetails};
use crate::storage::transactions::TransactionRow;
use crate::text::fold;

/// Longest time between a pending entry and a booking that is still taken for the same transaction.
const BOOKS_WITHIN: Duration = Duration::days(14);

/// A transaction as the bank shows it, not sealed yet.
pub struct ObservedTransaction {
    pub row: TransactionRow,
    pub details: StoredTransactionDetails,
    /// `true` if the bank gives the entry's date.
    pub dated: bool,
}

/// A transaction as it is kept, opened.
pub struct StoredTransaction {
    pub row: TransactionRow,
    pub details: StoredTransactionDetails,
}

/// A row with its details; `None` if they do not open.
pub fn opened(fetch: &Fetch<'_>, row: TransactionRow) -> Option<StoredTransaction> {
    let place = aad::transaction(row.consent_id, &row.utx);
    let details = sealed::open(fetch.state, &place, &row.sealed).ok()?;
    Some(StoredTransaction { row, details })
}

/// Returns the text that two rows of one transaction have in common, whatever their ids.
pub fn fingerprint(row: &TransactionRow, details: &StoredTransactionDetails) -> String {
    let text = |text: &Option<String>| fold(text.as_deref().unwrap_or_default());
    let day = details.value_date.map(|day| day.to_string());
    format!(
        "{}|{}|{}|{}|{}|{}|{}|{}",
        row.status,
        row.credit_debit,
        details.amount,
        row.currency,
        row.booked_at,
        day.unwrap_or_default(),
        text(&details.merchant),
        text(&details.info)
    )
}

/// Returns `true` if an entry looks like the booking of a pending one: same amount, within `BOOKS_WITHIN`, and the
/// other side or a reference in common. Where a bank names neither, the two are not matched: a withdrawal is not a
/// rent.
pub fn is_booking_of(item: &ObservedTransaction, pending: &StoredTransaction) -> bool {
    let (row, old) = (&item.row, &pending.row);
    let name = |details: &StoredTransactionDetails| details.merchant.as_deref().map(fold);
    let same_side = name(&item.details)
        .is_some_and(|own| !own.is_empty() && Some(own) == name(&pending.details));
    let references = &pending.details.references;
    let same_reference = item
        .details
        .references
        .iter()
        .any(|reference| references.contains(reference));
    row.amount == old.amount
        && row.currency == old.currency
        && row.credit_debit == old.credit_debit
        && (same_side || same_reference)
        && (row.booked_at - old.booked_at).abs() <= BOOKS_WITHIN
}
