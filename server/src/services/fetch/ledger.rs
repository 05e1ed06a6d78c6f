//! One account's transactions: what the bank shows now beside what is kept, and the changes that make the one of the
//! other.

use std::collections::{HashMap, HashSet};

use app::domain::ids::{AccountId, TransactionId};
use app::domain::money::Scaled;
use app::domain::transaction::{BookingStatus, ChangeKind};
use chrono::{DateTime, Duration, SubsecRound as _, Utc};

use super::{Broke, Fetch, shapes};
use crate::services::data::{self, TransactionDetails, merchant_key, transaction_place};
use crate::services::utx::Met;
use crate::skills::{BankAccount, BankTransaction, ConnectorError, PageRequest};
use crate::storage::Tx;
use crate::storage::transactions::{Newest, TransactionRow};

/// No account has more pages: a provider that goes on forever is told from one that ends.
const MOST_PAGES: usize = 10_000;
/// Rows taken out in one transaction, so that nobody waits long for the writer.
const CHUNK: i64 = 1_000;
/// How long after a pending entry its booking may come to still be taken for the same one.
const BOOKS_WITHIN: Duration = Duration::days(14);

/// A transaction as the bank shows it, not sealed yet.
struct Shown {
    row: TransactionRow,
    details: TransactionDetails,
    /// Whether the bank says of which day it is.
    dated: bool,
}

/// One account on its way through a fetch.
pub struct Ledger<'a> {
    fetch: &'a Fetch<'a>,
    id: AccountId,
    account: &'a BankAccount,
    /// What was pending before, oldest first.
    waiting: Vec<TransactionRow>,
    met: Met,
    /// New booked entries that may be one of those: what has become of these is known at the end only.
    held: Vec<Shown>,
    /// The oldest booking that the bank shows.
    oldest: Option<DateTime<Utc>>,
}

impl<'a> Ledger<'a> {
    pub async fn open(
        fetch: &'a Fetch<'a>,
        id: AccountId,
        account: &'a BankAccount,
    ) -> Result<Self, Broke> {
        let mut tx = fetch.state.db.read().await?;
        Ok(Self {
            fetch,
            id,
            account,
            waiting: tx.pending_transactions(fetch.consent.id, id).await?,
            met: Met::default(),
            held: Vec::new(),
            oldest: None,
        })
    }

    /// Reads all pages, then settles what is no longer there.
    pub async fn fetch(mut self) -> Result<(), Broke> {
        let mut page = PageRequest::First {
            from: self.fetch.from.map(|from| from.date_naive()),
        };
        for _ in 0..MOST_PAGES {
            let Fetch {
                connector, grant, ..
            } = self.fetch;
            let got = connector
                .transactions(grant, &self.account.id, page)
                .await?;
            self.take(&got.transactions).await?;
            match got.next {
                Some(next) => page = PageRequest::Next(next),
                None => return self.settle().await,
            }
        }
        Err(ConnectorError::BadAnswer("transactions without end").into())
    }

