//! Banks that answer oddly: an empty list, half a list, entries that nobody can read, two accounts of one IBAN, ids that
//! are used again. None of it takes data away, and what cannot be trusted says so.

use base64::Engine as _;

use super::*;
use crate::services::consents::data::Freshness;
use crate::services::consents::sync::{self, SyncChanges};
use crate::services::consents::transactions::{self, OpenedTransaction, TransactionFilter};
use crate::services::consents::utx::Stability;
use crate::services::consents::{accounts, sealed};
use crate::skills::UnreadableEntry;
use crate::storage::testing::on_both;

on_both!(
    an_empty_answer_takes_nothing_away_before_it_is_confirmed,
    what_is_older_than_the_bank_shows_is_left_alone,
    few_that_are_gone_go_at_once_and_many_wait,
    an_entry_that_cannot_be_read_costs_itself_alone,
    two_accounts_of_one_iban_stay_apart_in_any_order,
    accounts_of_before_keep_their_ids,
    nothing_in_common_is_no_booking,
    an_id_that_is_used_twice_is_no_id,
    a_text_in_another_spelling_is_no_news,
    a_merchant_is_found_in_every_spelling,
    a_consent_without_an_end_is_cut_to_what_was_asked,
    a_cursor_is_good_for_its_own_list
);

impl World {
    pub(super) async fn all(&self, pair: &Credentials) -> Vec<OpenedTransaction> {
        let reader = transactions::reader(
            &self.state,
            &self.client,
            pair,
            TransactionFilter::default(),
        );
        reader
            .await
            .unwrap()
            .page(None, 10_000)
            .await
            .unwrap()
            .items
    }

    pub(super) async fn how_fresh(&self, pair: &Credentials) -> Freshness {
        let list = accounts::list(&self.state, &self.client, pair);
        list.await.unwrap().fresh
    }

    pub(super) async fn changes(
        &self,
        pair: &Credentials,
        cursor: &mut Option<String>,
    ) -> SyncChanges {
        let changes = sync::sync(&self.state, &self.client, pair, cursor.as_deref(), 500);
        let changes = changes.await.unwrap();
        *cursor = Some(changes.next_cursor.clone());
        changes
    }

    pub(super) fn answers(&self, rows: &[BankTransaction]) {
        *self.provider.pages.lock().unwrap() = rows.chunks(20).map(<[_]>::to_vec).collect();
    }

    pub(super) fn later(&self) {
        self.advance(6 * 3600 + 1);
    }
}

pub(super) fn days(count: u32) -> Vec<BankTransaction> {
    let first: chrono::NaiveDate = "2025-11-01".parse().unwrap();
    let mut rows: Vec<_> = (0..count)
        .map(|n| {
            let day = first + chrono::Duration::days(i64::from(n));
            let mut row = transaction(&format!("id-{n}"), "-5.00", &day.to_string());
            row.remittance = Some(format!("text {n}"));
            row
        })
        .collect();
    rows.reverse();
    rows
}

async fn an_empty_answer_takes_nothing_away_before_it_is_confirmed(db: Db) {
    let world = World::scripted(db).await;
    let rows = days(55);
    world.answers(&rows);
    let pair = world.pair().await;
    let mut cursor = None;
    assert_eq!(world.changes(&pair, &mut cursor).await.added.len(), 55);
    // The bank is ill: 200, and an empty list.
    world.answers(&[]);
    world.later();
    let changes = world.changes(&pair, &mut cursor).await;
    assert!(changes.removed.is_empty() && changes.fresh.suspect);
    assert_eq!(world.all(&pair).await.len(), 55);
    // It is well again: nothing has happened.
    world.answers(&rows);
    world.later();
    let changes = world.changes(&pair, &mut cursor).await;
    assert!(changes.removed.is_empty() && changes.added.is_empty() && changes.modified.is_empty());
    assert!(!changes.fresh.suspect);
    // Ill twice, with a good answer between: the first time does not count any more.
    world.answers(&[]);
    world.later();
    assert!(world.changes(&pair, &mut cursor).await.fresh.suspect);
    // And again some time later: now it is believed, of the 90 days that it was asked for.
    world.later();
    let changes = world.changes(&pair, &mut cursor).await;
    assert_eq!(changes.removed.len(), 55);
    assert!(!changes.fresh.suspect);
    assert!(world.all(&pair).await.is_empty());
}

