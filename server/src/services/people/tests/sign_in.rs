//! Signing in: wrong pairs, floods of them, and what ends a session.

use super::*;
use crate::storage::testing::on_both;

on_both!(
    a_pair_is_wrong_in_one_way_only,
    an_outsider_cannot_make_the_owner_wait,
    guesses_at_once_are_counted_before_they_are_checked,
    changing_the_password_ends_the_other_sessions,
    a_proof_counts_for_its_own_session,
);

async fn a_pair_is_wrong_in_one_way_only(db: Db) {
    let world = world(db);
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
    let world = world(db);
    let started = world.start("ana@example.com").await;
    let mut waited = None;
    for _ in 0..8 {
        let try_one = world
            .services
            .sign_in("ana@example.com", OTHER, &from("outside"))
            .await;
        if let Err(Trouble::Wait(seconds)) = try_one {
            waited = Some(seconds);
            break;
        }
    }
    assert_eq!(waited, Some(1), "five failures, then a wait that grows");
    assert_eq!(
        world.sign_in("ana@example.com", PASSWORD).await,
        Ok(started.person)
    );
    let outside = from("outside");
    world.services.state.clock.advance(Duration::seconds(1));
    let again = world
        .services
        .sign_in("ana@example.com", OTHER, &outside)
        .await;
    assert!(matches!(again, Err(Trouble::Refused(_))));
    let then = world
        .services
        .sign_in("ana@example.com", OTHER, &outside)
        .await;
    assert_eq!(then, Err(Trouble::Wait(2)));
    world.services.state.clock.advance(Duration::seconds(2));
    let right = world
        .services
        .sign_in("ana@example.com", PASSWORD, &outside)
        .await;
    assert_eq!(right, Ok(started.person), "the right pair ends it");
}

async fn guesses_at_once_are_counted_before_they_are_checked(db: Db) {
    let world = world(db);
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let services = world.services.clone();
            tokio::spawn(
                async move { services.sign_in("ana@example.com", OTHER, &from("a")).await },
            )
        })
        .collect();
    let mut checked = 0;
    for task in tasks {
        checked += usize::from(matches!(task.await.unwrap(), Err(Trouble::Refused(_))));
    }
    assert_eq!(checked, 5, "the clock stands still: no more than the limit");
}

async fn changing_the_password_ends_the_other_sessions(db: Db) {
    let world = world(db);
    let started = world.start("ana@example.com").await;
    let here = world.browser(started.person, "ana@example.com").await;
    world.browser(started.person, "ana@example.com").await;
    let devices = world.services.devices(&here).await.unwrap();
    assert_eq!(devices.len(), 2);
    assert!(devices[0].current && !devices[1].current);
    let wrong = world
        .services
        .change_password(&here, OTHER, "ten violas on a roof", &from("a"))
        .await;
    assert_eq!(refused(wrong)[0].0, "old");
    let weak = world
        .services
        .change_password(&here, PASSWORD, "password1234", &from("a"))
        .await;
    assert_eq!(refused(weak)[0].0, "new");
    world
        .services
        .change_password(&here, PASSWORD, OTHER, &from("a"))
        .await
        .unwrap();
    assert_eq!(world.sessions(started.person).await, [here.session]);
    assert_eq!(
        world.sign_in("ana@example.com", OTHER).await,
        Ok(started.person)
    );
    let foreign = world
        .services
        .end_device(&here, &Uuid::nil().to_string())
        .await;
    assert_eq!(foreign, Err(Trouble::NotFound));
    let own = here.session.to_string();
    world.services.end_device(&here, &own).await.unwrap();
    assert!(world.sessions(started.person).await.is_empty());
}

async fn a_proof_counts_for_its_own_session(db: Db) {
    let world = world(db);
    let started = world.start("ana@example.com").await;
    let here = world.browser(started.person, "ana@example.com").await;
    let there = world.browser(started.person, "ana@example.com").await;
    world.services.state.clock.advance(Duration::minutes(30));
    let wrong = world.services.prove(&here, OTHER, &from("a")).await;
    assert_eq!(refused(wrong)[0].0, "password");
    world
        .services
        .prove(&here, PASSWORD, &from("a"))
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
