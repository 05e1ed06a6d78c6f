//! Data that has become old is fetched again: in time, within the bank's budget, and without harm when the bank fails.

use std::time::Duration as StdDuration;

use super::*;
use crate::config::Config;
use crate::jobs::refresh_data::RefreshData;
use crate::services::consents::bank_allowance::BankAllowance;
use crate::services::consents::data::{Freshness, ServedFrom};
use crate::services::consents::fetch::{FetchOutcome, FetchReason, fetch};
use crate::services::consents::transactions::{self, TransactionFilter};
use crate::services::consents::{accounts, sync};
use crate::storage::testing::on_both;
use crate::worker;
use crate::worker::JobHandler as _;

on_both!(
    a_first_read_that_takes_too_long_is_told_when_to_come_back,
    old_data_is_fetched_again_when_it_is_read,
    a_bank_is_asked_no_more_often_than_its_budget_allows,
    a_bank_that_fails_costs_freshness_and_nothing_else,
    a_consent_withdrawn_at_the_bank_reads_nothing_here,
    a_booking_under_another_name_says_what_it_replaces,
    what_is_older_than_the_bank_must_tell_is_left_alone,
    an_account_the_bank_no_longer_shows_goes_with_all_in_it,
    of_two_refreshes_one_asks_the_bank,
    a_fetch_that_lost_its_claim_writes_nothing_more,
    data_that_nobody_reads_is_fetched_in_the_background
);

fn hourly() -> Config {
    let mut config = Config::default();
    config.data.refresh_minutes = 60;
    config
}

impl World {
    async fn fresh(&self, pair: &Credentials) -> Freshness {
        let list = accounts::list(&self.state, &self.client, pair);
        list.await.unwrap().fresh
    }

    /// Returns the `info` of the transactions, newest first.
    async fn infos(&self, pair: &Credentials) -> Vec<String> {
        let reader = transactions::reader(
            &self.state,
            &self.client,
            pair,
            TransactionFilter::default(),
        );
        let page = reader.await.unwrap().page(None, 500).await.unwrap();
        let info = |item: transactions::OpenedTransaction| item.details.info.unwrap_or_default();
        page.items.into_iter().map(info).collect()
    }

    fn shows(&self, rows: Vec<BankTransaction>) {
        *self.provider.pages.lock().unwrap() = vec![rows];
    }

    fn fetches(&self) -> usize {
        self.provider.fetched.load(Ordering::SeqCst)
    }
}

fn says(id: &str, info: &str, day: &str) -> BankTransaction {
    BankTransaction {
        remittance: Some(info.into()),
        ..transaction(id, "-5.00", day)
    }
}

fn pending(mut transaction: BankTransaction) -> BankTransaction {
    transaction.status = BookingStatus::Pending;
    transaction.value_date = transaction.booking_date.take();
    transaction
}

async fn a_first_read_that_takes_too_long_is_told_when_to_come_back(db: Db) {
    let mut config = Config::default();
    config.data.first_fetch_wait_seconds = 1;
    let world = World::builder(state_with(db, config))
        .scripted()
        .build()
        .await;
    let pair = world.pair().await;
    let held = world.provider.gate.acquire_many(1_000).await.unwrap();
    let Err(ApiError::Refused(refusal)) = accounts::list(&world.state, &world.client, &pair).await
    else {
        panic!("the bank has not answered yet");
    };
    assert_eq!(
        (refusal.code, refusal.retry_after),
        (Code::ServiceUnavailable, Some(2))
    );
    // Nobody waits any more, and the fetch goes on: who comes back finds what it brought.
    drop(held);
    world.fresh(&pair).await;
    assert_eq!(world.fetches(), 1);
}

async fn old_data_is_fetched_again_when_it_is_read(db: Db) {
    let world = World::scripted(db).await;
    world.shows(vec![
        says("b", "second", "2025-12-31"),
        says("a", "first", "2025-12-30"),
    ]);
    let pair = world.pair().await;
    assert_eq!(world.infos(&pair).await, ["second", "first"]);
    world.shows(vec![
        says("c", "third", "2026-01-01"),
        says("a", "first, mended", "2025-12-30"),
    ]);
    world.advance(6 * 3600 - 1);
    assert_eq!(world.infos(&pair).await, ["second", "first"]);
    assert_eq!(world.fetches(), 1);
    world.advance(2);
    assert_eq!(world.infos(&pair).await, ["third", "first, mended"]);
    let fresh = world.fresh(&pair).await;
    assert_eq!((world.fetches(), fresh.served_from), (2, ServedFrom::Cache));
    assert_eq!(fresh.as_of, world.state.clock.now());
}

