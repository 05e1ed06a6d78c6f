//! Mirrors of a consent's transactions, kept by syncing while the bank adds, changes and removes: each ends as the bank's
//! own set, and on the way no change is missed or told twice.

use std::collections::BTreeMap;

use app::domain::ids::TransactionId;
use app::domain::transaction::ChangeKind;
use chrono::{Duration, NaiveDate};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::*;
use crate::config::Config;
use crate::services::consents::fetch::{FetchOutcome, FetchReason, fetch};
use crate::services::consents::sync::{self, SyncChanges};
use crate::services::consents::transactions::{self, OpenedTransaction, TransactionFilter};
use crate::storage::testing::on_both;
use crate::storage::transactions::TransactionRow;

on_both!(
    every_mirror_ends_as_the_banks_own_set,
    a_number_is_not_seen_before_those_below_it,
    a_cursor_is_good_for_its_consent_and_for_a_year
);

/// All fields of one transaction, for comparison.
type Said = (String, String, String, String, String);

/// The bank: what it shows, and how it goes on.
struct Bank {
    rng: StdRng,
    rows: Vec<BankTransaction>,
    made: u32,
}

impl Bank {
    fn day(&mut self) -> NaiveDate {
        let back = Duration::days(self.rng.random_range(0..60));
        "2026-01-01".parse::<NaiveDate>().unwrap() - back
    }

    fn add(&mut self) {
        self.made += 1;
        let day = self.day().to_string();
        // Few amounts and names, so that many look alike.
        let amount = format!("{}.00", self.rng.random_range(-3..=3));
        let mut row = transaction(&format!("id-{}", self.made), &amount, &day);
        row.remittance = Some(format!("text {}", self.rng.random_range(0..3)));
        if self.rng.random_bool(0.3) {
            row.id = None;
        }
        if self.rng.random_bool(0.4) {
            row.status = BookingStatus::Pending;
            row.value_date = row.booking_date.take();
        }
        self.rows.push(row);
    }

    fn change(&mut self) {
        let day = self.day();
        self.made += 1;
        let (made, other_name) = (self.made, self.rng.random_bool(0.5));
        let at = self.rng.random_range(0..self.rows.len().max(1));
        let Some(row) = self.rows.get_mut(at).filter(|row| !is_anchor(row)) else {
            return;
        };
        if row.status == BookingStatus::Pending {
            row.status = BookingStatus::Booked;
            row.booking_date = Some(day);
            if other_name && row.id.is_some() {
                row.id = Some(format!("id-{made}"));
            }
        } else {
            row.remittance = Some(format!("mended {made}"));
        }
    }

    fn remove(&mut self) {
        if !self.rows.is_empty() {
            let at = self.rng.random_range(0..self.rows.len());
            if !is_anchor(&self.rows[at]) {
                self.rows.swap_remove(at);
            }
        }
    }

    /// The oldest of all, which stays as it is: what is older than anything the bank shows is not taken out, and what
    /// goes is never the most of it.
    fn anchor(&mut self) {
        for n in 0..40 {
            let mut row = transaction(&format!("anchor-{n}"), "1.00", "2025-10-10");
            row.remittance = Some(format!("anchor {n}"));
            self.rows.push(row);
        }
    }

    fn go_on(&mut self, provider: &Provider) {
        for _ in 0..self.rng.random_range(0..6) {
            match self.rng.random_range(0..10) {
                0..5 => self.add(),
                5..8 => self.change(),
                _ => self.remove(),
            }
        }
        let day = |row: &BankTransaction| row.booking_date.or(row.value_date);
        self.rows.sort_by_key(|row| std::cmp::Reverse(day(row)));
        let size = self.rng.random_range(1..8);
        *provider.pages.lock().unwrap() = self.rows.chunks(size).map(<[_]>::to_vec).collect();
    }

    fn says(&self) -> Vec<Said> {
        let mut all: Vec<_> = self
            .rows
            .iter()
            .map(|row| {
                let day = row.booking_date.or(row.value_date).unwrap();
                (
                    row.status.to_string(),
                    row.amount.to_string().replace('-', ""),
                    day.to_string(),
                    row.remittance.clone().unwrap(),
                    row.amount.is_sign_negative().to_string(),
                )
            })
            .collect();
        all.sort();
        all
    }
}

fn is_anchor(row: &BankTransaction) -> bool {
    row.id.as_deref().is_some_and(|id| id.starts_with("anchor"))
}

fn said(item: &OpenedTransaction) -> Said {
    (
        item.row.status.to_string(),
        item.details.amount.clone(),
        item.row.booked_at.date_naive().to_string(),
        item.details.info.clone().unwrap(),
        (item.row.credit_debit == app::domain::account::CreditDebit::Debit).to_string(),
    )
}

