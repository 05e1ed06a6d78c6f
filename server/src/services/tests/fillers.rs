//! A table that is made large for measurements: what its one reader sees stays whole, and nobody else's data is touched.

use super::*;
use crate::services::consents::filler;
use crate::services::consents::transactions::{self, TransactionFilter};
use crate::storage::testing::on_both;

on_both!(
    the_table_grows_around_a_consent_that_opens_as_before,
    only_consents_of_benchmarks_are_used,
);

/// A consent that was read, of a tenant with this name.
async fn read_by(db: &Db, name: &str) -> (World, Credentials) {
    let world = World::scripted(db.clone()).await;
    let pair = world.pair().await;
    let sql = format!("UPDATE tenants SET name = '{name}' WHERE id = $1");
    db.alter_one(&sql, world.client.tenant().0).await;
    let all = TransactionFilter::default();
    let reader = transactions::reader(&world.state, &world.client, &pair, all).await;
    assert!(
        !reader
            .unwrap()
            .page(None, 10)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    (world, pair)
}

async fn the_table_grows_around_a_consent_that_opens_as_before(db: Db) {
    let (world, pair) = read_by(&db, filler::TENANT).await;
    for rows in [300, 800] {
        let there = filler::fill(&world.state, pair.id, 60, rows, |_| {}).await;
        assert!(there.unwrap() >= rows);
    }
    let mut tx = db.read().await.unwrap();
    assert_eq!(tx.count_transactions(Some(pair.id)).await.unwrap(), 60);
    assert!(tx.count_transactions(None).await.unwrap() >= 800);

    let all = TransactionFilter::default();
    let reader = transactions::reader(&world.state, &world.client, &pair, all).await;
    let page = reader.unwrap().page(None, 100).await.unwrap();
    assert_eq!(page.items.len(), 60, "each of them opens");
    let place = transactions::TransactionPosition {
        booked_at: page.items[30].row.booked_at,
        id: page.items[30].row.id,
    };
    let state = world.state.for_tenant_alone(world.client.tenant()).await;
    let after = transactions::write_cursor(&state.unwrap(), pair.id, place).unwrap();
    for after in [None, Some(after.as_str())] {
        let plan = filler::plan(&world.state, pair.id, after).await.unwrap();
        assert!(plan.contains("transactions"), "{plan}");
    }
}

async fn only_consents_of_benchmarks_are_used(db: Db) {
    let (world, pair) = read_by(&db, "Budget app").await;
    let filled = filler::fill(&world.state, pair.id, 60, 300, |_| {}).await;
    assert!(matches!(filled, Err(ApiError::Broken(why)) if why.contains("Benchmark")));
    assert!(filler::plan(&world.state, pair.id, None).await.is_err());
}
