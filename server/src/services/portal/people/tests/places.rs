//! People who work in several servicers: which one, and who chooses.

use super::*;
use crate::services::portal::audit::ProductionProof;
use crate::services::portal::servicers;
use crate::storage::testing::on_both;

on_both!(
    one_more_servicer_is_joined_and_left_for_the_other,
    an_unproved_account_joins_nothing,
    a_claimed_place_opens_once_the_address_is_proved,
);

async fn one_more_servicer_is_joined_and_left_for_the_other(db: Db) {
    let world = world(db).await;
    let state = world.services.state.clone();
    let email = "ana@example.com";
    let started = world.start(email).await;
    world.confirm(email, PASSWORD).await.unwrap();
    let mut actor = world.browser(started.person, email).await;
    actor.verified = true;
    // Places are listed in the order in which she joined them.
    state.clock.advance(Duration::seconds(1));
    let made = servicers::create(
        &state,
        &ProductionProof::command_line(),
        "Second Ltd",
        ServicerKind::Both,
    )
    .await
    .unwrap();
    let id = made.id.to_string();
    let joined = async |actor: &Actor, token: &str| {
        let services = &world.services;
        services.join(actor, &id, token, &source_at("a")).await
    };
    assert_eq!(refused(joined(&actor, "wrong").await)[0].0, "claim_token");
    assert_eq!(joined(&actor, &made.claim_token).await, Ok(()));
    let names: Vec<_> = world
        .services
        .places(&actor)
        .await
        .unwrap()
        .into_iter()
        .map(|(_, name)| name)
        .collect();
    assert_eq!(names, ["Example Ltd", "Second Ltd"]);
    assert_eq!(world.works_in(&actor).await, made.id);
    let back = world.services.work_in(&actor, started.servicer).await;
    assert_eq!(back, Ok(()));
    assert_eq!(world.works_in(&actor).await, started.servicer);
    // Another browser of hers goes where she was last.
    let elsewhere = world.browser(started.person, email).await;
    assert_eq!(world.works_in(&elsewhere).await, started.servicer);
    world.services.work_in(&elsewhere, made.id).await.unwrap();
    assert_eq!(world.works_in(&elsewhere).await, made.id);
    assert_eq!(
        world.works_in(&actor).await,
        started.servicer,
        "each its own"
    );
    let other = world.start("eve@example.com").await;
    let foreign = world.services.work_in(&actor, other.servicer).await;
    assert_eq!(foreign, Err(PortalError::NotFound));
}

async fn an_unproved_account_joins_nothing(db: Db) {
    let world = world(db).await;
    let state = world.services.state.clone();
    let started = world.start("ana@example.com").await;
    let actor = world.browser(started.person, "ana@example.com").await;
    let made = servicers::create(
        &state,
        &ProductionProof::command_line(),
        "Second Ltd",
        ServicerKind::Both,
    )
    .await
    .unwrap();
    let id = made.id.to_string();
    let joined = world
        .services
        .join(&actor, &id, &made.claim_token, &source_at("a"))
        .await;
    assert!(
        matches!(joined, Err(PortalError::Forbidden(_))),
        "{joined:?}"
    );
    assert_eq!(world.servicers(started.person).await, [started.servicer]);
}

async fn a_claimed_place_opens_once_the_address_is_proved(db: Db) {
    let world = world(db).await;
    let state = world.services.state.clone();
    let owner = world.start("ana@example.com").await;
    world.confirm("ana@example.com", PASSWORD).await.unwrap();
    let token = state.clock.token();
    let digest = state.pepper.digest("claim_token", &token);
    let now = state.clock.now();
    let mut tx = state.db.write().await.unwrap();
    tx.add_claim_token(&digest, owner.servicer, now, now + Duration::days(7))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let email = "eva@example.com";
    let form = SignUp {
        servicer_id: owner.servicer.to_string(),
        claim_token: token,
        email: email.to_owned(),
        password: OTHER.to_owned(),
    };
    let eva = world.services.sign_up(form, &source_at("b")).await.unwrap();
    let browser = world.browser(eva, email).await;
    let seen = async || {
        let digest = state.pepper.digest("session", &browser.session.to_string());
        let mut tx = state.db.read().await.unwrap();
        let row = tx.actor(&digest, state.clock.now()).await.unwrap().unwrap();
        (row.servicer_id, row.places)
    };
    assert_eq!(
        seen().await,
        (None, 0),
        "nobody has shown that the mailbox is theirs"
    );
    assert_eq!(world.services.places(&browser).await, Ok(Vec::new()));
    let early = world.services.work_in(&browser, owner.servicer).await;
    assert_eq!(early, Err(PortalError::NotFound));
    world.confirm(email, OTHER).await.unwrap();
    assert_eq!(seen().await, (Some(owner.servicer), 1));
    assert_eq!(
        world.services.work_in(&browser, owner.servicer).await,
        Ok(())
    );
}