async fn a_bank_is_asked_no_more_often_than_its_budget_allows(db: Db) {
    let world = World::builder(state_with(db, hourly()))
        .scripted()
        .build()
        .await;
    let pair = world.pair().await;
    let first = world.fresh(&pair).await;
    assert_eq!(
        first.budget.unwrap(),
        BankAllowance {
            limit: 4,
            left: 4,
            resets_at: None
        },
        "what the end-user has just consented to is not counted"
    );
    let mut answers = Vec::new();
    for _ in 0..24 {
        world.advance(3600);
        answers.push(world.fresh(&pair).await);
    }
    assert_eq!(world.fetches(), 1 + 4);
    let left: Vec<_> = answers
        .iter()
        .map(|fresh| fresh.budget.unwrap().left)
        .collect();
    assert_eq!(left[..5], [3, 2, 1, 0, 0]);
    assert_eq!(answers[3].served_from, ServedFrom::Bank);
    // Used up: the answer is there, as old as it says, and says when it will be fresher.
    let last = answers.last().unwrap();
    assert_eq!(last.served_from, ServedFrom::Cache);
    assert_eq!(last.as_of, answers[3].as_of);
    let reset = answers[0].as_of + chrono::Duration::hours(24);
    assert_eq!(last.budget.unwrap().resets_at, Some(reset));
    world.advance(3600);
    assert_eq!(world.fresh(&pair).await.served_from, ServedFrom::Bank);
}

async fn a_bank_that_fails_costs_freshness_and_nothing_else(db: Db) {
    let world = World::builder(state_with(db, hourly()))
        .scripted()
        .build()
        .await;
    let pair = world.pair().await;
    let first = world.fresh(&pair).await;
    let fails = |error| *world.provider.down.lock().unwrap() = error;
    let errors = [
        (ConnectorError::Timeout, 15 * 60, 3),
        // Nobody was asked: nothing is counted.
        (ConnectorError::Unreachable, 15 * 60, 3),
        (
            ConnectorError::TooManyRequests {
                retry_after: Some(StdDuration::from_hours(2)),
            },
            2 * 3600,
            2,
        ),
        (ConnectorError::BadAnswer("x"), 15 * 60, 1),
    ];
    world.advance(3601);
    for (error, quiet, left) in errors {
        fails(Some(error));
        let before = world.fetches();
        let fresh = world.fresh(&pair).await;
        assert_eq!(
            (fresh.served_from, fresh.as_of),
            (ServedFrom::Cache, first.as_of)
        );
        world.advance(quiet - 1);
        assert_eq!(world.fresh(&pair).await.budget.unwrap().left, left);
        assert_eq!(world.fetches(), before + 1, "it is left alone for a while");
        world.advance(1);
    }
    fails(None);
    assert_eq!(world.fresh(&pair).await.served_from, ServedFrom::Bank);
}

async fn a_consent_withdrawn_at_the_bank_reads_nothing_here(db: Db) {
    let world = World::scripted(db).await;
    let pair = world.pair().await;
    world.fresh(&pair).await;
    *world.provider.down.lock().unwrap() = Some(ConnectorError::Unauthorized);
    world.advance(6 * 3600 + 1);
    let list = accounts::list(&world.state, &world.client, &pair);
    assert_eq!(code(list.await), Code::InactiveCredentials);
}

async fn a_booking_under_another_name_says_what_it_replaces(db: Db) {
    let world = World::scripted(db).await;
    world.shows(vec![
        pending(says("p2", "same money", "2026-01-01")),
        pending(says("p1", "same money", "2025-12-31")),
        pending(says("p3", "stays the same", "2025-12-31")),
    ]);
    let pair = world.pair().await;
    let all = sync::sync(&world.state, &world.client, &pair, None, 100);
    let all = all.await.unwrap();
    let utx = |id: &str| {
        let mut rows = all.added.iter();
        let found = rows.find(|item| item.details.info.as_deref() == Some(id));
        found.unwrap().row.utx.clone()
    };
    // The older of two alike is booked first. One that keeps its name is the same transaction, and replaces none.
    world.shows(vec![
        says("b1", "booked", "2026-01-01"),
        pending(says("p2", "same money", "2026-01-01")),
        says("p3", "stays the same", "2026-01-01"),
    ]);
    world.advance(6 * 3600 + 1);
    let next = sync::sync(
        &world.state,
        &world.client,
        &pair,
        Some(&all.next_cursor),
        100,
    );
    let next = next.await.unwrap();
    assert_eq!(next.added.len(), 1);
    let booked = &next.added[0].row;
    assert!(booked.replaces.as_ref() == Some(&next.removed[0].utx));
    assert_eq!(
        next.removed[0].booked_at.date_naive().to_string(),
        "2025-12-31"
    );
    let same = &next.modified[0];
    assert_eq!(same.row.status, BookingStatus::Booked);
    assert!(same.row.utx == utx("stays the same") && same.row.replaces.is_none());
    assert_eq!((next.modified.len(), next.removed.len()), (1, 1));
}

