//! The difference that a fetch makes, as numbered changes.

use app::domain::transaction::ChangeKind;

use super::fingerprint::ObservedTransaction;
use super::{Fetch, FetchError};
use crate::aad;
use crate::services::consents::sealed;
use crate::storage::Tx;
use crate::storage::transactions::TransactionRow;

/// Changes to be written together.
#[derive(Default)]
pub struct ChangeSet {
    /// New rows, and rows as they are now.
    rows: Vec<TransactionRow>,
    /// Rows as they were.
    past: Vec<TransactionRow>,
    pub gone: Vec<TransactionRow>,
}

impl ChangeSet {
    /// The going of rows.
    pub fn without(gone: Vec<TransactionRow>) -> Self {
        Self {
            gone,
            ..Self::default()
        }
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.gone.is_empty()
    }

    pub fn add(&mut self, fetch: &Fetch<'_>, item: ObservedTransaction) -> Result<(), FetchError> {
        self.rows.push(sealed(fetch, item)?);
        Ok(())
    }

    pub fn modify(
        &mut self,
        fetch: &Fetch<'_>,
        item: ObservedTransaction,
        old: &TransactionRow,
    ) -> Result<(), FetchError> {
        self.rows.push(TransactionRow {
            id: old.id,
            inserted_at: old.inserted_at,
            replaces: old.replaces.clone(),
            change_kind: ChangeKind::Modified,
            ..sealed(fetch, item)?
        });
        self.past.push(old.clone());
        Ok(())
    }

    /// Numbers the changes and writes them; the caller's transaction holds the consent's row.
    pub async fn write(mut self, fetch: &Fetch<'_>, tx: &mut Tx) -> Result<(), FetchError> {
        if self.is_empty() {
            return Ok(());
        }
        let count = self.rows.len() + self.gone.len();
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let last = tx.take_changes(fetch.consent.id, count).await?;
        let mut numbers = last - count + 1..=last;
        let ids: Vec<_> = self.gone.iter().map(|row| row.id).collect();
        for row in self.gone {
            self.past.push(TransactionRow {
                change_no: numbers.next().unwrap_or(last),
                change_kind: ChangeKind::Removed,
                sealed: Vec::new(),
                ..row.clone()
            });
            self.past.push(row);
        }
        for row in &mut self.rows {
            row.change_no = numbers.next().unwrap_or(last);
        }
        tx.delete_transactions(&ids).await?;
        tx.put_past_changes(&self.past).await?;
        tx.put_transactions(&self.rows).await?;
        Ok(())
    }
}

fn sealed(fetch: &Fetch<'_>, item: ObservedTransaction) -> Result<TransactionRow, FetchError> {
    let place = aad::transaction(item.row.consent_id, &item.row.utx);
    Ok(TransactionRow {
        sealed: sealed::seal(fetch.state, &place, &item.details)?,
        ..item.row
    })
}
