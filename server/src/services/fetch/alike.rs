//! Transactions as the bank shows them and as they are kept, and when two of them are one.

use chrono::Duration;

use super::Fetch;
use crate::services::data::{self, TransactionDetails, transaction_place};
use crate::storage::transactions::TransactionRow;
use crate::text::fold;

/// How long after a pending entry its booking may come to still be taken for the same one.
const BOOKS_WITHIN: Duration = Duration::days(14);

/// A transaction as the bank shows it, not sealed yet.
pub struct Shown {
    pub row: TransactionRow,
    pub details: TransactionDetails,
    /// Whether the bank says of which day it is.
    pub dated: bool,
}

/// A transaction as it is kept, opened.
pub struct Kept {
    pub row: TransactionRow,
    pub details: TransactionDetails,
}

/// A row with its details; `None` if they do not open.
pub fn opened(fetch: &Fetch<'_>, row: TransactionRow) -> Option<Kept> {
    let place = transaction_place(row.consent_id, &row.utx);
    let details = data::open(fetch.state, &place, &row.sealed).ok()?;
    Some(Kept { row, details })
}

/// What two transactions have in common that are one, whatever ids they have.
pub fn look(row: &TransactionRow, details: &TransactionDetails) -> String {
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

/// Whether one entry has the looks of another's booking: same money, in time, and the other side or a reference in
/// common. Where a bank names neither, nothing is claimed: a withdrawal is no rent.
pub fn is_booking_of(item: &Shown, pending: &Kept) -> bool {
    let (row, old) = (&item.row, &pending.row);
    let name = |details: &TransactionDetails| details.merchant.as_deref().map(fold);
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
