//! One account's transactions: what the bank shows now beside what is kept, and the changes that make the one of the
//! other.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use app::domain::ids::{AccountId, TransactionId};
use app::domain::money::Scaled;
use app::domain::transaction::{BookingStatus, ChangeKind};
use chrono::{DateTime, SubsecRound as _, Utc};

use super::accounts::Matched;
use super::alike::{Kept, Shown, is_booking_of, look, opened};
use super::changes::Changes;
use super::removals::{self, Answer};
use super::{Broke, Fetch, shapes};
use crate::crypto::Digest;
use crate::services::data::{self, merchant_key};
use crate::services::utx::{AccountIdentity, Met, Stability, bank_id, looks};
use crate::skills::{BankTransaction, ConnectorError, PageRequest, Unreadable};
use crate::storage::Tx;
use crate::storage::transactions::TransactionRow;
use crate::storage::unreadable::UnreadableRow;
use crate::text::fold;

/// No account has more pages: a provider that goes on forever is told from one that ends.
const MOST_PAGES: usize = 10_000;
/// Rows of the days of a page that are looked at for one that is told otherwise now.
const MOST_ALIKE: i64 = 5_000;
/// Entries that are kept of an account though they cannot be read.
const MOST_UNREADABLE: usize = 200;

/// One account on its way through a fetch.
pub struct Ledger<'a> {
    fetch: &'a Fetch<'a>,
    id: AccountId,
    /// What the bank knows the account by.
    resource: &'a str,
    identity: AccountIdentity,
    /// Whether the bank uses one id for several transactions: its ids do not count then.
    ids_reused: bool,
    /// What was pending before, oldest first.
    waiting: Vec<Kept>,
    met: Met,
    /// What each of the bank's ids stood for so far.
    ids: HashMap<(String, BookingStatus), u64>,
    /// New booked entries that may be one of those: what has become of these is known at the end only.
    held: Vec<Shown>,
    /// The oldest booking that the bank shows.
    oldest: Option<DateTime<Utc>>,
    /// Whether the bank showed anything.
    anything: bool,
    /// Bookings that are new.
    added: usize,
    unreadable: Vec<Digest>,
}