/// One client: what it has stored, cursor and rows together.
#[derive(Clone, Default)]
struct SyncClient {
    cursor: Option<String>,
    rows: BTreeMap<TransactionId, Said>,
    count: i64,
}

impl SyncClient {
    /// Applies one answer, which must be about exactly what this mirror has and has not.
    fn apply(&mut self, changes: SyncChanges) {
        let (before, told) = (self.cursor.take(), self.count);
        let size = changes.added.len() + changes.modified.len() + changes.removed.len();
        assert!(i64::try_from(size).unwrap() <= told, "more than asked for");
        for item in &changes.added {
            let known = self.rows.insert(item.row.id, said(item));
            assert!(known.is_none(), "told twice after {before:?}");
        }
        for item in &changes.modified {
            let known = self.rows.insert(item.row.id, said(item));
            assert!(known.is_some(), "the coming was missed before {before:?}");
        }
        for row in &changes.removed {
            let known = self.rows.remove(&row.id);
            assert!(known.is_some(), "the coming was missed before {before:?}");
        }
        self.cursor = Some(changes.next_cursor);
    }

    fn says(&self) -> Vec<Said> {
        let mut all: Vec<_> = self.rows.values().cloned().collect();
        all.sort();
        all
    }
}

impl World {
    async fn sync(&self, pair: &Credentials, mirror: &SyncClient) -> SyncChanges {
        let cursor = mirror.cursor.as_deref();
        sync::sync(&self.state, &self.client, pair, cursor, mirror.count)
            .await
            .unwrap()
    }
}

async fn every_mirror_ends_as_the_banks_own_set(db: Db) {
    let mut config = Config::default();
    config.data.bank_calls_per_day = 1_000;
    let world = World::builder(state_with(db, config))
        .scripted()
        .build()
        .await;
    for seed in 0..12 {
        interleave(&world, seed).await;
    }
}

async fn interleave(world: &World, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut bank = Bank {
        rng: StdRng::seed_from_u64(seed + 1_000),
        rows: Vec::new(),
        made: 0,
    };
    bank.anchor();
    bank.go_on(&world.provider);
    let pair = world.pair().await;
    let mut mirrors = [1, 2, 7, 500].map(|count| SyncClient {
        count,
        ..SyncClient::default()
    });
    for _ in 0..25 {
        let answers = tokio::sync::Mutex::new(Vec::new());
        let mut turn: Vec<BoxFuture<'_, ()>> = Vec::new();
        for _ in 0..rng.random_range(0..3) {
            let stale = FetchReason::Stale(world.state.clock.now());
            turn.push(
                fetch(&world.state, pair.id, stale)
                    .map(|done| assert!(done.is_ok()))
                    .boxed(),
            );
        }
        for (at, mirror) in mirrors.iter().enumerate() {
            if rng.random_bool(0.5) {
                let (answers, pair) = (&answers, &pair);
                turn.push(
                    async move {
                        let changes = world.sync(pair, mirror).await;
                        answers.lock().await.push((at, changes));
                    }
                    .boxed(),
                );
            }
        }
        let refreshing = rng.random_bool(0.3);
        let meanwhile = &mut bank;
        // Now and then the bank goes on while it is being read.
        let provider = &world.provider;
        turn.push(
            async move {
                if refreshing {
                    tokio::task::yield_now().await;
                    meanwhile.go_on(provider);
                }
            }
            .boxed(),
        );
        join_all(turn).await;
        for (at, changes) in answers.into_inner() {
            // Three of ten crash before they have stored the answer, and ask the same again.
            if rng.random_bool(0.7) {
                mirrors[at].apply(changes);
            }
        }
        if rng.random_bool(0.7) {
            bank.go_on(&world.provider);
        }
        world.advance(rng.random_range(1..600));
    }
    at_rest(world, seed, &pair, &mut mirrors, &bank).await;
}

