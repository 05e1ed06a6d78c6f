//! Banks whose lists go round in circles or stop in the middle of a day, rows that no longer open, clocks that are set back:
//! what is kept stays what it is, under the ids that it has.

use app::domain::ids::AccountId;
use app::domain::transaction::BookingStatus;

use super::odd_banks::days;
use super::*;
use crate::services::consents::accounts::{self, BalanceFilter, BalanceQuery};
use crate::services::consents::data::{Freshness, ServedFrom};
use crate::services::consents::sync::SyncChanges;
use crate::skills::UnreadableEntry;
use crate::storage::testing::on_both;

on_both!(
    a_list_in_circles_is_read_once_and_takes_nothing_away,
    a_list_that_stops_in_the_middle_of_a_day_takes_nothing_of_it,
    most_of_a_few_waits_as_well,
    what_moves_on_while_pages_are_read_is_there_once,
    days_at_the_ends_of_the_calendar_come_and_go,
    what_cannot_be_read_any_more_does_not_go,
    pending_entries_that_come_back_are_told_once,
    a_row_that_does_not_open_costs_no_list,
    a_way_into_the_bank_that_does_not_open_costs_freshness_alone,
    data_is_as_old_as_the_first_question,
    the_first_answer_says_what_it_lacks,
    a_clock_that_is_set_back_stops_no_fetch
);

pub(super) fn nothing(changes: &SyncChanges) -> bool {
    changes.added.is_empty() && changes.modified.is_empty() && changes.removed.is_empty()
}

pub(super) fn without_ids(mut rows: Vec<BankTransaction>) -> Vec<BankTransaction> {
    for row in &mut rows {
        row.id = None;
    }
    rows
}

impl World {
    pub(super) async fn ids(&self, pair: &Credentials) -> Vec<AccountId> {
        let list = accounts::list(&self.state, &self.client, pair).await;
        list.unwrap().items.iter().map(|item| item.id).collect()
    }

    pub(super) fn has_accounts(&self, accounts: &[BankAccount]) {
        *self.provider.accounts.lock().unwrap() = accounts.to_vec();
    }

    pub(super) async fn balances(&self, pair: &Credentials) -> Vec<accounts::OpenedBalance> {
        let wanted = BalanceQuery {
            filter: &BalanceFilter::default(),
            under: "",
            after: None,
            limit: 100,
        };
        let list = accounts::balances(&self.state, &self.client, pair, wanted).await;
        list.unwrap().items
    }
}

async fn a_list_in_circles_is_read_once_and_takes_nothing_away(db: Db) {
    let world = World::scripted(db).await;
    for rows in [days(55), without_ids(days(55))] {
        world.provider.in_circles.store(true, Ordering::SeqCst);
        world.answers(&rows);
        let pair = world.pair().await;
        let mut cursor = None;
        let first = world.changes(&pair, &mut cursor).await;
        assert_eq!((first.added.len(), first.fresh.suspect), (55, true));
        // A list without its end is no proof that anything is gone.
        world.answers(&rows[..50]);
        for _ in 0..2 {
            world.later();
            assert!(nothing(&world.changes(&pair, &mut cursor).await));
        }
        let mut fewer = rows.clone();
        fewer.drain(20..23);
        world.answers(&fewer);
        world.later();
        assert!(nothing(&world.changes(&pair, &mut cursor).await));
        world.provider.in_circles.store(false, Ordering::SeqCst);
        world.later();
        let changes = world.changes(&pair, &mut cursor).await;
        assert_eq!((changes.removed.len(), changes.fresh.suspect), (3, false));
    }
    // One page that leads to itself.
    world.provider.in_circles.store(true, Ordering::SeqCst);
    world.answers(&without_ids(days(10)));
    let pair = world.pair().await;
    assert_eq!(world.all(&pair).await.len(), 10);
}

async fn a_list_that_stops_in_the_middle_of_a_day_takes_nothing_of_it(db: Db) {
    let world = World::scripted(db).await;
    let of_a_day = |(n, row): (usize, BankTransaction)| {
        (0..3).map(move |part| BankTransaction {
            id: Some(format!("id-{n}-{part}")),
            ..row.clone()
        })
    };
    let rows: Vec<_> = days(20)
        .into_iter()
        .enumerate()
        .flat_map(of_a_day)
        .collect();
    world.answers(&rows);
    let pair = world.pair().await;
    let mut cursor = None;
    assert_eq!(world.changes(&pair, &mut cursor).await.added.len(), 60);
    for shown in [31, 32, 31] {
        world.answers(&rows[..shown]);
        world.later();
        let changes = world.changes(&pair, &mut cursor).await;
        assert!(nothing(&changes) && !changes.fresh.suspect, "{shown}");
    }
    // What is gone from a day that is shown whole is gone.
    let mut fewer = rows[..31].to_vec();
    fewer.remove(10);
    world.answers(&fewer);
    world.later();
    assert_eq!(world.changes(&pair, &mut cursor).await.removed.len(), 1);
}