async fn what_is_older_than_the_bank_shows_is_left_alone(db: Db) {
    let world = World::scripted(db).await;
    let rows = days(60);
    world.answers(&rows);
    let pair = world.pair().await;
    let mut cursor = None;
    world.changes(&pair, &mut cursor).await;
    // The bank gives the last thirty only.
    world.answers(&rows[..30]);
    for _ in 0..4 {
        world.later();
        let changes = world.changes(&pair, &mut cursor).await;
        assert!(changes.removed.is_empty() && !changes.fresh.suspect);
    }
    assert_eq!(world.all(&pair).await.len(), 60);
}

async fn few_that_are_gone_go_at_once_and_many_wait(db: Db) {
    let world = World::scripted(db).await;
    let rows = days(50);
    world.answers(&rows);
    let pair = world.pair().await;
    let mut cursor = None;
    world.changes(&pair, &mut cursor).await;
    let without = |some: std::ops::Range<usize>| {
        let mut left = rows.clone();
        left.drain(some);
        left
    };
    world.answers(&without(10..14));
    world.later();
    assert_eq!(world.changes(&pair, &mut cursor).await.removed.len(), 4);
    world.answers(&without(10..30));
    world.later();
    let changes = world.changes(&pair, &mut cursor).await;
    assert!(changes.removed.is_empty() && changes.fresh.suspect);
    // One of them is back; the others go once it is confirmed.
    world.answers(&without(10..29));
    world.later();
    let changes = world.changes(&pair, &mut cursor).await;
    assert_eq!((changes.removed.len(), changes.fresh.suspect), (15, false));
    assert_eq!(world.all(&pair).await.len(), 31);
}

async fn an_entry_that_cannot_be_read_costs_itself_alone(db: Db) {
    let world = World::scripted(db.clone()).await;
    world.answers(&days(20));
    let pair = world.pair().await;
    let mut cursor = None;
    world.changes(&pair, &mut cursor).await;
    let secret = br#"{"transactionId":"id-7","creditorName":"Canary","bookingDate":"soon"}"#;
    let odd = UnreadableEntry {
        field: "bookingDate",
        id: Some("id-7".into()),
        raw: secret.to_vec(),
    };
    *world.provider.unreadable.lock().unwrap() = vec![odd];
    let mut rows = days(20);
    rows.retain(|row| row.id.as_deref() != Some("id-7"));
    world.answers(&rows);
    world.later();
    let changes = world.changes(&pair, &mut cursor).await;
    assert!(changes.removed.is_empty() && changes.added.is_empty());
    assert_eq!(changes.unreadable.len(), 1);
    let told = &changes.unreadable[0];
    assert_eq!((told.field.as_str(), told.count), ("bookingDate", 1));
    assert_eq!(
        world.all(&pair).await.len(),
        20,
        "what was readable once stays"
    );
    assert_eq!(world.how_fresh(&pair).await.unreadable, 1);
    // It is kept, and not in words.
    let dump = db.dump().await;
    assert!(!dump.contains("Canary"));
    world.provider.unreadable.lock().unwrap().clear();
    world.answers(&days(20));
    world.later();
    let changes = world.changes(&pair, &mut cursor).await;
    assert!(changes.unreadable.is_empty() && changes.fresh.unreadable == 0);
    assert!(changes.added.is_empty() && changes.modified.is_empty());
    // Units that are finer than ours are data.
    let mut fine = transaction("fine", "0.00014884", "2025-12-31");
    fine.currency = "BTC".into();
    rows.push(fine);
    world.answers(&rows);
    world.later();
    let changes = world.changes(&pair, &mut cursor).await;
    assert_eq!(changes.added[0].details.amount, "0.00014884");
}