    /// Writes one page: what is new and what differs from what is kept.
    async fn take(&mut self, page: &[BankTransaction]) -> Result<(), Broke> {
        let mut shown = Vec::with_capacity(page.len());
        for transaction in page {
            shown.extend(self.shown(transaction)?);
        }
        if shown.is_empty() {
            return Ok(());
        }
        let mut tx = self.fetch.write().await?;
        let known = self.known(&mut tx, &shown).await?;
        let mut changes = Changes::default();
        for mut item in shown {
            match known.get(&item.row.utx.0) {
                None if self.may_replace(&item.row) => self.held.push(item),
                None => changes.add(self.fetch, item)?,
                Some(old) => {
                    if !item.dated {
                        item.row.booked_at = old.booked_at;
                    }
                    if self.differs(&item, old) {
                        changes.modify(self.fetch, item, old)?;
                    }
                }
            }
        }
        changes.write(self.fetch, &mut tx).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn known(
        &self,
        tx: &mut Tx,
        shown: &[Shown],
    ) -> Result<HashMap<Vec<u8>, TransactionRow>, Broke> {
        let utx: Vec<_> = shown.iter().map(|item| &item.row.utx).collect();
        let rows = tx.transactions_by_utx(self.fetch.consent.id, &utx).await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.utx.0.clone(), row))
            .collect())
    }

    /// A transaction as it would be kept; `None` if this fetch has met the very same before.
    fn shown(&mut self, transaction: &BankTransaction) -> Result<Option<Shown>, Broke> {
        let Fetch { state, consent, .. } = self.fetch;
        let amount = Scaled::try_from(transaction.amount.abs())
            .map_err(|_| ConnectorError::BadAnswer("amount"))?;
        let Some((utx, stability)) =
            self.fetch
                .utx
                .identify(self.account, transaction, &mut self.met)
        else {
            return Ok(None);
        };
        let now = state.clock.now().trunc_subsecs(0);
        let details = shapes::transaction(transaction, stability);
        let day = transaction.booking_date.or(transaction.value_date);
        let booked_at = shapes::midnight(day.unwrap_or_else(|| now.date_naive()));
        if transaction.status == BookingStatus::Booked {
            self.oldest = Some(
                self.oldest
                    .map_or(booked_at, |oldest| oldest.min(booked_at)),
            );
        }
        let merchant = details.merchant.as_deref();
        let row = TransactionRow {
            id: TransactionId(state.clock.id()),
            consent_id: consent.id,
            account_id: self.id,
            utx,
            status: transaction.status,
            credit_debit: shapes::sign(transaction.amount),
            currency: transaction.currency.clone(),
            amount: amount.0,
            booked_at,
            category: transaction.category.clone(),
            merchant: merchant
                .map(|name| merchant_key(state, consent.id, name))
                .transpose()?,
            sealed: Vec::new(),
            inserted_at: now,
            change_no: 0,
            change_kind: ChangeKind::Added,
            replaces: None,
        };
        Ok(Some(Shown {
            row,
            details,
            dated: day.is_some(),
        }))
    }

    /// Whether what is kept is no longer what the bank shows. Details that do not open are written anew.
    fn differs(&self, item: &Shown, old: &TransactionRow) -> bool {
        let row = &item.row;
        let clear = row.account_id == old.account_id
            && row.status == old.status
            && row.credit_debit == old.credit_debit
            && row.currency == old.currency
            && row.amount == old.amount
            && row.booked_at == old.booked_at
            && row.category == old.category;
        let place = transaction_place(row.consent_id, &row.utx);
        let kept = data::open::<TransactionDetails>(self.fetch.state, &place, &old.sealed);
        !clear || !kept.is_ok_and(|kept| kept == item.details)
    }

    /// Whether a new entry may be the booking of one that was pending.
    fn may_replace(&self, row: &TransactionRow) -> bool {
        row.status == BookingStatus::Booked
            && self.waiting.iter().any(|old| is_booking_of(row, old))
    }

    /// At the end of all pages: pending entries that are gone have been booked under another name, or will never be;
    /// booked ones that are gone from the days the bank showed were taken back.
    async fn settle(mut self) -> Result<(), Broke> {
        let waiting = std::mem::take(&mut self.waiting);
        let mut gone: Vec<_> = waiting
            .into_iter()
            .filter(|row| !self.met.knows(&row.utx))
            .collect();
        let mut held = std::mem::take(&mut self.held);
        held.sort_by_key(|item| item.row.booked_at);
        let mut changes = Changes::default();
        let mut taken = HashSet::new();
        for mut item in held {
            let former = gone
                .iter()
                .find(|old| !taken.contains(&old.id) && is_booking_of(&item.row, old));
            if let Some(former) = former {
                taken.insert(former.id);
                item.row.replaces = Some(former.utx.clone());
            }
            changes.add(self.fetch, item)?;
        }
        changes.gone.append(&mut gone);
        if !changes.is_empty() {
            let mut tx = self.fetch.write().await?;
            changes.write(self.fetch, &mut tx).await?;
            tx.commit().await?;
        }
        // Of a whole history, only the days it covers tell: banks forget what is old.
        match self.fetch.from.or(self.oldest) {
            Some(from) => {
                remove_booked(self.fetch, self.id, from, |row| self.met.knows(&row.utx)).await
            }
            None => Ok(()),
        }
    }
}

/// Whether one entry has the looks of another's booking: same money, same other side, and in time.
fn is_booking_of(row: &TransactionRow, pending: &TransactionRow) -> bool {
    row.amount == pending.amount
        && row.currency == pending.currency
        && row.credit_debit == pending.credit_debit
        && row.merchant == pending.merchant
        && (row.booked_at - pending.booked_at).abs() <= BOOKS_WITHIN
}

/// Takes all transactions of an account out.
pub async fn empty(fetch: &Fetch<'_>, account: AccountId) -> Result<(), Broke> {
    let mut tx = fetch.write().await?;
    let gone = tx.pending_transactions(fetch.consent.id, account).await?;
    let changes = Changes {
        gone,
        ..Changes::default()
    };
    changes.write(fetch, &mut tx).await?;
    tx.commit().await?;
    remove_booked(fetch, account, DateTime::UNIX_EPOCH, |_| false).await
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
        let gone: Vec<_> = rows.into_iter().filter(|row| !stays(row)).collect();
        if !gone.is_empty() {
            let mut tx = fetch.write().await?;
            let changes = Changes {
                gone,
                ..Changes::default()
            };
            changes.write(fetch, &mut tx).await?;
            tx.commit().await?;
        }
    }
}

/// Changes to be written together.
#[derive(Default)]
struct Changes {
    /// New rows, and rows as they are now.
    rows: Vec<TransactionRow>,
    /// Rows as they were.
    past: Vec<TransactionRow>,
    gone: Vec<TransactionRow>,
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.gone.is_empty()
    }

    fn add(&mut self, fetch: &Fetch<'_>, item: Shown) -> Result<(), Broke> {
        self.rows.push(sealed(fetch, item)?);
        Ok(())
    }

    fn modify(
        &mut self,
        fetch: &Fetch<'_>,
        item: Shown,
        old: &TransactionRow,
    ) -> Result<(), Broke> {
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
    async fn write(mut self, fetch: &Fetch<'_>, tx: &mut Tx) -> Result<(), Broke> {
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

fn sealed(fetch: &Fetch<'_>, item: Shown) -> Result<TransactionRow, Broke> {
    let place = transaction_place(item.row.consent_id, &item.row.utx);
    Ok(TransactionRow {
        sealed: data::seal(fetch.state, &place, &item.details)?,
        ..item.row
    })
}