async fn most_of_a_few_waits_as_well(db: Db) {
    let world = World::scripted(db).await;
    let rows = days(4);
    world.answers(&rows);
    let pair = world.pair().await;
    let mut cursor = None;
    world.changes(&pair, &mut cursor).await;
    world.answers(&rows[3..]);
    world.later();
    let changes = world.changes(&pair, &mut cursor).await;
    assert!(nothing(&changes) && changes.fresh.suspect);
    world.later();
    assert_eq!(world.changes(&pair, &mut cursor).await.removed.len(), 3);
}

async fn what_moves_on_while_pages_are_read_is_there_once(db: Db) {
    let world = World::scripted(db).await;
    for rows in [days(12), without_ids(days(12))] {
        let pages = vec![rows[..6].to_vec(), rows[3..9].to_vec(), rows[9..].to_vec()];
        *world.provider.pages.lock().unwrap() = pages;
        let pair = world.pair().await;
        let mut cursor = None;
        assert_eq!(world.changes(&pair, &mut cursor).await.added.len(), 12);
        // Empty pages in the middle and at the end are no end and no loss.
        let pages = vec![
            vec![],
            rows[..6].to_vec(),
            vec![],
            rows[6..].to_vec(),
            vec![],
        ];
        *world.provider.pages.lock().unwrap() = pages;
        world.later();
        assert!(nothing(&world.changes(&pair, &mut cursor).await));
    }
    // Two that look alike on one day are two, wherever the page ends between them; of two one may go.
    let one = without_ids(days(1)).remove(0);
    *world.provider.pages.lock().unwrap() = vec![vec![one.clone()], vec![one.clone()]];
    let pair = world.pair().await;
    let mut cursor = None;
    assert_eq!(world.changes(&pair, &mut cursor).await.added.len(), 2);
    world.answers(&[one]);
    world.later();
    assert_eq!(world.changes(&pair, &mut cursor).await.removed.len(), 1);
}

async fn days_at_the_ends_of_the_calendar_come_and_go(db: Db) {
    let world = World::scripted(db).await;
    let second = account("acc-2", "RO00TEST0000000000000002");
    let odd = ["0001-01-01", "1969-12-31", "1970-01-01", "9999-12-31"];
    let odd = odd.map(|day| transaction(day, "-1.00", day)).to_vec();
    let own = HashMap::from([("acc-2".into(), vec![odd])]);
    *world.provider.own_pages.lock().unwrap() = own;
    let first = account("acc-1", "RO00TEST0000000000000001");
    world.has_accounts(&[first.clone(), second]);
    let pair = world.pair().await;
    let mut cursor = None;
    assert_eq!(world.changes(&pair, &mut cursor).await.added.len(), 7);
    world.has_accounts(&[first]);
    world.later();
    assert!(nothing(&world.changes(&pair, &mut cursor).await));
    world.later();
    assert_eq!(world.changes(&pair, &mut cursor).await.removed.len(), 4);
    assert_eq!(world.ids(&pair).await.len(), 1);
}

async fn what_cannot_be_read_any_more_does_not_go(db: Db) {
    let world = World::scripted(db).await;
    for rows in [days(9), without_ids(days(9))] {
        world.answers(&rows);
        let pair = world.pair().await;
        let mut cursor = None;
        world.changes(&pair, &mut cursor).await;
        let mut fewer = rows.clone();
        let odd = fewer.remove(4);
        world.answers(&fewer);
        let unreadable = UnreadableEntry {
            field: "valueDate",
            id: odd.id.clone(),
            raw: b"{}".to_vec(),
        };
        *world.provider.unreadable.lock().unwrap() = vec![unreadable];
        for _ in 0..2 {
            world.later();
            assert!(nothing(&world.changes(&pair, &mut cursor).await));
        }
        world.provider.unreadable.lock().unwrap().clear();
        // More than any account of this world has.
        let mut huge = rows.clone();
        huge[4].amount = "79228162514264337593543950335".parse().unwrap();
        world.answers(&huge);
        world.later();
        let changes = world.changes(&pair, &mut cursor).await;
        assert!(nothing(&changes) && changes.fresh.unreadable == 1);
        world.answers(&rows);
        world.later();
        assert!(nothing(&world.changes(&pair, &mut cursor).await));
    }
}

