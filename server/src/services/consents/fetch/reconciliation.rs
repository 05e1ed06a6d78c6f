//! Reconciliation of one account's transactions: what the bank shows now beside what is stored, and the changes between
//! them.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use app::domain::ids::{AccountId, TransactionId};
use app::domain::money::Scaled;
use app::domain::transaction::{BookingStatus, ChangeKind};
use chrono::{DateTime, SubsecRound as _, Utc};
use kernel::crypto::{Digest, hex};

use super::accounts::MatchedAccount;
use super::changes::ChangeSet;
use super::fingerprint::{
    ObservedTransaction, StoredTransaction, fingerprint, is_booking_of, opened,
};
use super::pages::Pages;
use super::removals::{self, ListingSummary};
use super::{Fetch, FetchError, conversion};
use crate::aad;
use crate::services::consents::sealed::merchant_key;
use crate::services::consents::utx::{
    AccountIdentity, SeenTransactions, Stability, bank_id, content_hash,
};
use crate::skills::{BankTransaction, ConnectorError, PageRequest, UnreadableEntry};
use crate::storage::Tx;
use crate::storage::transactions::TransactionRow;
use crate::storage::unreadable::UnreadableRow;
use crate::text::fold;

/// No account has more pages: a provider that goes on forever is told from one that ends.
const MOST_PAGES: usize = 10_000;
/// Most stored rows on the days of a page that are searched for one kept under an id of another kind.
const MOST_ALIKE: i64 = 5_000;
/// Most unreadable entries that are kept of an account.
const MOST_UNREADABLE: usize = 200;

/// One account on its way through a fetch.
pub struct AccountReconciliation<'a> {
    fetch: &'a Fetch<'a>,
    id: AccountId,
    /// The bank's id of the account.
    resource: &'a str,
    identity: AccountIdentity,
    /// `true` if the bank uses one id for several transactions: its ids are then ignored.
    ids_reused: bool,
    /// Entries pending before this fetch, oldest first.
    waiting: Vec<StoredTransaction>,
    seen: SeenTransactions,
    /// Hash of the entry that each of the bank's ids stood for so far.
    ids: HashMap<(String, BookingStatus), u64>,
    /// New booked entries that may be the booking of one in `waiting`: decided after the last page, when it is known
    /// which of those are gone.
    held: Vec<ObservedTransaction>,
    /// The oldest booking that the bank shows.
    oldest: Option<DateTime<Utc>>,
    /// `true` once the bank has shown any entry.
    anything: bool,
    /// Bookings that are new.
    added: usize,
    unreadable: Vec<Digest>,
    /// Entries that cannot be read, and of which nothing tells whether they were read before.
    unnamed: usize,
}

impl<'a> AccountReconciliation<'a> {
    pub async fn open(
        fetch: &'a Fetch<'a>,
        id: AccountId,
        resource: &'a str,
        matched: MatchedAccount,
    ) -> Result<Self, FetchError> {
        let mut tx = fetch.state.db.read().await?;
        let waiting = tx.pending_transactions(fetch.consent.id, id).await?;
        drop(tx);
        Ok(Self {
            fetch,
            id,
            resource,
            identity: matched.identity,
            ids_reused: matched.ids_reused,
            waiting: waiting
                .into_iter()
                .filter_map(|row| opened(fetch, row))
                .collect(),
            seen: SeenTransactions::default(),
            ids: HashMap::new(),
            held: Vec::new(),
            oldest: None,
            anything: false,
            added: 0,
            unreadable: Vec::new(),
            unnamed: 0,
        })
    }

    /// Reads all pages, then settles what is no longer there.
    pub async fn fetch(mut self) -> Result<(), FetchError> {
        let mut page = PageRequest::First {
            from: self.fetch.from.map(|from| from.date_naive()),
        };
        let mut pages = Pages::default();
        for _ in 0..MOST_PAGES {
            let Fetch {
                connector, grant, ..
            } = self.fetch;
            let got = connector.transactions(grant, self.resource, page).await?;
            let fresh = pages.take(got.transactions, got.next.as_deref());
            if fresh.circles {
                return self.settle(false).await;
            }
            self.take(&fresh.entries).await?;
            self.keep_unreadable(&got.unreadable).await?;
            match got.next {
                Some(next) => page = PageRequest::Next(next),
                None => return self.settle(true).await,
            }
        }
        Err(ConnectorError::BadAnswer("transactions without end").into())
    }

