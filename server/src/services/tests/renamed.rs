//! Accounts that a bank shows otherwise than before: twice, without an IBAN, under another id, in another currency, with
//! other balances.

use std::slice;

use super::odd_banks::days;
use super::steady::{nothing, without_ids};
use super::*;
use crate::services::consents::transactions::OpenedTransaction;
use crate::storage::testing::on_both;

on_both!(
    an_account_that_an_answer_has_twice_is_one,
    an_account_is_known_by_what_it_was_known_by_first,
    an_id_with_another_iban_is_another_account,
    a_bank_that_says_nothing_of_balances_takes_none_back,
    of_several_balances_of_a_type_the_latest_counts
);

async fn an_account_that_an_answer_has_twice_is_one(db: Db) {
    let world = World::scripted(db).await;
    let twice = account("acc-1", "RO00TEST0000000000000001");
    world.has_accounts(&[twice.clone(), twice.clone()]);
    let pair = world.pair().await;
    let mut cursor = None;
    assert_eq!(world.changes(&pair, &mut cursor).await.added.len(), 3);
    assert_eq!(world.ids(&pair).await.len(), 1);
    world.has_accounts(slice::from_ref(&twice));
    world.later();
    let changes = world.changes(&pair, &mut cursor).await;
    assert!(nothing(&changes) && !changes.fresh.suspect);
    let mut spelled = twice;
    spelled.iban = Some("ro00 TEST 0000 0000 0000 0001".into());
    spelled.id = "acc-9".into();
    world.has_accounts(&[spelled]);
    world.later();
    let changes = world.changes(&pair, &mut cursor).await;
    assert!(nothing(&changes) && !changes.fresh.suspect);
}

async fn an_account_is_known_by_what_it_was_known_by_first(db: Db) {
    let world = World::scripted(db).await;
    for ids in [true, false] {
        let rows = if ids { days(9) } else { without_ids(days(9)) };
        world.answers(&rows);
        let first = account("acc-1", "RO00TEST0000000000000001");
        world.has_accounts(slice::from_ref(&first));
        let pair = world.pair().await;
        let mut cursor = None;
        let known = world.changes(&pair, &mut cursor).await;
        let before = world.ids(&pair).await;
        let with = |change: &dyn Fn(&mut BankAccount)| {
            let mut account = first.clone();
            change(&mut account);
            account
        };
        // Left out for once; counted in euros from now on; and both, one after the other.
        let no_iban = with(&|account| account.iban = None);
        let euros = with(&|account| account.currency = "EUR".into());
        let unnamed = with(&|account| account.currency = "XXX".into());
        for odd in [&no_iban, &first, &euros, &no_iban, &unnamed, &euros] {
            world.has_accounts(slice::from_ref(odd));
            world.later();
            let changes = world.changes(&pair, &mut cursor).await;
            assert!(nothing(&changes), "{:?} {}", odd.iban, odd.currency);
            assert!(!changes.fresh.suspect && world.ids(&pair).await == before);
        }
        // An account that comes to be what this one was known by is another one.
        let other = with(&|account| account.id = "acc-2".into());
        world.has_accounts(&[other, euros.clone()]);
        world.later();
        let changes = world.changes(&pair, &mut cursor).await;
        assert_eq!((changes.added.len(), changes.removed.len()), (9, 0));
        assert!(changes.modified.is_empty());
        let old: Vec<_> = known.added.iter().map(|item| &item.row.utx.0).collect();
        let is_new = |item: &OpenedTransaction| !old.contains(&&item.row.utx.0);
        assert!(changes.added.iter().all(is_new));
    }
}

async fn an_id_with_another_iban_is_another_account(db: Db) {
    let world = World::scripted(db).await;
    let [one, two] = ["1", "2"].map(|n| account(n, &format!("RO00TEST000000000000000{n}")));
    let row = |amount: &str| vec![vec![transaction("77", amount, "2025-12-31")]];
    let own =
        |one: &str, two: &str| HashMap::from([("1".into(), row(one)), ("2".into(), row(two))]);
    *world.provider.own_pages.lock().unwrap() = own("-1.00", "-2.00");
    world.has_accounts(&[one.clone(), two.clone()]);
    let pair = world.pair().await;
    let mut cursor = None;
    world.changes(&pair, &mut cursor).await;
    let before = world.ids(&pair).await;
    // A bank that numbers the accounts as it lists them.
    let renamed = |account: &BankAccount, id: &str| BankAccount {
        id: id.into(),
        ..account.clone()
    };
    world.has_accounts(&[renamed(&two, "1"), renamed(&one, "2")]);
    *world.provider.own_pages.lock().unwrap() = own("-2.00", "-1.00");
    world.later();
    assert!(nothing(&world.changes(&pair, &mut cursor).await));
    let after = world.ids(&pair).await;
    assert_eq!(after, [before[1], before[0]]);
    // And one that shows somebody else's account in the place of one: nothing is put over what is kept.
    let foreign = account("1", "RO00TEST0000000000000009");
    world.has_accounts(&[foreign, renamed(&one, "2")]);
    world.later();
    let changes = world.changes(&pair, &mut cursor).await;
    assert_eq!((changes.added.len(), changes.removed.len()), (1, 0));
    assert!(changes.modified.is_empty() && changes.fresh.suspect);
    assert_eq!(world.ids(&pair).await.len(), 3);
}

async fn a_bank_that_says_nothing_of_balances_takes_none_back(db: Db) {
    let world = World::scripted(db).await;
    let pair = world.pair().await;
    let before = world.balances(&pair).await;
    let mut silent = account("acc-1", "RO00TEST0000000000000001");
    silent.balances.clear();
    world.has_accounts(&[silent]);
    world.later();
    world.how_fresh(&pair).await;
    let after = world.balances(&pair).await;
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_eq!(before[0].id, after[0].id);
    assert_eq!(before[0].fetched_at, after[0].fetched_at, "as old as it is");
}

async fn of_several_balances_of_a_type_the_latest_counts(db: Db) {
    let world = World::scripted(db).await;
    let mut account = account("acc-1", "RO00TEST0000000000000001");
    let model = account.balances.remove(0);
    let of = |day: Option<&str>, amount: i64| BankBalance {
        reference_date: day.map(|day| day.parse().unwrap()),
        amount: amount.into(),
        ..model.clone()
    };
    account.balances = vec![
        of(Some("2025-12-31"), 3),
        of(Some("2025-12-30"), 2),
        of(None, 1),
    ];
    world.has_accounts(&[account]);
    let pair = world.pair().await;
    let balances = world.balances(&pair).await;
    assert_eq!(balances.len(), 1);
    assert_eq!(balances[0].details.amount, "3");
}