async fn pending_entries_that_come_back_are_told_once(db: Db) {
    let world = World::scripted(db).await;
    let rows = days(10);
    let mut pending = transaction("p", "-7.00", "2025-12-31");
    pending.status = BookingStatus::Pending;
    pending.value_date = pending.booking_date.take();
    let with = |row: &BankTransaction| [vec![row.clone()], rows.clone()].concat();
    world.answers(&with(&pending));
    let pair = world.pair().await;
    let mut cursor = None;
    let utx = |changes: &SyncChanges| changes.added[0].row.utx.0.clone();
    let first = world.changes(&pair, &mut cursor).await;
    let known = first
        .added
        .iter()
        .find(|item| item.row.status == BookingStatus::Pending);
    let known = known.unwrap().row.utx.0.clone();
    world.answers(&rows);
    world.later();
    let changes = world.changes(&pair, &mut cursor).await;
    assert_eq!((changes.added.len(), changes.removed.len()), (0, 1));
    world.answers(&with(&pending));
    world.later();
    let changes = world.changes(&pair, &mut cursor).await;
    assert_eq!((changes.added.len(), changes.removed.len()), (1, 0));
    assert!(utx(&changes) == known);
    // Booked under its id with everything else changed: the same transaction, told once.
    let mut booked = transaction("p", "-7.50", "2026-01-01");
    booked.currency = "EUR".into();
    booked.remittance = Some("another text".into());
    world.answers(&with(&booked));
    world.later();
    let changes = world.changes(&pair, &mut cursor).await;
    assert_eq!((changes.added.len(), changes.removed.len()), (0, 0));
    let row = &changes.modified[0].row;
    assert!(row.utx.0 == known && row.status == BookingStatus::Booked && row.replaces.is_none());
    world.later();
    assert!(nothing(&world.changes(&pair, &mut cursor).await));
}

async fn a_row_that_does_not_open_costs_no_list(db: Db) {
    let world = World::scripted(db).await;
    let rows = days(9);
    world.answers(&rows);
    let second = account("acc-2", "RO00TEST0000000000000002");
    let first = account("acc-1", "RO00TEST0000000000000001");
    world.has_accounts(&[first, second]);
    let pair = world.pair().await;
    let mut cursor = None;
    world.changes(&pair, &mut cursor).await;
    let all = world.all(&pair).await;
    let ids = world.ids(&pair).await;
    // Whatever happened to them: altered, or sealed under a key that is lost.
    for (table, id) in [
        ("transactions", all[3].row.id.0),
        ("accounts", ids[0].0),
        ("balances", world.balances(&pair).await[0].id.0),
    ] {
        let sql = format!(
            "UPDATE {table} SET sealed = bank_grant FROM consents c WHERE {table}.id = $1 AND c.id = consent_id"
        );
        world.state.db.alter_one(&sql, id).await;
    }
    let read = world.all(&pair).await;
    assert_eq!(read.len(), 18);
    let lost: Vec<_> = read.iter().filter(|item| item.lost).collect();
    assert_eq!(lost.len(), 1);
    assert_eq!(
        (lost[0].row.id, lost[0].details.amount.as_str()),
        (all[3].row.id, "5")
    );
    let listing = accounts::list(&world.state, &world.client, &pair)
        .await
        .unwrap();
    assert_eq!((listing.items.len(), listing.fresh.unreadable), (1, 1));
    assert_eq!(
        (listing.lost[0].account_id, listing.lost[0].field.as_str()),
        (ids[0], "sealed")
    );
    assert_eq!(world.balances(&pair).await.len(), 1);
    let mut anew = None;
    let changes = world.changes(&pair, &mut anew).await;
    assert_eq!((changes.added.len(), changes.unreadable.len()), (18, 1));
    // The next fetch writes them anew, under the ids that they had.
    world.later();
    let changes = world.changes(&pair, &mut cursor).await;
    assert_eq!((changes.added.len(), changes.removed.len()), (0, 0));
    assert_eq!(changes.modified.len(), 1);
    assert!(changes.unreadable.is_empty());
    assert_eq!(world.ids(&pair).await, ids);
    assert_eq!(world.balances(&pair).await.len(), 2);
    assert!(world.all(&pair).await.iter().all(|item| !item.lost));
}

