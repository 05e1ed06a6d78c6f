//! Accounts that were never proved: how long they last, and what goes with them.

use super::*;
use crate::services::portal::audit::ProductionProof;
use crate::services::portal::servicers;
use crate::storage::endings::{PERSON_TABLES, SERVICER_TABLES};
use crate::storage::testing::on_both;

on_both!(
    an_unproved_account_ends_thirty_days_after_its_last_use,
    what_others_need_stays,
    every_table_of_a_servicer_or_person_is_emptied,
);

async fn ended(world: &World) -> u64 {
    crate::services::portal::people::endings::end_unproved(&world.services.state)
        .await
        .unwrap()
}

async fn an_unproved_account_ends_thirty_days_after_its_last_use(db: Db) {
    let world = world(db.clone()).await;
    let clock = world.services.state.clock.clone();
    let email = "ana@example.com";
    let started = world.start(email).await;
    let proved = world.start("eva@example.com").await;
    world.confirm("eva@example.com", PASSWORD).await.unwrap();
    clock.advance(Duration::days(20));
    world.sign_in(email, PASSWORD).await.unwrap();
    clock.advance(Duration::days(29));
    assert_eq!(ended(&world).await, 0, "29 days after its last use");
    clock.advance(Duration::days(1));
    let keys = db.count("tenant_keys").await;
    assert_eq!(ended(&world).await, 1);
    assert_eq!(ended(&world).await, 0);
    assert!(world.sign_in(email, PASSWORD).await.is_err());
    assert!(world.servicers(started.person).await.is_empty());
    assert_eq!(db.count("tenant_keys").await, keys - 2);
    for (table, left) in [
        ("people", 1),
        ("servicers", 1),
        ("tenants", 1),
        ("memberships", 1),
    ] {
        assert_eq!(db.count(table).await, left, "{table}");
    }
    assert_eq!(world.servicers(proved.person).await, [proved.servicer]);
}

async fn what_others_need_stays(db: Db) {
    let world = world(db.clone()).await;
    let state = world.services.state.clone();
    let made = servicers::create(
        &state,
        &ProductionProof::command_line(),
        "First Ltd",
        ServicerKind::Both,
    )
    .await
    .unwrap();
    let form = SignUp {
        servicer_id: made.id.to_string(),
        claim_token: made.claim_token.clone(),
        email: "ana@example.com".to_owned(),
        password: PASSWORD.to_owned(),
    };
    let claimed = world.services.sign_up(form, &source_at("b")).await.unwrap();
    let used = world.start("eva@example.com").await;
    state.clock.advance(Duration::days(30));
    let mut tx = state.db.write().await.unwrap();
    let key = tx.live_keys(used.tenant, state.clock.now()).await.unwrap()[0].id;
    tx.note_key_use(key, state.clock.now(), "app")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(ended(&world).await, 1, "an app calls with the other's keys");
    assert!(world.servicers(claimed).await.is_empty());
    let mut tx = state.db.read().await.unwrap();
    assert!(
        tx.servicer(made.id).await.unwrap().is_some(),
        "an operator made it"
    );
    drop(tx);
    assert_eq!(world.servicers(used.person).await, [used.servicer]);
}

async fn every_table_of_a_servicer_or_person_is_emptied(db: Db) {
    // Kept on purpose: who did what stays readable, and the sandbox bank is another company.
    let kept = |table: &str| table == "audit_log" || table.starts_with("bank_");
    let listed = |table: &str| {
        let all = SERVICER_TABLES.iter().chain(PERSON_TABLES);
        table.starts_with("bank_returns") || all.into_iter().any(|(name, _)| *name == table)
    };
    let columns = [
        "servicer_id",
        "tenant_id",
        "session_id",
        "consent_id",
        "person_id",
        "upload_id",
        "run_id",
    ];
    let missing: Vec<String> = db
        .tables_with(&columns)
        .await
        .into_iter()
        .filter(|table| !kept(table) && !listed(table))
        .collect();
    assert!(
        missing.is_empty(),
        "tables without a line in storage/endings.rs: {missing:?}"
    );
}