fn space(id: &str, name: &str) -> BankAccount {
    let mut account = account(id, "DE89370400440532013000");
    account.name = Some(name.into());
    account
}

async fn two_accounts_of_one_iban_stay_apart_in_any_order(db: Db) {
    let world = World::scripted(db).await;
    for names in [["Main", "Space"], ["Same", "Same"]] {
        let [a1, a2] = [space("a1", names[0]), space("a2", names[1])];
        *world.provider.accounts.lock().unwrap() = vec![a1.clone(), a2.clone()];
        let row = |amount: &str| vec![vec![transaction("77", amount, "2025-12-31")]];
        *world.provider.own_pages.lock().unwrap() =
            HashMap::from([("a1".into(), row("-1.00")), ("a2".into(), row("-2.00"))]);
        let pair = world.pair().await;
        let mut cursor = None;
        let first = world.changes(&pair, &mut cursor).await;
        assert_eq!(first.added.len(), 2);
        let mut utx: Vec<_> = first.added.iter().map(|item| &item.row.utx.0).collect();
        utx.sort();
        utx.dedup();
        assert_eq!(utx.len(), 2, "one id in two accounts is two transactions");
        let list = accounts::list(&world.state, &world.client, &pair).await;
        let own =
            |list: &accounts::Listing<accounts::OpenedAccount, _>, at: usize| list.items[at].id;
        let before = list.unwrap();
        *world.provider.accounts.lock().unwrap() = vec![a2, a1];
        world.later();
        let next = world.changes(&pair, &mut cursor).await;
        assert!(next.added.is_empty() && next.modified.is_empty() && next.removed.is_empty());
        let after = accounts::list(&world.state, &world.client, &pair)
            .await
            .unwrap();
        assert_eq!(
            (own(&before, 0), own(&before, 1)),
            (own(&after, 1), own(&after, 0))
        );
        let stability = |item: &accounts::OpenedAccount| item.details.stability;
        assert!(
            after
                .items
                .iter()
                .all(|item| stability(item) == Some(Stability::Bank))
        );
    }
    world.provider.own_pages.lock().unwrap().clear();
}

async fn accounts_of_before_keep_their_ids(db: Db) {
    let world = World::scripted(db).await;
    let pair = world.pair().await;
    let mut cursor = None;
    world.changes(&pair, &mut cursor).await;
    let before = accounts::list(&world.state, &world.client, &pair)
        .await
        .unwrap();
    // As it was before the bank's own ids were kept, and before texts were folded.
    let id = before.items[0].id.0;
    let sql = "UPDATE accounts SET resource_key = NULL WHERE id = $1";
    world.state.db.alter_one(sql, id).await;
    let sql = "UPDATE tenants SET utx_version = 1 WHERE id = $1";
    world.state.db.alter_one(sql, world.client.tenant().0).await;
    world.later();
    let changes = world.changes(&pair, &mut cursor).await;
    assert!(changes.added.is_empty() && changes.modified.is_empty() && changes.removed.is_empty());
    let after = accounts::list(&world.state, &world.client, &pair)
        .await
        .unwrap();
    assert_eq!(before.items[0].id, after.items[0].id);
}

async fn nothing_in_common_is_no_booking(db: Db) {
    let world = World::scripted(db).await;
    let bare = |id: &str, status, reference: Option<&str>| {
        let mut row = transaction(id, "-200.00", "2025-12-31");
        row.creditor = None;
        row.status = status;
        row.entry_reference = reference.map(str::to_owned);
        if status == BookingStatus::Pending {
            row.value_date = row.booking_date.take();
        }
        row
    };
    let rows = days(10);
    let with = |row: BankTransaction| [vec![row], rows.clone()].concat();
    for (reference, replaces) in [(None, false), (Some("r-1"), true)] {
        world.answers(&with(bare("p", BookingStatus::Pending, reference)));
        let pair = world.pair().await;
        let mut cursor = None;
        world.changes(&pair, &mut cursor).await;
        world.answers(&with(bare("b", BookingStatus::Booked, reference)));
        world.later();
        let changes = world.changes(&pair, &mut cursor).await;
        assert_eq!((changes.added.len(), changes.removed.len()), (1, 1));
        let claimed = changes.added[0].row.replaces.is_some();
        assert_eq!(claimed, replaces, "{reference:?}");
    }
}

