//! Reading what a bank said.

use app::domain::account::BalanceType;

use super::*;
use crate::aad;
use crate::services::consents::accounts::{self, BalanceFilter, BalanceQuery};
use crate::services::consents::bounds::{AmountBounds, TimeBounds};
use crate::services::consents::data::ServedFrom;
use crate::services::consents::transactions::{self, TransactionFilter};
use crate::storage::testing::on_both;
use crate::storage::transactions::TransactionConditions;
use app::domain::account::CreditDebit;
use app::domain::moment::Moment;
use app::domain::money::Bound;

on_both!(
    accounts_and_balances_are_what_the_bank_said,
    every_documented_type_of_balance_is_kept_and_found,
    transactions_are_filtered_exactly_and_come_newest_first,
    pages_follow_each_other_without_gap,
    the_same_transaction_is_known_across_consents,
    nothing_a_bank_says_is_kept_in_clear,
    a_foreign_pair_is_an_unknown_one
);

async fn amounts(world: &World, pair: &Credentials, wanted: TransactionFilter) -> Vec<String> {
    let reader = transactions::reader(&world.state, &world.client, pair, wanted)
        .await
        .unwrap();
    let page = reader.page(None, 100).await.unwrap();
    page.items
        .into_iter()
        .map(|item| item.details.amount)
        .collect()
}

async fn accounts_and_balances_are_what_the_bank_said(db: Db) {
    let world = World::scripted(db).await;
    let pair = world.pair().await;
    let first = accounts::list(&world.state, &world.client, &pair)
        .await
        .unwrap();
    let again = accounts::list(&world.state, &world.client, &pair)
        .await
        .unwrap();
    assert_eq!(
        (first.fresh.served_from, again.fresh.served_from),
        (ServedFrom::Bank, ServedFrom::Cache)
    );
    let account = &first.items[0];
    assert_eq!(account.servicer_name, "XYZ Bank");
    assert_eq!(
        account.details.iban.as_deref(),
        Some("RO00TEST0000000000000001")
    );
    let list = |filter: BalanceFilter| {
        let (world, pair) = (&world, &pair);
        async move {
            accounts::balances(&world.state, &world.client, pair, all_of(&filter))
                .await
                .unwrap()
                .items
        }
    };
    let balances = list(BalanceFilter::default()).await;
    assert_eq!(balances.len(), 1);
    assert_eq!(balances[0].details.amount, "150.00");
    assert_eq!(balances[0].details.credit_debit, CreditDebit::Debit);
    let euro = BalanceFilter {
        currency: Some("EUR".into()),
        ..BalanceFilter::default()
    };
    assert!(list(euro).await.is_empty());
}

fn all_of(filter: &BalanceFilter) -> BalanceQuery<'_> {
    BalanceQuery {
        filter,
        under: "filter.",
        after: None,
        limit: 100,
    }
}

async fn every_documented_type_of_balance_is_kept_and_found(db: Db) {
    let world = World::scripted(db).await;
    let model = world.provider.accounts.lock().unwrap()[0].balances[0].clone();
    let said = BalanceType::ALL.iter().enumerate();
    let said = said.map(|(at, balance_type)| BankBalance {
        balance_type: *balance_type,
        amount: (i64::try_from(at).unwrap() - 5).into(),
        ..model.clone()
    });
    world.provider.accounts.lock().unwrap()[0].balances = said.collect();
    let pair = world.pair().await;
    let list = async |balance_type: Option<BalanceType>| {
        let filter = BalanceFilter {
            balance_type: balance_type.map(|kind| kind.as_str().to_owned()),
            ..BalanceFilter::default()
        };
        let wanted = all_of(&filter);
        let listed = accounts::balances(&world.state, &world.client, &pair, wanted).await;
        listed.unwrap().items
    };
    assert_eq!(list(None).await.len(), 13);
    for (at, balance_type) in BalanceType::ALL.iter().enumerate() {
        let found = list(Some(*balance_type)).await;
        assert_eq!(found.len(), 1, "{balance_type}");
        let details = &found[0].details;
        assert_eq!(details.balance_type, *balance_type);
        let (amount, sign) = match i64::try_from(at).unwrap() - 5 {
            below if below < 0 => (-below, CreditDebit::Debit),
            other => (other, CreditDebit::Credit),
        };
        assert_eq!(
            details.amount.parse(),
            Ok(rust_decimal::Decimal::from(amount))
        );
        assert_eq!(details.credit_debit, sign, "{balance_type}");
    }
    let listed = accounts::list(&world.state, &world.client, &pair).await;
    let listed = listed.unwrap();
    let shown = &listed.items[0].details.balances;
    assert_eq!(shown.len(), 13, "and in the account as well");
}

