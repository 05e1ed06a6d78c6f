//! Changes of transactions as sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use uuid::Uuid;

use super::transactions::Transaction;
use super::{BankBudget, Time, Unreadable, freshness};
use crate::services::consents::sync::{SyncChanges, TransactionRow};

/// Changes since a cursor. Put `added` and `modified` over what you have of the same `id`, take out `removed`, and
/// store `next_cursor` with it, all in one transaction.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TransactionChanges {
    /// New since the cursor.
    pub added: Vec<Transaction>,
    /// Changed since the cursor, as they are now: a pending one that was booked, say.
    pub modified: Vec<Transaction>,
    /// No longer shown by the bank.
    pub removed: Vec<RemovedTransaction>,
    /// Good for a year. Send it as `cursor` next time, also when nothing has changed.
    pub next_cursor: String,
    /// `true` if there are more changes already: ask again at once.
    pub has_more: bool,
    /// Time the data was fetched from the bank.
    pub as_of: Time,
    /// `cache`, or `bank` if it was fetched for this very call.
    #[schema(value_type = String)]
    pub served_from: &'static str,
    pub bank_budget: Option<BankBudget>,
    /// `current`, or `suspect` while the bank's last answer took so much away that it waits for a later one to confirm it:
    /// nothing is in `removed` before.
    #[schema(value_type = String)]
    pub freshness: &'static str,
    /// Entries of the bank's that could not be read. They are kept, and come as `added` once they can be.
    pub unreadable: Vec<Unreadable>,
}

/// A transaction that is no longer there.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RemovedTransaction {
    pub id: Uuid,
    pub utx_id: String,
    pub account_id: Uuid,
}

impl From<SyncChanges> for TransactionChanges {
    fn from(changes: SyncChanges) -> Self {
        Self {
            added: changes.added.into_iter().map(Into::into).collect(),
            modified: changes.modified.into_iter().map(Into::into).collect(),
            removed: changes.removed.into_iter().map(Into::into).collect(),
            next_cursor: changes.next_cursor,
            has_more: changes.has_more,
            as_of: Time(changes.fresh.as_of),
            served_from: changes.fresh.served_from.as_str(),
            bank_budget: changes.fresh.budget.map(Into::into),
            freshness: freshness(changes.fresh),
            unreadable: changes.unreadable.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<TransactionRow> for RemovedTransaction {
    fn from(row: TransactionRow) -> Self {
        Self {
            id: row.id.0,
            utx_id: STANDARD.encode(&row.utx.0),
            account_id: row.account_id.0,
        }
    }
}