async fn an_id_that_is_used_twice_is_no_id(db: Db) {
    let world = World::scripted(db).await;
    let row = |id: &str, amount: &str| transaction(id, amount, "2025-12-31");
    // The same id for everything.
    world.answers(&[
        row("9998", "-1.00"),
        row("9998", "-2.00"),
        row("9998", "-3.00"),
    ]);
    let pair = world.pair().await;
    let mut cursor = None;
    let first = world.changes(&pair, &mut cursor).await;
    assert_eq!(first.added.len(), 3);
    let derived = |item: &OpenedTransaction| item.details.stability == Stability::Derived;
    assert!(first.added.iter().all(derived));
    // Numbered by their place: one more in front gives each the id of another.
    let other = world.pair().await;
    world.answers(&[row("d-0", "-1.00"), row("d-1", "-2.00")]);
    let mut cursor = None;
    let first = world.changes(&other, &mut cursor).await;
    let utx = |changes: &SyncChanges, amount: &str| {
        let mut all = changes.added.iter().chain(&changes.modified);
        let found = all.find(|item| item.details.amount == amount);
        found.unwrap().row.utx.0.clone()
    };
    world.answers(&[
        row("d-0", "-7.00"),
        row("d-1", "-1.00"),
        row("d-2", "-2.00"),
    ]);
    world.later();
    let second = world.changes(&other, &mut cursor).await;
    assert_eq!((second.added.len(), second.removed.len()), (1, 0));
    assert_eq!(second.added[0].details.amount, "7.00");
    assert!(second.modified.iter().all(derived), "and it is said so");
    for amount in ["1.00", "2.00"] {
        assert!(utx(&first, amount) == utx(&second, amount), "{amount}");
    }
    world.answers(&[row("x", "-2.00"), row("y", "-7.00"), row("z", "-1.00")]);
    world.later();
    let third = world.changes(&other, &mut cursor).await;
    assert!(third.added.is_empty() && third.modified.is_empty() && third.removed.is_empty());
}

async fn a_text_in_another_spelling_is_no_news(db: Db) {
    let world = World::scripted(db).await;
    for version in [1, 2] {
        let sql = format!("UPDATE tenants SET utx_version = {version} WHERE id = $1");
        world
            .state
            .db
            .alter_one(&sql, world.client.tenant().0)
            .await;
        let says = |text: &str| {
            let mut rows = days(6);
            for row in &mut rows {
                row.id = None;
                row.remittance = Some(text.into());
            }
            rows
        };
        world.answers(&says("Depozitul Meșter"));
        let pair = world.pair().await;
        let mut cursor = None;
        assert_eq!(world.changes(&pair, &mut cursor).await.added.len(), 6);
        for text in ["Depozitul Mes\u{326}ter", "Depozitul  Meşter "] {
            world.answers(&says(text));
            world.later();
            let changes = world.changes(&pair, &mut cursor).await;
            assert!(
                changes.added.is_empty()
                    && changes.modified.is_empty()
                    && changes.removed.is_empty(),
                "{text}, version {version}"
            );
        }
    }
}

