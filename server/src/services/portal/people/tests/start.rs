//! Starting and joining: what one form makes, and who may come in by a claim.

use super::*;
use crate::mail::Letter;
use crate::services::portal::audit::ProductionProof;
use crate::services::portal::servicers;
use crate::storage::testing::on_both;

on_both!(
    one_form_makes_everything_and_mails_the_servicer_id,
    starting_answers_alike_whether_or_not_the_address_is_known,
    a_start_whose_audit_row_cannot_be_written_did_not_happen,
    a_claim_token_makes_one_owner_whoever_comes_first,
);

async fn one_form_makes_everything_and_mails_the_servicer_id(db: Db) {
    let world = world(db).await;
    let started = world.start("ana@example.com").await;
    assert!(started.client_secret.starts_with("tsr_sbx_cs_"));
    assert!(started.client_app_key.starts_with("tsr_sbx_ak_"));
    assert_eq!(world.servicers(started.person).await, [started.servicer]);
    let letters = world.letters("ana@example.com").await;
    assert_eq!(letters.len(), 1);
    assert!(letters[0].body.contains(&started.servicer.to_string()));
    let signed_in = world.sign_in("Ana@Example.com", PASSWORD).await.unwrap();
    assert_eq!(signed_in, started.person, "no mail has to be opened first");

    let wrong = Start {
        name: " ".to_owned(),
        email: "ana".to_owned(),
        password: "short".to_owned(),
        country: "Romania".to_owned(),
        ..start_form("")
    };
    let errors = refused(world.services.start(wrong, &source_at("a")).await);
    let names: Vec<_> = errors.iter().map(|(name, _)| *name).collect();
    let all = ["name", "country", "email", "password"];
    assert_eq!(names, all, "all at once");
    let weak = Start {
        password: "example ltd 2026".to_owned(),
        ..start_form("ana@example.com")
    };
    assert_eq!(
        refused(world.services.start(weak, &source_at("a")).await)[0].0,
        "password"
    );
}

async fn starting_answers_alike_whether_or_not_the_address_is_known(db: Db) {
    let world = world(db).await;
    let first = world.start("ana@example.com").await;
    world.confirm("ana@example.com", PASSWORD).await.unwrap();
    let second = world.start("ana@example.com").await;
    assert_ne!(first.person, second.person);
    assert_ne!(first.servicer, second.servicer);
    let letters = world.letters("ana@example.com").await;
    let words = |letter: &Letter| {
        let lines = letter.body.lines();
        let plain = lines.filter(|line| !line.contains("Servicer id") && !line.contains("http"));
        plain.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(words(&letters[0]), words(&letters[1]));
}

async fn a_start_whose_audit_row_cannot_be_written_did_not_happen(db: Db) {
    let world = world(db.clone()).await;
    db.break_audit_log().await;
    let answer = world
        .services
        .start(start_form("ana@example.com"), &source_at("a"))
        .await;
    assert!(matches!(answer, Err(PortalError::Internal(_))));
    db.mend_audit_log().await;
    let mut tx = db.read().await.unwrap();
    let key = "ana@example.com";
    assert!(tx.sign_in_rows(key, None).await.unwrap().is_empty());
    let now = world.services.state.clock.now();
    assert!(tx.servicers("", now).await.unwrap().is_empty());
    drop(tx);
    assert!(
        world.letters(key).await.is_empty(),
        "and no letter went out"
    );
}

async fn a_claim_token_makes_one_owner_whoever_comes_first(db: Db) {
    let world = world(db).await;
    let state = world.services.state.clone();
    let made = servicers::create(
        &state,
        &ProductionProof::command_line(),
        "Example Ltd",
        ServicerKind::Both,
    )
    .await
    .unwrap();
    let sign_up = |claim: &str, n: usize| SignUp {
        servicer_id: made.id.to_string(),
        claim_token: claim.to_owned(),
        email: format!("dev{n}@example.com"),
        password: PASSWORD.to_owned(),
    };
    let without = refused(
        world
            .services
            .sign_up(sign_up("", 0), &source_at("a"))
            .await,
    );
    assert_eq!(without[0].0, "claim_token", "the id alone lets nobody in");
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let (services, form) = (world.services.clone(), sign_up(&made.claim_token, n));
            tokio::spawn(async move { services.sign_up(form, &source_at("a")).await })
        })
        .collect();
    let mut joined = Vec::new();
    for task in tasks {
        joined.extend(task.await.unwrap().ok());
    }
    assert_eq!(joined.len(), 1);
    let now = state.clock.now();
    let mut tx = state.db.read().await.unwrap();
    let row = tx
        .servicers(&made.id.to_string(), now)
        .await
        .unwrap()
        .remove(0);
    assert!(row.owner.unwrap().starts_with("dev"));
}