async fn what_is_older_than_the_bank_must_tell_is_left_alone(db: Db) {
    let world = World::scripted(db).await;
    let old = says("old", "old", "2025-06-01");
    world.shows(vec![says("new", "new", "2025-12-31"), old]);
    let pair = world.pair().await;
    world.fresh(&pair).await;
    // An empty answer is believed once a later one says the same, and then only of the days it covers.
    world.shows(vec![]);
    world.advance(6 * 3600 + 1);
    assert_eq!(world.infos(&pair).await, ["new", "old"]);
    world.advance(6 * 3600 + 1);
    assert_eq!(world.infos(&pair).await, ["old"]);
}

async fn an_account_the_bank_no_longer_shows_goes_with_all_in_it(db: Db) {
    let world = World::scripted(db).await;
    let second = account("acc-2", "RO00TEST0000000000000002");
    world.provider.accounts.lock().unwrap().push(second);
    let pair = world.pair().await;
    let before = world.infos(&pair).await.len();
    assert_eq!(before, 6, "the fake bank shows the same in each account");
    world.provider.accounts.lock().unwrap().truncate(1);
    world.advance(6 * 3600 + 1);
    assert_eq!(world.infos(&pair).await.len(), 6, "not at once");
    assert!(world.fresh(&pair).await.suspect);
    world.advance(6 * 3600 + 1);
    assert_eq!(world.infos(&pair).await.len(), 3);
    assert!(!world.fresh(&pair).await.suspect);
    let list = accounts::list(&world.state, &world.client, &pair);
    assert_eq!(list.await.unwrap().items.len(), 1);
    // A bank that shows nothing at all has lost its mind, not its customers.
    world.provider.accounts.lock().unwrap().clear();
    world.advance(6 * 3600 + 1);
    assert_eq!(world.infos(&pair).await.len(), 3);
}

async fn of_two_refreshes_one_asks_the_bank(db: Db) {
    let world = World::scripted(db).await;
    let pair = world.pair().await;
    world.fresh(&pair).await;
    world.advance(6 * 3600 + 1);
    let stale = FetchReason::Stale(world.state.clock.now());
    let both = futures_util::future::join_all((0..6).map(|_| fetch(&world.state, pair.id, stale)));
    let outcomes: Vec<_> = both.await.into_iter().map(Result::unwrap).collect();
    let done = FetchOutcome::Fresh(world.state.clock.now());
    assert!(outcomes.contains(&done));
    // Who comes when all is over may find a second refresh due: the clock stands still.
    let asked = outcomes.iter().filter(|one| **one == done).count();
    assert_eq!(world.fetches(), 1 + asked);
    assert_eq!(
        i64::try_from(asked).unwrap(),
        4 - world.fresh(&pair).await.budget.unwrap().left
    );
}

async fn a_fetch_that_lost_its_claim_writes_nothing_more(db: Db) {
    let world = World::scripted(db).await;
    world.shows(vec![says("a", "first", "2025-12-31")]);
    let pair = world.pair().await;
    world.fresh(&pair).await;
    world.advance(6 * 3600 + 1);
    let stale = FetchReason::Stale(world.state.clock.now());
    let held = world.provider.gate.acquire_many(1_000).await.unwrap();
    let slow = tokio::spawn({
        let world = world.clone();
        async move { fetch(&world.state, pair.id, stale).await }
    });
    // It has written the account down, which held its claim longer.
    while world.provider.paged.load(Ordering::SeqCst) < 2 {
        tokio::time::sleep(StdDuration::from_millis(5)).await;
    }
    // A minute without a sign of life: another takes over, and is as slow.
    world.advance(61);
    let id = pair.id;
    let other = tokio::spawn({
        let world = world.clone();
        async move { fetch(&world.state, id, stale).await }
    });
    while world.fetches() < 3 {
        tokio::time::sleep(StdDuration::from_millis(5)).await;
    }
    world.shows(vec![says("b", "second", "2025-12-31")]);
    drop(held);
    let outcomes = [slow.await.unwrap().unwrap(), other.await.unwrap().unwrap()];
    assert_eq!(outcomes[0], FetchOutcome::InProgress);
    assert_eq!(outcomes[1], FetchOutcome::Fresh(world.state.clock.now()));
    assert_eq!(world.infos(&pair).await, ["second"]);
}

async fn data_that_nobody_reads_is_fetched_in_the_background(db: Db) {
    let world = World::scripted(db).await;
    let pair = world.pair().await;
    world.fresh(&pair).await;
    let look = async || {
        RefreshData {}.run(&world.state).await.unwrap();
        while worker::run_one(&world.state).await.unwrap() {}
        world.fetches()
    };
    world.advance(12 * 3600 - 1);
    assert_eq!(look().await, 1);
    world.advance(1);
    assert_eq!(look().await, 2);
    assert_eq!(look().await, 2, "twelve hours begin anew");
    let mut tx = world.state.db.write().await.unwrap();
    tx.set_tenant_status(world.client.tenant(), TenantStatus::Paused)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    world.advance(13 * 3600);
    assert_eq!(look().await, 2, "a paused tenant's data rests");
}