async fn a_merchant_is_found_in_every_spelling(db: Db) {
    let world = World::scripted(db).await;
    let mut row = transaction("m", "-5.00", "2025-12-31");
    row.creditor.as_mut().unwrap().name = Some("Depozitul Meșter".into());
    world.answers(&[row, transaction("n", "-6.00", "2025-12-30")]);
    let pair = world.pair().await;
    let found = async |name: &str| {
        let wanted = TransactionFilter {
            merchant: Some(name.into()),
            ..TransactionFilter::default()
        };
        let reader = transactions::reader(&world.state, &world.client, &pair, wanted);
        let page = reader.await.unwrap().page(None, 10).await.unwrap();
        page.items.len()
    };
    for name in [
        "Depozitul Meșter",
        "Depozitul Mes\u{326}ter",
        "Depozitul Meşter",
        "DEPOZITUL MEȘTER",
        "Depozitul Meșter ",
    ] {
        assert_eq!(found(name).await, 1, "{name}");
    }
    assert_eq!(found("Depozitul Mester").await, 0);
    // A row of before names were folded is found by its very text.
    let tenant = world.client.tenant();
    let state = world.state.for_tenant_alone(tenant).await.unwrap();
    let keys = sealed::merchant_keys(&state, pair.id, "Depozitul Meșter");
    let key = keys.unwrap().remove(1);
    let mut tx = world.state.db.write().await.unwrap();
    tx.put_merchant(pair.id, &key).await;
    tx.commit().await.unwrap();
    assert_eq!(found("Depozitul Meșter").await, 2);
    assert_eq!(found("depozitul meșter").await, 0);
}

async fn a_consent_without_an_end_is_cut_to_what_was_asked(db: Db) {
    let world = World::scripted(db).await;
    let first = world.pair().await;
    let ends = async |pair: &Credentials| {
        let mut tx = world.state.db.read().await.unwrap();
        tx.consent(pair.id).await.unwrap().unwrap().expires_at
    };
    let asked = ends(&first).await;
    // The day after 9999-12-31, which is what the last day of all means.
    let endless = "9999-12-31T00:00:00Z"
        .parse::<chrono::DateTime<chrono::Utc>>()
        .unwrap();
    let endless = Granted {
        valid_until: Some(endless + chrono::Duration::days(1)),
        ..granted()
    };
    let endless = Ok(ConsentOutcome::Consented(Next::done(endless)));
    world.provider.finishes.lock().unwrap().push_back(endless);
    let pair = world.pair().await;
    assert_eq!(ends(&pair).await, asked);
    assert_eq!(world.all(&pair).await.len(), 3);
    world.later();
    assert_eq!(world.all(&pair).await.len(), 3);
}

async fn a_cursor_is_good_for_its_own_list(db: Db) {
    let world = World::scripted(db).await;
    world.answers(&days(20));
    let (pair, other) = (world.pair().await, world.pair().await);
    let reader = async |pair: &Credentials| {
        let reader = transactions::reader(
            &world.state,
            &world.client,
            pair,
            TransactionFilter::default(),
        );
        reader.await.unwrap()
    };
    let (own, foreign) = (reader(&pair).await, reader(&other).await);
    let page = own.page(None, 5).await.unwrap();
    let place = page.next.unwrap();
    let cursor = own.cursor(place).unwrap();
    assert!(own.position(&cursor).await.unwrap() == place);
    assert_eq!(code(foreign.position(&cursor).await), Code::InvalidField);
    let synced = world.changes(&pair, &mut None).await.next_cursor;
    assert_eq!(code(own.position(&synced).await), Code::InvalidField);
    // Cursors of before they were sealed name a transaction of the consent, or nothing.
    let mut bytes = place.booked_at.timestamp_micros().to_be_bytes().to_vec();
    bytes.extend(place.id.0.as_bytes());
    let before = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&bytes);
    assert!(own.position(&before).await.unwrap() == place);
    assert_eq!(code(foreign.position(&before).await), Code::InvalidField);
    for nonsense in [
        "",
        "x",
        "AAAA",
        "0190163d-8694-739b-aea5-966c26f8ad91",
        "💶",
    ] {
        assert_eq!(code(own.position(nonsense).await), Code::InvalidField);
    }
}
