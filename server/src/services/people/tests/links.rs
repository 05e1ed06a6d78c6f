//! Mailed links: whose an address is, and how a password is set anew.

use super::*;
use crate::storage::testing::on_both;

on_both!(
    an_unproved_address_is_held_by_nobody,
    proving_an_address_twice_gives_one_person_both_servicers,
    a_password_link_works_once_and_ends_every_session,
    sixty_four_uses_of_one_password_link_change_one_password,
    forgetting_a_password_is_told_to_nobody_else,
);

async fn an_unproved_address_is_held_by_nobody(db: Db) {
    let world = world(db);
    let stranger = world.start("ana@example.com").await;
    let browser = world.browser(stranger.person, "ana@example.com").await;
    world.services.state.clock.advance(Duration::seconds(1));
    let mut hers = form("ana@example.com");
    hers.password = OTHER.to_owned();
    let hers = world.services.start(hers, &from("b")).await.unwrap();
    assert_eq!(
        world.sign_in("ana@example.com", PASSWORD).await,
        Ok(stranger.person)
    );
    assert_eq!(
        world.sign_in("ana@example.com", OTHER).await,
        Ok(hers.person)
    );
    let token = world.token("ana@example.com").await;
    assert_eq!(world.services.verify(&token).await, Ok(hers.person));
    assert_eq!(
        world.services.verify(&token).await,
        Err(Trouble::NotFound),
        "a link works once"
    );
    assert!(world.sign_in("ana@example.com", PASSWORD).await.is_err());
    let left = world.sessions(stranger.person).await;
    assert!(!left.contains(&browser.session), "signed out, too");
    assert_eq!(
        world.sign_in("ana@example.com", OTHER).await,
        Ok(hers.person)
    );
}

async fn proving_an_address_twice_gives_one_person_both_servicers(db: Db) {
    let world = world(db);
    for round in 0..8 {
        let email = format!("ana{round}@example.com");
        let first = world.start(&email).await;
        let one = world.token(&email).await;
        world.services.state.clock.advance(Duration::minutes(10));
        let second = world.start(&email).await;
        let two = world.token(&email).await;
        let verify = |token: String| {
            let services = world.services.clone();
            tokio::spawn(async move { services.verify(&token).await })
        };
        // On two threads: each may hold a row that the other waits for.
        let (a, b) = tokio::join!(verify(one), verify(two));
        let owner = a.unwrap().unwrap();
        assert_eq!(
            b.unwrap(),
            Ok(owner),
            "at the same instant, and still one person"
        );
        let mut servicers = world.servicers(owner).await;
        servicers.sort();
        let mut wanted = [first.servicer, second.servicer];
        wanted.sort();
        assert_eq!(servicers, wanted);
    }
}

async fn a_password_link_works_once_and_ends_every_session(db: Db) {
    let world = world(db);
    let started = world.start("ana@example.com").await;
    world.browser(started.person, "ana@example.com").await;
    world
        .services
        .forgot("ana@example.com", &from("a"))
        .await
        .unwrap();
    let token = world.token("ana@example.com").await;
    let shown = world.services.reset_link(&token).await;
    assert_eq!(shown.as_deref(), Ok("an…@example.com"));
    let weak = world
        .services
        .reset(&token, "password1234", &from("a"))
        .await;
    assert_eq!(refused(weak)[0].0, "password", "and the link still works");
    let reset = world.services.reset(&token, OTHER, &from("a")).await;
    assert_eq!(reset, Ok(started.person));
    assert!(world.sessions(started.person).await.is_empty());
    assert!(world.sign_in("ana@example.com", PASSWORD).await.is_err());
    assert_eq!(
        world.sign_in("ana@example.com", OTHER).await,
        Ok(started.person)
    );
    let again = world.services.reset(&token, PASSWORD, &from("a")).await;
    assert_eq!(again, Err(Trouble::NotFound));

    world
        .services
        .forgot("ana@example.com", &from("a"))
        .await
        .unwrap();
    let token = world.token("ana@example.com").await;
    world.services.state.clock.advance(Duration::minutes(10));
    let late = world.services.reset_link(&token).await;
    assert_eq!(late, Err(Trouble::NotFound));
}

async fn sixty_four_uses_of_one_password_link_change_one_password(db: Db) {
    let world = world(db);
    world.start("ana@example.com").await;
    world
        .services
        .forgot("ana@example.com", &from("a"))
        .await
        .unwrap();
    let token = world.token("ana@example.com").await;
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (services, token) = (world.services.clone(), token.clone());
            tokio::spawn(async move { services.reset(&token, OTHER, &from("a")).await })
        })
        .collect();
    let (mut won, mut shed) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => won += 1,
            Err(Trouble::Wait(_)) => shed += 1,
            Err(other) => assert_eq!(other, Trouble::NotFound),
        }
    }
    assert_eq!(won, 1);
    assert!(shed <= 64 - 32, "the queue holds at least thirty-two");
}

async fn forgetting_a_password_is_told_to_nobody_else(db: Db) {
    let world = world(db);
    world.start("ana@example.com").await;
    let known = world.services.forgot("ana@example.com", &from("a")).await;
    let unknown = world.services.forgot("eve@example.com", &from("a")).await;
    assert_eq!((known, unknown), (Ok(()), Ok(())));
    assert_eq!(world.letters("ana@example.com").await.len(), 2);
    assert!(world.letters("eve@example.com").await.is_empty());
    for _ in 0..10 {
        let again = world.services.forgot("ana@example.com", &from("a")).await;
        assert_eq!(again, Ok(()), "nobody is told how many letters went out");
    }
    let letters = world.letters("ana@example.com").await.len();
    assert!(
        (3..=7).contains(&letters),
        "and a mailbox is not flooded: {letters}"
    );
}
