//! The books: the same everywhere, adding up, and ending today.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;

use crate::ledger::accounts::{ACCOUNTS, BUSINESS, HOUSEHOLD, LedgerAccount, USERS};
use crate::ledger::{self, Day, EPOCH, HISTORY_DAYS, LedgerEntry};
use crate::storage::Db;
use crate::storage::books::{self, EntryFilter};
use crate::tests::on_both;

on_both!(
    what_is_loaded_is_what_was_told,
    loading_again_changes_nothing,
    the_books_grow_with_the_days
);

fn today() -> Day {
    Day::from_date(NaiveDate::from_ymd_opt(2026, 1, 1).unwrap())
}

fn everything(today: Day) -> EntryFilter {
    EntryFilter {
        today,
        from: Day(i64::MIN),
        to: Day(i64::MAX),
        after: None,
        limit: i64::MAX,
    }
}

fn told(from: Day, to: Day) -> Vec<LedgerEntry> {
    USERS
        .iter()
        .flat_map(|user| ledger::entries(user.username, from, to))
        .collect()
}

async fn load(db: &Db, today: Day) {
    for user in USERS {
        books::keep_loaded(db, user.username, today).await.unwrap();
    }
}

fn by_account(entries: &[LedgerEntry]) -> HashMap<i64, Vec<LedgerEntry>> {
    let mut accounts: HashMap<i64, Vec<LedgerEntry>> = HashMap::new();
    for entry in entries {
        accounts.entry(entry.account).or_default().push(*entry);
    }
    accounts
}

#[test]
fn days_are_calendar_days() {
    assert_eq!(EPOCH.date(), NaiveDate::from_ymd_opt(2022, 1, 3).unwrap());
    assert_eq!((EPOCH.weekday(), EPOCH.plus(5).weekday()), (0, 5));
    assert_eq!(Day::from_date(EPOCH.date()), EPOCH);
    assert_eq!(EPOCH.plus(5).next_working(), EPOCH.plus(7));
    assert!(EPOCH.plus(28).is_last_of_month());
}

#[test]
fn the_past_is_the_same_whenever_it_is_told() {
    let (today, later) = (told(EPOCH, today()), told(EPOCH, today().plus(40)));
    let later: Vec<_> = later
        .into_iter()
        .filter(|entry| entry.booking_day <= self::today())
        .collect();
    assert!(today == later);
    // And on every machine: one entry of long ago, to the letter. Whoever changes it raises ledger::VERSION.
    let first = by_account(&today)[&BUSINESS][1_000];
    let pinned = (
        "301-20220126-021".to_owned(),
        868,
        "Card sale, receipt 452484".to_owned(),
    );
    assert_eq!(
        (first.id(), first.amount, first.words().unwrap().remittance),
        pinned
    );
}

#[test]
fn every_account_adds_up_from_its_first_day() {
    for (account, entries) in by_account(&told(EPOCH, today())) {
        let mut balance = 0;
        for entry in &entries {
            balance += entry.amount;
            assert_eq!(entry.balance_after, balance, "account {account}: {entry:?}");
            assert!(
                entry.made_day <= entry.booking_day && entry.amount != 0,
                "{entry:?}"
            );
            assert!(entry.words().is_some());
        }
        let sum: i64 = entries.iter().map(|entry| entry.amount).sum();
        assert_eq!(
            entries.last().unwrap().balance_after,
            sum,
            "closing balance of {account}"
        );
        let ids: HashSet<_> = entries.iter().map(LedgerEntry::id).collect();
        assert_eq!(ids.len(), entries.len(), "ids of {account}");
    }
}

#[test]
fn balances_stay_believable() {
    for (account, entries) in by_account(&told(EPOCH, today())) {
        let lowest = entries
            .iter()
            .map(|entry| entry.balance_after)
            .min()
            .unwrap();
        let highest = entries
            .iter()
            .map(|entry| entry.balance_after)
            .max()
            .unwrap();
        let limit = ACCOUNTS
            .iter()
            .find(|known| known.id == account)
            .unwrap()
            .credit_limit;
        assert!(lowest >= -limit, "account {account} fell to {lowest}");
        assert!(highest < 40_000_000, "account {account} rose to {highest}");
        if account == HOUSEHOLD {
            assert!(highest < 0, "the overdrawn account rose to {highest}");
        }
    }
}

#[test]
fn business_shows_fifty_thousand_entries_on_any_day() {
    let until = today().plus(20);
    let business = by_account(&told(EPOCH, until.plus(7)))[&BUSINESS].clone();
    for today in (0..20).map(|day| today().plus(day)) {
        let shown = |entry: &&LedgerEntry| {
            entry.made_day <= today && entry.made_day > today.plus(-HISTORY_DAYS)
        };
        assert_eq!(business.iter().filter(shown).count(), 50_000);
    }
}