/// Quiet now: one more refresh, everybody reads to the end, and everybody has what the bank has.
async fn at_rest(
    world: &World,
    seed: u64,
    pair: &Credentials,
    mirrors: &mut [SyncClient],
    bank: &Bank,
) {
    let stale = FetchReason::Stale(world.state.clock.now());
    let last = fetch(&world.state, pair.id, stale).await.unwrap();
    assert!(matches!(last, FetchOutcome::Fresh(_)));
    for mirror in mirrors.iter_mut() {
        loop {
            let changes = world.sync(pair, mirror).await;
            let more = changes.has_more;
            mirror.apply(changes);
            if !more {
                break;
            }
        }
        assert_eq!(
            mirror.says(),
            bank.says(),
            "seed {seed}, {} at a time",
            mirror.count
        );
        let again = world.sync(pair, mirror).await;
        assert!(again.added.is_empty() && again.modified.is_empty() && again.removed.is_empty());
    }
    // The mirrors agree with a plain read, row by row.
    let reader = transactions::reader(
        &world.state,
        &world.client,
        pair,
        TransactionFilter::default(),
    );
    let page = reader.await.unwrap().page(None, 10_000).await.unwrap();
    let read: BTreeMap<_, _> = page
        .items
        .iter()
        .map(|item| (item.row.id, said(item)))
        .collect();
    assert!(
        mirrors.iter().all(|mirror| mirror.rows == read),
        "seed {seed}"
    );
}

async fn a_number_is_not_seen_before_those_below_it(db: Db) {
    let world = World::scripted(db.clone()).await;
    let pair = world.pair().await;
    let mirror = SyncClient {
        count: 500,
        ..SyncClient::default()
    };
    world.sync(&pair, &mirror).await;
    let mut tx = db.read().await.unwrap();
    let model = tx.changes_after(pair.id, 0, 1).await.unwrap().remove(0);
    drop(tx);
    let put = |seed: u8| {
        let clock = &world.state.clock;
        let row = TransactionRow {
            id: TransactionId(clock.id()),
            utx: kernel::crypto::Digest::of(vec![seed; 32]),
            ..model.clone()
        };
        async move |mut tx: crate::storage::Tx| {
            let number = tx.take_changes(row.consent_id, 1).await.unwrap();
            let row = TransactionRow {
                change_no: number,
                change_kind: ChangeKind::Added,
                ..row
            };
            tx.put_transactions(&[row]).await.unwrap();
            (tx, number)
        }
    };
    let (slow, fast) = (put(1), put(2));
    let (slow, first) = slow(db.write().await.unwrap()).await;
    let faster = tokio::spawn({
        let db = db.clone();
        async move {
            let (tx, second) = fast(db.write().await.unwrap()).await;
            tx.commit().await.unwrap();
            second
        }
    });
    // Whoever has taken a number holds the next one back until it has committed: nobody sees a gap that fills later.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(!faster.is_finished());
    let seen = async || {
        let mut tx = db.read().await.unwrap();
        let rows = tx.changes_after(pair.id, first - 1, 10).await.unwrap();
        rows.into_iter()
            .map(|row| row.change_no)
            .collect::<Vec<_>>()
    };
    assert!(seen().await.is_empty());
    slow.commit().await.unwrap();
    let second = faster.await.unwrap();
    assert_eq!(second, first + 1);
    assert_eq!(seen().await, [first, second]);
}

async fn a_cursor_is_good_for_its_consent_and_for_a_year(db: Db) {
    let world = World::scripted(db).await;
    let mut tx = world.state.db.write().await.unwrap();
    let skill = SkillName::parse(AISP).unwrap();
    tx.remove_tenant_skill(world.client.tenant(), &skill)
        .await
        .unwrap();
    let long = WhitelistRow {
        skill,
        consent_duration: 800 * 24 * 60,
        cache_max_data_retention: 800 * 24 * 60,
    };
    let now = world.state.clock.now();
    tx.add_tenant_skill(world.client.tenant(), &long, now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let (pair, other) = (world.pair().await, world.pair().await);
    let mut mirror = SyncClient {
        count: 2,
        ..SyncClient::default()
    };
    let first = world.sync(&pair, &mirror).await;
    assert!(first.has_more);
    mirror.apply(first);
    let with = |pair, cursor: &str| {
        let (state, client, cursor) = (&world.state, &world.client, cursor.to_owned());
        async move { code(sync::sync(state, client, pair, Some(&cursor), 10).await) }
    };
    let cursor = mirror.cursor.clone().unwrap();
    assert_eq!(with(&other, &cursor).await, Code::InvalidField);
    for nonsense in ["", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &cursor[1..]] {
        assert_eq!(with(&pair, nonsense).await, Code::InvalidField);
    }
    world.advance(365 * 24 * 3600 - 1);
    let rest = world.sync(&pair, &mirror).await;
    assert_eq!((rest.added.len(), rest.has_more), (1, false));
    world.advance(1);
    assert_eq!(with(&pair, &cursor).await, Code::CursorExpired);
    mirror.apply(rest);
    let quiet = world.sync(&pair, &mirror).await;
    assert!(
        quiet.added.is_empty(),
        "a cursor's life begins anew with each answer"
    );
}