    /// Writes one page: what is new and what differs from what is kept.
    async fn take(&mut self, page: &[BankTransaction]) -> Result<(), FetchError> {
        if page.is_empty() {
            return Ok(());
        }
        self.anything = true;
        if !self.ids_reused && self.uses_an_id_twice(page) {
            self.distrust_ids().await?;
        }
        let mut shown = self.all_shown(page)?;
        let mut tx = self.fetch.state.db.read().await?;
        let mut known = self.known(&mut tx, &shown).await?;
        if !self.ids_reused && self.shows_another_by_an_id(&shown, &known) {
            drop(tx);
            for item in &shown {
                self.seen.forget(&item.row.utx);
            }
            self.distrust_ids().await?;
            shown = self.all_shown(page)?;
            tx = self.fetch.state.db.read().await?;
            known = self.known(&mut tx, &shown).await?;
        }
        self.recognise(&mut tx, &mut shown, &mut known).await?;
        drop(tx);
        let mut changes = ChangeSet::default();
        for mut item in shown {
            match known.get(&item.row.utx.0) {
                None if self.may_replace(&item) => self.held.push(item),
                None => {
                    self.added += usize::from(item.row.status == BookingStatus::Booked);
                    changes.add(self.fetch, item)?;
                }
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
        // Also where nothing changed: the claim is held longer by it.
        let mut tx = self.fetch.write().await?;
        changes.write(self.fetch, &mut tx).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn known(
        &self,
        tx: &mut Tx,
        shown: &[ObservedTransaction],
    ) -> Result<HashMap<Vec<u8>, TransactionRow>, FetchError> {
        let utx: Vec<_> = shown.iter().map(|item| &item.row.utx).collect();
        let rows = tx.transactions_by_utx(self.fetch.consent.id, &utx).await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.utx.0.clone(), row))
            .collect())
    }

    /// Returns `true` if the bank gives one id to two different entries of this answer.
    fn uses_an_id_twice(&mut self, page: &[BankTransaction]) -> bool {
        let mut twice = false;
        for transaction in page {
            if let Some(id) = bank_id(transaction) {
                let looks = content_hash(transaction);
                let key = (id.to_owned(), transaction.status);
                twice |= *self.ids.entry(key).or_insert(looks) != looks;
            }
        }
        twice
    }

    /// Returns `true` if a booking stored under one of the bank's ids is a different booking in this answer.
    fn shows_another_by_an_id(
        &self,
        shown: &[ObservedTransaction],
        known: &HashMap<Vec<u8>, TransactionRow>,
    ) -> bool {
        let is_another = |item: &ObservedTransaction, old: &TransactionRow| {
            let booked = |row: &TransactionRow| row.status == BookingStatus::Booked;
            if item.details.stability != Stability::Bank || !booked(&item.row) || !booked(old) {
                return false;
            }
            let money = item.row.amount != old.amount
                || item.row.currency != old.currency
                || item.row.credit_debit != old.credit_debit;
            money || (item.row.booked_at != old.booked_at && self.differs_in_words(item, old))
        };
        let mut shown = shown.iter();
        shown.any(|item| {
            let old = known.get(&item.row.utx.0);
            old.is_some_and(|old| is_another(item, old))
        })
    }

    fn differs_in_words(&self, item: &ObservedTransaction, old: &TransactionRow) -> bool {
        let text = |text: &Option<String>| fold(text.as_deref().unwrap_or_default());
        opened(self.fetch, old.clone()).is_some_and(|kept| {
            text(&kept.details.info) != text(&item.details.info)
                && text(&kept.details.merchant) != text(&item.details.merchant)
        })
    }

    /// From now on the bank's ids say nothing in this account.
    async fn distrust_ids(&mut self) -> Result<(), FetchError> {
        self.ids_reused = true;
        tracing::warn!(consent = %self.fetch.consent.id, account = %self.id, "a bank uses one transaction id for several transactions");
        let mut tx = self.fetch.write().await?;
        tx.mark_ids_reused(self.id, self.fetch.now()).await?;
        Ok(tx.commit().await?)
    }