async fn transactions_are_filtered_exactly_and_come_newest_first(db: Db) {
    let world = World::scripted(db).await;
    let pair = world.pair().await;
    assert_eq!(
        amounts(&world, &pair, TransactionFilter::default()).await,
        ["12.50", "4.27", "1000.00"]
    );
    let bound = |text: &str| Some(Bound::parse(text).unwrap());
    let lt = |text: &str| TransactionFilter {
        amount: AmountBounds {
            lt: bound(text),
            ..AmountBounds::default()
        },
        ..TransactionFilter::default()
    };
    assert!(amounts(&world, &pair, lt("4.27")).await.is_empty());
    assert_eq!(
        amounts(&world, &pair, lt("4.2700000000000000000001")).await,
        ["4.27"]
    );
    let debit = TransactionFilter {
        credit_debit: Some(CreditDebit::Debit),
        ..TransactionFilter::default()
    };
    assert_eq!(amounts(&world, &pair, debit).await, ["12.50"]);
    let from = TimeBounds {
        gte: Some(Moment::parse("2026-01-02T00:00:00Z", false).unwrap()),
        ..TimeBounds::default()
    };
    let recent = TransactionFilter {
        booked_at: from,
        category: Some("shopping".into()),
        ..TransactionFilter::default()
    };
    assert_eq!(amounts(&world, &pair, recent).await, ["12.50", "4.27"]);
    let shop = |name: &str| TransactionFilter {
        merchant: Some(name.into()),
        ..TransactionFilter::default()
    };
    assert_eq!(amounts(&world, &pair, shop("Corner Shop")).await, ["12.50"]);
    assert!(amounts(&world, &pair, shop("Corner")).await.is_empty());
    let tagged = TransactionFilter {
        tag: Some("x".into()),
        ..TransactionFilter::default()
    };
    assert!(amounts(&world, &pair, tagged).await.is_empty());
}

async fn pages_follow_each_other_without_gap(db: Db) {
    let world = World::scripted(db).await;
    let days = (1..=25).map(|n| transaction(&format!("t{n}"), "1.00", "2026-01-01"));
    *world.provider.pages.lock().unwrap() = vec![days.collect()];
    let pair = world.pair().await;
    let reader = transactions::reader(
        &world.state,
        &world.client,
        &pair,
        TransactionFilter::default(),
    )
    .await
    .unwrap();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = reader.page(after, 10).await.unwrap();
        seen.extend(page.items.iter().map(|item| item.row.id));
        let Some(next) = page.next else { break };
        let by_cursor = reader
            .position(&reader.cursor(next).unwrap())
            .await
            .unwrap();
        let by_id = reader
            .position(&seen.last().unwrap().to_string())
            .await
            .unwrap();
        assert!(by_cursor == next && by_id == next);
        after = Some(next);
    }
    assert_eq!(seen.len(), 25);
    assert!(seen.windows(2).all(|two| two[0] > two[1]));
    assert_eq!(code(reader.position("x").await), Code::InvalidField);
}

async fn the_same_transaction_is_known_across_consents(db: Db) {
    let world = World::scripted(db).await;
    let (one, two) = (world.pair().await, world.pair().await);
    let stranger = world.beside().await;
    let three = stranger.pair().await;
    let mut ids = Vec::new();
    for (world, pair) in [(&world, &one), (&world, &two), (&stranger, &three)] {
        let reader = transactions::reader(
            &world.state,
            &world.client,
            pair,
            TransactionFilter::default(),
        )
        .await
        .unwrap();
        let page = reader.page(None, 100).await.unwrap();
        ids.push(
            page.items
                .into_iter()
                .map(|item| item.row.utx.0)
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(ids[0], ids[1]);
    // The test's tenants share one key; what differs in life is that key (see `utx`).
    assert_eq!(ids[0].len(), 3);
}

async fn nothing_a_bank_says_is_kept_in_clear(db: Db) {
    let world = World::scripted(db).await;
    let pair = world.pair().await;
    accounts::list(&world.state, &world.client, &pair)
        .await
        .unwrap();
    let mut tx = world.state.db.read().await.unwrap();
    let accounts = tx.accounts(pair.id).await.unwrap();
    let rows = tx
        .transactions(pair.id, &TransactionConditions::default(), None, 100)
        .await
        .unwrap();
    let sealed = accounts
        .iter()
        .map(|row| &row.sealed)
        .chain(rows.iter().map(|row| &row.sealed));
    for bytes in sealed {
        let text = String::from_utf8_lossy(bytes);
        for canary in ["RO00TEST", "Everyday", "Corner Shop", "Card purchase"] {
            assert!(!text.contains(canary));
        }
    }
    // Details moved to another row do not open there.
    let place = aad::transaction(pair.id, &rows[0].utx);
    let tenant = world.client.tenant();
    let state = world.state.for_tenant_alone(tenant).await.unwrap();
    assert!(state.vault.open(&place, &rows[0].sealed).is_ok());
    assert!(state.vault.open(&place, &rows[1].sealed).is_err());
}

async fn a_foreign_pair_is_an_unknown_one(db: Db) {
    let world = World::scripted(db).await;
    let pair = world.pair().await;
    let stranger = world.beside().await.client.proven();
    let read = |client, pair| {
        let world = world.clone();
        async move { code(accounts::list(&world.state, &client, &pair).await) }
    };
    let copy = |token: &str| Credentials {
        id: pair.id,
        access_token: token.to_owned().into(),
        tenant_user_id: None,
    };
    let token = pair.access_token.expose_secret().to_owned();
    assert_eq!(
        read(stranger, copy(&token)).await,
        Code::InvalidCredentialsId
    );
    assert_eq!(
        read(world.client.proven(), copy("x")).await,
        Code::InvalidAccessToken
    );
}