impl<'a> Ledger<'a> {
    pub async fn open(
        fetch: &'a Fetch<'a>,
        id: AccountId,
        resource: &'a str,
        matched: Matched,
    ) -> Result<Self, Broke> {
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
            met: Met::default(),
            ids: HashMap::new(),
            held: Vec::new(),
            oldest: None,
            anything: false,
            added: 0,
            unreadable: Vec::new(),
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
            let got = connector.transactions(grant, self.resource, page).await?;
            self.take(&got.transactions).await?;
            self.keep_unreadable(&got.unreadable).await?;
            match got.next {
                Some(next) => page = PageRequest::Next(next),
                None => return self.settle().await,
            }
        }
        Err(ConnectorError::BadAnswer("transactions without end").into())
    }

    /// Writes one page: what is new and what differs from what is kept.
    async fn take(&mut self, page: &[BankTransaction]) -> Result<(), Broke> {
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
                self.met.forget(&item.row.utx);
            }
            self.distrust_ids().await?;
            shown = self.all_shown(page)?;
            tx = self.fetch.state.db.read().await?;
            known = self.known(&mut tx, &shown).await?;
        }
        self.recognise(&mut tx, &mut shown, &mut known).await?;
        drop(tx);
        let mut changes = Changes::default();
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
        shown: &[Shown],
    ) -> Result<HashMap<Vec<u8>, TransactionRow>, Broke> {
        let utx: Vec<_> = shown.iter().map(|item| &item.row.utx).collect();
        let rows = tx.transactions_by_utx(self.fetch.consent.id, &utx).await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.utx.0.clone(), row))
            .collect())
    }

    /// Whether the bank gives one id to two different entries of this answer.
    fn uses_an_id_twice(&mut self, page: &[BankTransaction]) -> bool {
        let mut twice = false;
        for transaction in page {
            if let Some(id) = bank_id(transaction) {
                let looks = looks(transaction);
                let key = (id.to_owned(), transaction.status);
                twice |= *self.ids.entry(key).or_insert(looks) != looks;
            }
        }
        twice
    }

    /// Whether a booking that is kept under an id of the bank's is another one in this answer.
    fn shows_another_by_an_id(
        &self,
        shown: &[Shown],
        known: &HashMap<Vec<u8>, TransactionRow>,
    ) -> bool {
        let is_another = |item: &Shown, old: &TransactionRow| {
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

    fn differs_in_words(&self, item: &Shown, old: &TransactionRow) -> bool {
        let text = |text: &Option<String>| fold(text.as_deref().unwrap_or_default());
        opened(self.fetch, old.clone()).is_some_and(|kept| {
            text(&kept.details.info) != text(&item.details.info)
                && text(&kept.details.merchant) != text(&item.details.merchant)
        })
    }

    /// From now on the bank's ids say nothing in this account.
    async fn distrust_ids(&mut self) -> Result<(), Broke> {
        self.ids_reused = true;
        tracing::warn!(consent = %self.fetch.consent.id, account = %self.id, "a bank uses one transaction id for several transactions");
        let mut tx = self.fetch.write().await?;
        tx.mark_ids_reused(self.id, self.fetch.state.clock.now())
            .await?;
        Ok(tx.commit().await?)
    }

    /// Finds transactions that are kept under an id of another kind: told by another spelling of their text, or by an id
    /// of the bank's before its ids were found to be no good. They keep the id they have.
    async fn recognise(
        &mut self,
        tx: &mut Tx,
        shown: &mut [Shown],
        known: &mut HashMap<Vec<u8>, TransactionRow>,
    ) -> Result<(), Broke> {
        let is_open = |item: &Shown, known: &HashMap<Vec<u8>, TransactionRow>| {
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
        let mut alike: HashMap<String, Vec<Kept>> = HashMap::new();
        for row in rows {
            if self.met.knows(&row.utx) {
                continue;
            }
            let kept = opened(self.fetch, row);
            let of_its_own = |kept: &Kept| kept.details.stability == Stability::Bank;
            if let Some(kept) = kept.filter(|kept| self.ids_reused || !of_its_own(kept)) {
                let look = look(&kept.row, &kept.details);
                alike.entry(look).or_default().push(kept);
            }
        }
        for item in shown.iter_mut() {
            if !is_open(item, known) {
                continue;
            }
            let Some(fitting) = alike.get_mut(&look(&item.row, &item.details)) else {
                continue;
            };
            if !fitting.is_empty() {
                let kept = fitting.remove(0);
                self.met.forget(&item.row.utx);
                self.met.mark(&kept.row.utx);
                item.row.utx = kept.row.utx.clone();
                known.insert(kept.row.utx.0.clone(), kept.row);
            }
        }
        Ok(())
    }

    fn all_shown(&mut self, page: &[BankTransaction]) -> Result<Vec<Shown>, Broke> {
        let mut shown = Vec::with_capacity(page.len());
        for transaction in page {
            shown.extend(self.shown(transaction)?);
        }
        Ok(shown)
    }

    /// A transaction as it would be kept; `None` if this fetch has met the very same before.
    fn shown(&mut self, transaction: &BankTransaction) -> Result<Option<Shown>, Broke> {
        let Fetch { state, consent, .. } = self.fetch;
        let Ok(amount) = Scaled::cut(transaction.amount.abs()) else {
            // No account of this world: counted, and nothing else can be done with it.
            self.fetch.unreadable.fetch_add(1, Ordering::Relaxed);
            return Ok(None);
        };
        let identified =
            self.fetch
                .utx
                .identify(&self.identity, transaction, !self.ids_reused, &mut self.met);
        let Some((utx, stability)) = identified else {
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

    /// Keeps what could not be read, sealed, and does not take it for gone where the bank's id of it is known.
    async fn keep_unreadable(&mut self, entries: &[Unreadable]) -> Result<(), Broke> {
        let Fetch { state, consent, .. } = self.fetch;
        if entries.is_empty() {
            return Ok(());
        }
        self.anything = true;
        let mut tx = self.fetch.write().await?;
        for entry in entries {
            self.fetch.unreadable.fetch_add(1, Ordering::Relaxed);
            if let Some(id) = &entry.id {
                self.met.mark(&self.fetch.utx.of_id(&self.identity, id));
            }
            if self.unreadable.len() >= MOST_UNREADABLE {
                continue;
            }
            let text = format!("{}/{}", consent.id, data::hex(&entry.raw));
            let digest = state
                .vault
                .digest(&state.pepper, "unreadable", &text)
                .map_err(crate::services::refusal::Failure::from)?;
            let place = format!(
                "unreadable_entries.sealed/{}/{}",
                consent.id,
                data::hex(&digest.0)
            );
            let sealed = state
                .vault
                .seal(&state.clock, &place, &entry.raw)
                .map_err(crate::services::refusal::Failure::from)?;
            tx.put_unreadable(&UnreadableRow {
                consent_id: consent.id,
                account_id: self.id,
                digest: digest.clone(),
                field: entry.field.to_owned(),
                sealed,
                seen_at: state.clock.now(),
            })
            .await?;
            self.unreadable.push(digest);
        }
        Ok(tx.commit().await?)
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
        let kept = opened(self.fetch, old.clone());
        !clear || !kept.is_some_and(|kept| item.details.says_as(&kept.details))
    }

    /// Whether a new entry may be the booking of one that was pending.
    fn may_replace(&self, item: &Shown) -> bool {
        item.row.status == BookingStatus::Booked
            && self.waiting.iter().any(|old| is_booking_of(item, old))
    }

    /// At the end of all pages: pending entries that are gone have been booked under another name, or will never be;
    /// booked ones that are gone from the days the bank showed were taken back.
    async fn settle(mut self) -> Result<(), Broke> {
        let waiting = std::mem::take(&mut self.waiting);
        let gone: Vec<_> = waiting
            .into_iter()
            .filter(|old| !self.met.knows(&old.row.utx))
            .collect();
        let mut held = std::mem::take(&mut self.held);
        held.sort_by_key(|item| item.row.booked_at);
        let mut changes = Changes::default();
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
        let answer = Answer {
            account: self.id,
            oldest: self.oldest,
            anything: self.anything,
            met: &self.met,
            added: self.added,
            pending,
        };
        removals::settle(self.fetch, answer).await
    }
}