#[test]
fn account_numbers_are_valid_and_ours() {
    let ibans: HashSet<_> = ACCOUNTS.iter().map(LedgerAccount::iban).collect();
    assert_eq!(ibans.len(), ACCOUNTS.len());
    for text in ibans {
        text.parse::<iban::Iban>().unwrap();
        assert_eq!((&text[..2], &text[4..8], text.len()), ("RO", "XYZB", 24));
    }
    let entries = told(today().plus(-60), today());
    for number in entries.iter().filter_map(|entry| entry.words()?.iban) {
        number.parse::<iban::Iban>().unwrap();
    }
}

#[test]
fn there_are_pending_rows_refunds_and_fees_wherever_one_looks() {
    let today = today();
    for (account, entries) in by_account(&told(today.plus(-HISTORY_DAYS), today.plus(7))) {
        let categories: HashSet<_> = entries
            .iter()
            .filter_map(|entry| Some(entry.words()?.category))
            .collect();
        assert!(
            categories.len() >= 3 || account == 202,
            "{account}: {categories:?}"
        );
        let pending = entries
            .iter()
            .filter(|entry| entry.made_day <= today && entry.booking_day > today);
        let daily = matches!(account, 101 | 201 | 203 | 301);
        assert!(
            !daily || pending.count() > 0,
            "nothing pending on {account}"
        );
    }
}

async fn shown(db: &Db, account: i64, today: Day) -> Vec<LedgerEntry> {
    let mut tx = db.read().await.unwrap();
    books::entries(&mut tx, account, everything(today))
        .await
        .unwrap()
}

async fn what_is_loaded_is_what_was_told(db: Db) {
    let started = std::time::Instant::now();
    load(&db, today()).await;
    println!("loaded in {:?}", started.elapsed());
    let business = shown(&db, BUSINESS, today()).await;
    assert_eq!(business.len(), 50_000);
    let newest_first = |a: &LedgerEntry, b: &LedgerEntry| {
        (a.booking_day, a.position) > (b.booking_day, b.position)
    };
    assert!(
        business
            .windows(2)
            .all(|two| newest_first(&two[0], &two[1]))
    );
    let mut tx = db.read().await.unwrap();
    for account in ACCOUNTS {
        let holdings = books::holdings(&mut tx, account.id, today()).await.unwrap();
        let entries = shown(&db, account.id, today()).await;
        let (booked, pending): (Vec<LedgerEntry>, Vec<LedgerEntry>) = entries
            .into_iter()
            .partition(|entry| entry.booking_day <= today());
        let last = booked.first().unwrap();
        assert_eq!(
            (holdings.booked, holdings.booked_on),
            (last.balance_after, last.booking_day)
        );
        assert_eq!(
            holdings.pending,
            pending.iter().map(|entry| entry.amount).sum::<i64>()
        );
        // What is shown adds up to what the account holds, from what it held when the shown history begins.
        // (The first days are left out: of them some entries were made before it.)
        let whole: Vec<&LedgerEntry> = booked
            .iter()
            .filter(|entry| entry.booking_day > today().plus(5 - HISTORY_DAYS))
            .collect();
        let opening = whole
            .last()
            .map(|first| first.balance_after - first.amount)
            .unwrap();
        let sum: i64 = whole.iter().map(|entry| entry.amount).sum();
        assert_eq!(opening + sum, holdings.booked, "account {}", account.id);
    }
}

async fn loading_again_changes_nothing(db: Db) {
    let (one, two) = tokio::join!(
        books::keep_loaded(&db, "family", today()),
        books::keep_loaded(&db, "family", today())
    );
    one.unwrap();
    two.unwrap();
    let first = shown(&db, HOUSEHOLD, today()).await;
    load(&db, today()).await;
    assert!(!first.is_empty() && first == shown(&db, HOUSEHOLD, today()).await);
}

async fn the_books_grow_with_the_days(db: Db) {
    load(&db, today()).await;
    let then = shown(&db, HOUSEHOLD, today()).await;
    let later = today().plus(90);
    load(&db, later).await;
    let now = shown(&db, HOUSEHOLD, later).await;
    let kept = |entry: &&LedgerEntry| entry.made_day > later.plus(-HISTORY_DAYS);
    let known: HashSet<_> = now.iter().map(LedgerEntry::id).collect();
    assert!(
        then.iter()
            .filter(kept)
            .all(|entry| known.contains(&entry.id()))
    );
    assert!(
        now.first().unwrap().made_day == later,
        "the newest entry is of today"
    );
    assert_eq!(shown(&db, BUSINESS, later).await.len(), 50_000);
}
