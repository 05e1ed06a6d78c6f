//! Mailed links: whose an address is, and how a password is set anew.

use super::*;
use crate::storage::testing::on_both;

on_both!(
    an_unproved_address_is_held_by_nobody,
    one_address_confirmed_by_two_at_once_is_one_persons,
    a_password_link_works_once_and_ends_every_session,
    sixty_four_uses_of_one_password_link_change_one_password,
    forgetting_a_password_is_told_to_nobody_else,
);

async fn an_unproved_address_is_held_by_nobody(db: Db) {
    let world = world(db).await;
    let stranger = world.start("ana@example.com").await;
    let browser = world.browser(stranger.person, "ana@example.com").await;
    world.services.state.clock.advance(Duration::seconds(1));
    let mut hers = start_form("ana@example.com");
    hers.password = OTHER.to_owned();
    let hers = world.services.start(hers, &source_at("b")).await.unwrap();
    assert_eq!(
        world.sign_in("ana@example.com", PASSWORD).await,
        Ok(stranger.person)
    );
    assert_eq!(
        world.sign_in("ana@example.com", OTHER).await,
        Ok(hers.person)
    );
    let token = world.token("ana@example.com").await;
    assert_eq!(world.confirm_with(&token, OTHER, "").await, Ok(hers.person));
    assert_eq!(
        world.confirm_with(&token, OTHER, "").await,
        Err(PortalError::NotFound),
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

async fn one_address_confirmed_by_two_at_once_is_one_persons(db: Db) {
    let world = world(db).await;
    for round in 0..8 {
        let email = format!("ana{round}@example.com");
        let first = world.start_with(&email, PASSWORD).await;
        let one = world.token(&email).await;
        let second = world.start_with(&email, OTHER).await;
        let two = world.token(&email).await;
        let confirm = |token: String, password: &'static str| {
            let services = world.services.clone();
            let given = GivenPasswords {
                own: password.to_owned(),
                confirmed: String::new(),
            };
            tokio::spawn(async move { services.verify(None, &token, given, &source_at("a")).await })
        };
        // On two threads: each may hold a row that the other waits for.
        let (a, b) = tokio::join!(confirm(one, PASSWORD), confirm(two, OTHER));
        let mut won = Vec::new();
        for answer in [a.unwrap(), b.unwrap()] {
            match answer {
                Ok(person) => won.push(person),
                lost => assert_eq!(
                    refused(lost)[0].0,
                    "confirmed",
                    "the winner's password is missing"
                ),
            }
        }
        assert_eq!(won.len(), 1, "at the same instant, and still one person");
        assert_eq!(world.servicers(first.person).await, [first.servicer]);
        assert_eq!(world.servicers(second.person).await, [second.servicer]);
    }
}

async fn a_password_link_works_once_and_ends_every_session(db: Db) {
    let world = world(db).await;
    let started = world.start("ana@example.com").await;
    world.browser(started.person, "ana@example.com").await;
    world
        .services
        .forgot("ana@example.com", &source_at("a"))
        .await
        .unwrap();
    let token = world.token("ana@example.com").await;
    let shown = world
        .services
        .reset_link(&token, &source_at("a"))
        .await
        .unwrap();
    assert_eq!(shown.address, "an…@example.com");
    let weak = world
        .services
        .reset(&token, "", "password1234", &source_at("a"))
        .await;
    assert_eq!(refused(weak)[0].0, "password", "and the link still works");
    let reset = world
        .services
        .reset(&token, "", OTHER, &source_at("a"))
        .await;
    assert_eq!(reset, Ok(started.person));
    assert!(world.sessions(started.person).await.is_empty());
    assert!(world.sign_in("ana@example.com", PASSWORD).await.is_err());
    assert_eq!(
        world.sign_in("ana@example.com", OTHER).await,
        Ok(started.person)
    );
    let again = world
        .services
        .reset(&token, "", PASSWORD, &source_at("a"))
        .await;
    assert_eq!(again, Err(PortalError::NotFound));

    world
        .services
        .forgot("ana@example.com", &source_at("a"))
        .await
        .unwrap();
    let token = world.token("ana@example.com").await;
    world.services.state.clock.advance(Duration::minutes(10));
    let late = world.services.reset_link(&token, &source_at("a")).await;
    assert_eq!(late.unwrap_err(), PortalError::NotFound);
}

async fn sixty_four_uses_of_one_password_link_change_one_password(db: Db) {
    let world = world(db).await;
    world.start("ana@example.com").await;
    world
        .services
        .forgot("ana@example.com", &source_at("a"))
        .await
        .unwrap();
    let token = world.token("ana@example.com").await;
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (services, token) = (world.services.clone(), token.clone());
            tokio::spawn(async move { services.reset(&token, "", OTHER, &source_at("a")).await })
        })
        .collect();
    let (mut won, mut shed) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => won += 1,
            Err(PortalError::Wait(_)) => shed += 1,
            Err(other) => assert_eq!(other, PortalError::NotFound),
        }
    }
    assert_eq!(won, 1);
    assert!(shed <= 64 - 32, "the queue holds at least thirty-two");
}

async fn forgetting_a_password_is_told_to_nobody_else(db: Db) {
    let world = world(db).await;
    world.start("ana@example.com").await;
    let known = world
        .services
        .forgot("ana@example.com", &source_at("a"))
        .await;
    let unknown = world
        .services
        .forgot("eve@example.com", &source_at("a"))
        .await;
    assert_eq!((known, unknown), (Ok(()), Ok(())));
    assert_eq!(world.letters("ana@example.com").await.len(), 2);
    assert!(world.letters("eve@example.com").await.is_empty());
    for _ in 0..10 {
        let again = world
            .services
            .forgot("ana@example.com", &source_at("a"))
            .await;
        assert_eq!(again, Ok(()), "nobody is told how many letters went out");
    }
    let letters = world.letters("ana@example.com").await.len();
    assert_eq!(letters, 3, "and a mailbox is not flooded");
}