async fn a_way_into_the_bank_that_does_not_open_costs_freshness_alone(db: Db) {
    let world = World::scripted(db).await;
    let pair = world.pair().await;
    let before = world.how_fresh(&pair).await;
    let row = world.all(&pair).await.remove(0).row;
    // Sealed for another row.
    let sql = "UPDATE consents SET bank_grant = (SELECT sealed FROM transactions WHERE id = $1)
               WHERE id = (SELECT consent_id FROM transactions WHERE id = $1)";
    world.state.db.alter_one(sql, row.id.0).await;
    world.later();
    let fresh = world.how_fresh(&pair).await;
    assert_eq!(
        (fresh.served_from, fresh.as_of),
        (ServedFrom::Cache, before.as_of)
    );
    assert_eq!(world.all(&pair).await.len(), 3);
    let (state, client) = (&world.state, &world.client);
    crate::services::consents::delete(state, client, &pair, Some(0))
        .await
        .unwrap();
    let read = accounts::list(state, client, &pair).await;
    assert_eq!(code(read), Code::InactiveCredentials);
}

/// Reads while the bank takes its time, during which `meanwhile` happens.
async fn slowly(
    world: &World,
    pair: &Credentials,
    meanwhile: impl AsyncFnOnce(),
) -> Result<Freshness, ApiError> {
    let fetched = world.provider.fetched.load(Ordering::SeqCst);
    let held = world.provider.gate.acquire_many(1_000).await.unwrap();
    let reading = async {
        let list = accounts::list(&world.state, &world.client, pair).await;
        list.map(|list| list.fresh)
    };
    let going_on = async {
        while world.provider.fetched.load(Ordering::SeqCst) == fetched {
            tokio::task::yield_now().await;
        }
        meanwhile().await;
        drop(held);
    };
    futures_util::future::join(reading, going_on).await.0
}

async fn data_is_as_old_as_the_first_question(db: Db) {
    let world = World::scripted(db).await;
    let pair = world.pair().await;
    for from in [ServedFrom::Bank, ServedFrom::Bank] {
        let began = world.state.clock.now();
        let fresh = slowly(&world, &pair, async || world.advance(30))
            .await
            .unwrap();
        assert_eq!((fresh.as_of, fresh.served_from), (began, from));
        world.later();
    }
}

async fn the_first_answer_says_what_it_lacks(db: Db) {
    let world = World::scripted(db).await;
    let odd = UnreadableEntry {
        field: "bookingDate",
        id: None,
        raw: b"{}".to_vec(),
    };
    *world.provider.unreadable.lock().unwrap() = vec![odd];
    let pair = world.pair().await;
    let fresh = world.how_fresh(&pair).await;
    assert_eq!((fresh.served_from, fresh.unreadable), (ServedFrom::Bank, 2));
    // A consent that ends while its first data comes reads nothing.
    let pair = world.pair().await;
    let ended = slowly(&world, &pair, async || {
        let mut tx = world.state.db.write().await.unwrap();
        let now = world.state.clock.now();
        let by = app::domain::session::EndedBy::Tenant;
        tx.end_consent(pair.id, now, now, by).await.unwrap();
        tx.commit().await.unwrap();
    });
    assert_eq!(code(ended.await), Code::InactiveCredentials);
}

async fn a_clock_that_is_set_back_stops_no_fetch(db: Db) {
    let world = World::scripted(db).await;
    let pair = world.pair().await;
    let begin = world.how_fresh(&pair).await.as_of;
    // A month ahead for a while, in which the bank is asked, and fails.
    world.advance(30 * 86_400);
    world.how_fresh(&pair).await;
    world.advance(6 * 3600 + 1);
    *world.provider.down.lock().unwrap() = Some(ConnectorError::Timeout);
    world.how_fresh(&pair).await;
    *world.provider.down.lock().unwrap() = None;
    world.advance(-30 * 86_400);
    let fresh = world.how_fresh(&pair).await;
    assert_eq!(fresh.served_from, ServedFrom::Bank);
    assert!(fresh.as_of > begin && fresh.as_of <= world.state.clock.now());
    assert_eq!(
        fresh.budget.unwrap().left,
        3,
        "calls of days to come do not count"
    );
}