    /// Finds transactions that are kept under an id of another kind: told by another spelling of their text, or by an id
    /// of the bank's before its ids were found to be no good. They keep the id they have.
    async fn recognise(
        &mut self,
        tx: &mut Tx,
        shown: &mut [ObservedTransaction],
        known: &mut HashMap<Vec<u8>, TransactionRow>,
    ) -> Result<(), FetchError> {
        let is_open = |item: &ObservedTransaction, known: &HashMap<Vec<u8>, TransactionRow>| {
            item.dated
                && item.details.stability != Stability::Bank
                && !known.contains_key(&item.row.utx.0)
        };
        let open = shown.iter().filter(|item| is_open(item, known));
        let days: Vec<_> = open.map(|item| item.row.booked_at).collect();
        let (Some(first), Some(last)) = (days.iter().min(), days.iter().max()) else {
            return Ok(());
        };
        let rows = tx
            .transactions_between(self.id, (*first, *last), MOST_ALIKE)
            .await?;
        let mut alike: HashMap<String, Vec<StoredTransaction>> = HashMap::new();
        for row in rows {
            if self.seen.knows(&row.utx) {
                continue;
            }
            let kept = opened(self.fetch, row);
            let of_its_own = |kept: &StoredTransaction| kept.details.stability == Stability::Bank;
            if let Some(kept) = kept.filter(|kept| self.ids_reused || !of_its_own(kept)) {
                let fingerprint = fingerprint(&kept.row, &kept.details);
                alike.entry(fingerprint).or_default().push(kept);
            }
        }
        for item in shown.iter_mut() {
            if !is_open(item, known) {
                continue;
            }
            let Some(fitting) = alike.get_mut(&fingerprint(&item.row, &item.details)) else {
                continue;
            };
            if !fitting.is_empty() {
                let kept = fitting.remove(0);
                self.seen.forget(&item.row.utx);
                self.seen.mark(&kept.row.utx);
                item.row.utx = kept.row.utx.clone();
                known.insert(kept.row.utx.0.clone(), kept.row);
            }
        }
        Ok(())
    }

    fn all_shown(
        &mut self,
        page: &[BankTransaction],
    ) -> Result<Vec<ObservedTransaction>, FetchError> {
        let mut shown = Vec::with_capacity(page.len());
        for transaction in page {
            shown.extend(self.observe(transaction)?);
        }
        Ok(shown)
    }

    /// A transaction as it would be kept; `None` if this fetch has met the very same before.
    fn observe(
        &mut self,
        transaction: &BankTransaction,
    ) -> Result<Option<ObservedTransaction>, FetchError> {
        let Fetch { state, consent, .. } = self.fetch;
        let Ok(amount) = Scaled::cut(transaction.amount.abs()) else {
            // No account of this world: counted, and what it was before stays.
            self.fetch.unreadable.fetch_add(1, Ordering::Relaxed);
            self.spare(bank_id(transaction));
            return Ok(None);
        };
        let identified = self.fetch.utx.identify(
            &self.identity,
            transaction,
            !self.ids_reused,
            &mut self.seen,
        );
        let Some((utx, stability)) = identified else {
            return Ok(None);
        };
        let now = self.fetch.now().trunc_subsecs(0);
        let details = conversion::transaction(transaction, stability);
        let day = transaction.booking_date.or(transaction.value_date);
        let booked_at = conversion::midnight(day.unwrap_or_else(|| now.date_naive()));
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
            credit_debit: conversion::sign(transaction.amount),
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
        Ok(Some(ObservedTransaction {
            row,
            details,
            dated: day.is_some(),
        }))
    }

    /// Does not take an entry that cannot be read for gone, as far as it is known which one it is.
    fn spare(&mut self, id: Option<&str>) {
        match id.filter(|_| !self.ids_reused) {
            Some(id) => self.seen.mark(&self.fetch.utx.of_id(&self.identity, id)),
            None => self.unnamed += 1,
        }
    }

