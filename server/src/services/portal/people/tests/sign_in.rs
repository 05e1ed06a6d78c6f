//! Signing in: wrong pairs, floods of them, and what ends a session.

use super::*;
use crate::storage::testing::on_both;

on_both!(
    a_pair_is_wrong_in_one_way_only,
    an_outsider_cannot_make_the_owner_wait,
    guesses_at_once_are_counted_before_they_are_checked,
    changing_the_password_ends_the_other_sessions,
    a_proof_counts_for_its_own_session,
    guesses_from_many_sources_slow_strangers_and_not_the_owner,
    a_device_cookie_is_worth_nothing_to_another_account,
    an_unknown_address_is_slowed_like_a_known_one,
    links_of_nobody_are_counted,
);

async fn a_pair_is_wrong_in_one_way_only(db: Db) {
    let world = world(db).await;
    world.start("ana@example.com").await;
    let wrong = refused(world.sign_in("ana@example.com", OTHER).await);
    let unknown = refused(world.sign_in("eve@example.com", OTHER).await);
    let malformed = refused(world.sign_in("eve", OTHER).await);
    let huge = refused(world.sign_in("ana@example.com", &"x".repeat(2000)).await);
    assert_eq!(wrong, unknown);
    assert_eq!(wrong, malformed);
    assert_eq!(wrong, huge);
}

async fn an_outsider_cannot_make_the_owner_wait(db: Db) {
    let world = world(db).await;
    let started = world.start("ana@example.com").await;
    let mut waited = None;
    for _ in 0..8 {
        let try_one = world
            .services
            .sign_in("ana@example.com", OTHER, &source_at("outside"))
            .await;
        if let Err(PortalError::Wait(seconds)) = try_one {
            waited = Some(seconds);
            break;
        }
    }
    assert_eq!(waited, Some(1), "five failures, then a wait that grows");
    assert_eq!(
        world.sign_in("ana@example.com", PASSWORD).await,
        Ok(started.person)
    );
    let outside = source_at("outside");
    world.services.state.clock.advance(Duration::seconds(1));
    let again = world
        .services
        .sign_in("ana@example.com", OTHER, &outside)
        .await;
    assert!(matches!(again, Err(PortalError::Refused(_))));
    let then = world
        .services
        .sign_in("ana@example.com", OTHER, &outside)
        .await;
    assert_eq!(then, Err(PortalError::Wait(2)));
    world.services.state.clock.advance(Duration::seconds(2));
    let right = world
        .services
        .sign_in("ana@example.com", PASSWORD, &outside)
        .await;
    assert_eq!(right, Ok(started.person), "the right pair ends it");
}

async fn guesses_at_once_are_counted_before_they_are_checked(db: Db) {
    let world = world(db).await;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let services = world.services.clone();
            tokio::spawn(async move {
                services
                    .sign_in("ana@example.com", OTHER, &source_at("a"))
                    .await
            })
        })
        .collect();
    let mut checked = 0;
    for task in tasks {
        checked += usize::from(matches!(task.await.unwrap(), Err(PortalError::Refused(_))));
    }
    assert_eq!(checked, 5, "the clock stands still: no more than the limit");
}

async fn changing_the_password_ends_the_other_sessions(db: Db) {
    let world = world(db).await;
    let started = world.start("ana@example.com").await;
    let here = world.browser(started.person, "ana@example.com").await;
    world.browser(started.person, "ana@example.com").await;
    let devices = world.services.devices(&here).await.unwrap();
    assert_eq!(devices.len(), 2);
    assert!(devices[0].current && !devices[1].current);
    let wrong = world
        .services
        .change_password(&here, OTHER, "ten violas on a roof", &source_at("a"))
        .await;
    assert_eq!(refused(wrong)[0].0, "old");
    let weak = world
        .services
        .change_password(&here, PASSWORD, "password1234", &source_at("a"))
        .await;
    assert_eq!(refused(weak)[0].0, "new");
    world
        .services
        .change_password(&here, PASSWORD, OTHER, &source_at("a"))
        .await
        .unwrap();
    assert_eq!(world.sessions(started.person).await, [here.session]);
    assert_eq!(
        world.sign_in("ana@example.com", OTHER).await,
        Ok(started.person)
    );
    let foreign = world
        .services
        .end_device(&here, &Uuid::nil().to_string(), &source_at("a"))
        .await;
    assert_eq!(foreign, Err(PortalError::NotFound));
    let own = here.session.to_string();
    let services = &world.services;
    services.state.clock.advance(Duration::minutes(11));
    let late = services.end_device(&here, &own, &source_at("a")).await;
    assert_eq!(late, Err(PortalError::ProofNeeded));
    let mut fresh = here.clone();
    fresh.proved_at = services.state.clock.now();
    services
        .end_device(&fresh, &own, &source_at("a"))
        .await
        .unwrap();
    assert!(world.sessions(started.person).await.is_empty());
}