    /// Keeps what could not be read, sealed, and does not take it for gone where the bank's id of it is known.
    async fn keep_unreadable(&mut self, entries: &[UnreadableEntry]) -> Result<(), FetchError> {
        let Fetch { state, consent, .. } = self.fetch;
        if entries.is_empty() {
            return Ok(());
        }
        self.anything = true;
        let mut tx = self.fetch.write().await?;
        for entry in entries {
            self.fetch.unreadable.fetch_add(1, Ordering::Relaxed);
            self.spare(entry.id.as_deref());
            if self.unreadable.len() >= MOST_UNREADABLE {
                continue;
            }
            let text = format!("{}/{}", consent.id, hex(&entry.raw));
            let digest = state
                .vault
                .digest(&state.pepper, "unreadable", &text)
                .map_err(crate::services::refusal::ApiError::from)?;
            let place = aad::unreadable_entry(consent.id, &digest);
            let sealed = state
                .vault
                .seal(&state.clock, &place, &entry.raw)
                .map_err(crate::services::refusal::ApiError::from)?;
            tx.put_unreadable(&UnreadableRow {
                consent_id: consent.id,
                account_id: self.id,
                digest: digest.clone(),
                field: entry.field.to_owned(),
                sealed,
                seen_at: self.fetch.now(),
            })
            .await?;
            self.unreadable.push(digest);
        }
        Ok(tx.commit().await?)
    }

    /// Returns `true` if the stored transaction differs from the one shown. Details that do not open count as
    /// different, so that they are written anew.
    fn differs(&self, item: &ObservedTransaction, old: &TransactionRow) -> bool {
        let row = &item.row;
        let clear = row.account_id == old.account_id
            && row.status == old.status
            && row.credit_debit == old.credit_debit
            && row.currency == old.currency
            && row.amount == old.amount
            && row.booked_at == old.booked_at
            && row.category == old.category;
        let kept = opened(self.fetch, old.clone());
        !clear || !kept.is_some_and(|kept| item.details.says_as(&kept.details))
    }

    /// Returns `true` if a new entry may be the booking of a pending one.
    fn may_replace(&self, item: &ObservedTransaction) -> bool {
        item.row.status == BookingStatus::Booked
            && self.waiting.iter().any(|old| is_booking_of(item, old))
    }

    /// At the end of all pages: pending entries that are gone have been booked under another name, or will never be;
    /// booked ones that are gone from the days the bank showed were taken back. Of an answer that is not `complete` nothing
    /// is gone.
    async fn settle(mut self, complete: bool) -> Result<(), FetchError> {
        let waiting = std::mem::take(&mut self.waiting);
        let gone: Vec<_> = waiting
            .into_iter()
            .filter(|old| !self.seen.knows(&old.row.utx))
            .collect();
        let mut held = std::mem::take(&mut self.held);
        held.sort_by_key(|item| item.row.booked_at);
        let mut changes = ChangeSet::default();
        let mut taken = HashSet::new();
        for mut item in held {
            let former = gone
                .iter()
                .find(|old| !taken.contains(&old.row.id) && is_booking_of(&item, old));
            if let Some(former) = former {
                taken.insert(former.row.id);
                item.row.replaces = Some(former.row.utx.clone());
            }
            self.added += 1;
            changes.add(self.fetch, item)?;
        }
        let (replaced, pending): (Vec<_>, Vec<_>) = gone
            .into_iter()
            .map(|old| old.row)
            .partition(|row| taken.contains(&row.id));
        changes.gone = replaced;
        if !changes.is_empty() {
            let mut tx = self.fetch.write().await?;
            changes.write(self.fetch, &mut tx).await?;
            tx.commit().await?;
        }
        if self.fetch.consent.unreadable > 0 || !self.unreadable.is_empty() {
            let mut tx = self.fetch.write().await?;
            tx.keep_unreadable(self.fetch.consent.id, self.id, &self.unreadable)
                .await?;
            tx.commit().await?;
        }
        let answer = ListingSummary {
            account: self.id,
            oldest: self.oldest,
            anything: self.anything,
            complete,
            unnamed: self.unnamed,
            seen: &self.seen,
            added: self.added,
            pending,
        };
        removals::settle(self.fetch, answer).await
    }
}