async fn a_proof_counts_for_its_own_session(db: Db) {
    let world = world(db).await;
    let started = world.start("ana@example.com").await;
    let here = world.browser(started.person, "ana@example.com").await;
    let there = world.browser(started.person, "ana@example.com").await;
    world.services.state.clock.advance(Duration::minutes(30));
    let wrong = world.services.prove(&here, OTHER, &source_at("a")).await;
    assert_eq!(refused(wrong)[0].0, "password");
    world
        .services
        .prove(&here, PASSWORD, &source_at("a"))
        .await
        .unwrap();
    let state = &world.services.state;
    let now = state.clock.now();
    let mut tx = state.db.read().await.unwrap();
    let rows = tx.portal_sessions_of(started.person, now).await.unwrap();
    for row in rows {
        let fresh = row.proved_at == Some(now);
        assert_eq!(fresh, row.handle == here.session);
        assert!(row.handle == here.session || row.handle == there.session);
    }
}

/// A source in a network of its own.
fn botnet(n: u32) -> RequestSource {
    source_at(&format!("2001:db8:{n:x}::/64"))
}

async fn guesses_from_many_sources_slow_strangers_and_not_the_owner(db: Db) {
    let world = world(db).await;
    let email = "ana@example.com";
    let started = world.start(email).await;
    world.confirm(email, PASSWORD).await.unwrap();
    let state = &world.services.state;
    let mut own = source_at("198.51.100.7");
    own.device = devices::cookie(state, started.person, &own).unwrap();
    let (mut checked, mut waited) = (0, 0);
    for n in 0..60 {
        match world.services.sign_in(email, OTHER, &botnet(n)).await {
            Err(PortalError::Wait(_)) => waited += 1,
            Err(PortalError::Refused(_)) => checked += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        (checked, waited),
        (20, 40),
        "from sixty networks at one instant"
    );
    let stranger = world.services.sign_in(email, PASSWORD, &botnet(99)).await;
    assert!(
        matches!(stranger, Err(PortalError::Wait(_))),
        "{stranger:?}"
    );
    let owner = world.services.sign_in(email, PASSWORD, &own).await;
    assert_eq!(owner, Ok(started.person), "her own browser is in no queue");
    let typo = world.services.sign_in(email, OTHER, &own).await;
    assert!(matches!(typo, Err(PortalError::Refused(_))), "{typo:?}");
    let mut fresh = world.browser(started.person, email).await;
    fresh.proved_at = state.clock.now();
    assert_eq!(world.services.prove(&fresh, PASSWORD, &own).await, Ok(()));
    // And from a new browser the mailed link is the way past the queue.
    world.services.forgot(email, &botnet(100)).await.unwrap();
    let token = world.token(email).await;
    let reset = world.services.reset(&token, "", OTHER, &botnet(100)).await;
    assert_eq!(reset, Ok(started.person));
}

async fn a_device_cookie_is_worth_nothing_to_another_account(db: Db) {
    let world = world(db).await;
    let state = &world.services.state;
    let email = "ana@example.com";
    let hers = world.start_with(email, OTHER).await;
    world.confirm(email, OTHER).await.unwrap();
    let stranger = world.start_with(email, PASSWORD).await;
    let mut theirs = source_at("203.0.113.9");
    theirs.device = devices::cookie(state, stranger.person, &theirs).unwrap();
    let altered = theirs
        .device
        .replace(&stranger.person.to_string(), &hers.person.to_string());
    let mut forged = theirs.clone();
    forged.device = altered;
    assert!(
        devices::known(state, &forged).is_none(),
        "the seal is broken"
    );
    assert!(devices::known(state, &theirs).is_some());
    let mut checked = 0;
    for n in 0..40 {
        let mut source = botnet(n);
        source.device.clone_from(&forged.device);
        let guess = world
            .services
            .sign_in(email, "not her password", &source)
            .await;
        checked += usize::from(matches!(guess, Err(PortalError::Refused(_))));
    }
    assert_eq!(checked, 20, "as many as without a cookie");
}

async fn an_unknown_address_is_slowed_like_a_known_one(db: Db) {
    let world = world(db).await;
    world.start("ana@example.com").await;
    let mut answers = Vec::new();
    for email in ["ana@example.com", "eve@example.com"] {
        let mut heard = Vec::new();
        for n in 0..25 {
            heard.push(world.services.sign_in(email, OTHER, &botnet(n)).await);
        }
        answers.push(heard);
    }
    assert_eq!(answers[0], answers[1]);
}

async fn links_of_nobody_are_counted(db: Db) {
    let world = world(db).await;
    world.start("ana@example.com").await;
    let token = world.token("ana@example.com").await;
    let mut waits = 0;
    for n in 0..60 {
        let link = format!("nobodys-{n}");
        let seen = world
            .services
            .verify_link(None, &link, &source_at("outside"))
            .await;
        match seen.unwrap_err() {
            PortalError::NotFound => {}
            PortalError::Wait(_) => waits += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(waits > 0, "fifty, then it waits");
    let hers = world
        .services
        .verify_link(None, &token, &source_at("a"))
        .await;
    assert!(hers.is_ok(), "elsewhere nobody waits");
}
