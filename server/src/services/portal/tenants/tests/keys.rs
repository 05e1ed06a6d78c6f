//! Keys: two live at most, an end for the old one, and who holds a secret.

use super::*;
use crate::storage::testing::on_both;

on_both!(
    of_64_rotations_at_once_one_wins,
    a_rotation_overlaps_and_ends,
    a_key_stopped_frees_its_place,
    only_a_live_secret_of_the_tenant_is_held,
);

async fn of_64_rotations_at_once_one_wins(db: Db) {
    let world = World::new(db).await;
    for kind in [KeyKind::Secret, KeyKind::AppKey] {
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let (services, owner, tenant) = (
                    world.services.clone(),
                    world.owner.clone(),
                    world.client.tenant(),
                );
                tokio::spawn(async move {
                    services
                        .rotate_key(&owner, tenant, kind, Duration::hours(1).into(), &source())
                        .await
                })
            })
            .collect();
        let mut won = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(_) => won += 1,
                Err(PortalError::Conflict(message)) => {
                    assert!(message.contains("Stop the older one"), "{message}");
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(won, 1);
        assert_eq!(live(&world, kind).await.len(), 2);
    }
}

async fn a_rotation_overlaps_and_ends(db: Db) {
    let world = World::new(db).await;
    let clock = &world.state.clock;
    let from = source();
    let rotate = |overlap: Duration| {
        world.services.rotate_key(
            &world.owner,
            world.client.tenant(),
            KeyKind::Secret,
            overlap.into(),
            &from,
        )
    };
    let new = rotate(Duration::hours(24)).await.unwrap();
    assert_eq!(new.old_ends_at, Some(clock.now() + Duration::hours(24)));
    assert!(matches!(
        rotate(Duration::hours(1)).await,
        Err(PortalError::Conflict(_))
    ));
    clock.advance(Duration::hours(24));
    let keys = live(&world, KeyKind::Secret).await;
    assert_eq!(keys.len(), 1);
    assert_eq!(
        (keys[0].id, &keys[0].value),
        (new.id, &None),
        "a secret is known by its tail alone"
    );
    rotate(Duration::zero()).await.unwrap();
    assert_eq!(
        live(&world, KeyKind::Secret).await.len(),
        1,
        "without overlap the old one ends at once"
    );
    assert!(matches!(
        rotate(Duration::days(8)).await,
        Err(PortalError::Refused(_))
    ));
    assert!(matches!(
        rotate(Duration::seconds(-1)).await,
        Err(PortalError::Refused(_))
    ));
    let app = live(&world, KeyKind::AppKey).await;
    assert_eq!(
        app[0].value.as_deref(),
        Some(world.client.app_key.as_str()),
        "app keys can be shown"
    );
}

async fn a_key_stopped_frees_its_place(db: Db) {
    let world = World::new(db).await;
    let from = source();
    for _ in 0..3 {
        let rotated = world.services.rotate_key(
            &world.owner,
            world.client.tenant(),
            KeyKind::AppKey,
            Duration::days(30).into(),
            &from,
        );
        let new = rotated.await.unwrap();
        let old = live(&world, KeyKind::AppKey)
            .await
            .into_iter()
            .find(|key| key.id != new.id)
            .unwrap();
        world
            .services
            .stop_key(&world.owner, world.client.tenant(), old.id, &from)
            .await
            .unwrap();
        let again = world
            .services
            .stop_key(&world.owner, world.client.tenant(), old.id, &from)
            .await;
        assert_eq!(again, Ok(()), "a second click finds it done");
    }
    let last = live(&world, KeyKind::AppKey).await.remove(0);
    world
        .services
        .stop_key(&world.owner, world.client.tenant(), last.id, &from)
        .await
        .unwrap();
    assert!(live(&world, KeyKind::AppKey).await.is_empty());
    world
        .services
        .rotate_key(
            &world.owner,
            world.client.tenant(),
            KeyKind::AppKey,
            Duration::days(30).into(),
            &from,
        )
        .await
        .unwrap();
}

async fn only_a_live_secret_of_the_tenant_is_held(db: Db) {
    let world = World::new(db).await;
    let other = world.beside().await;
    let held = async |actor: &Actor, tenant, secret: &str| {
        world.services.holds_secret(actor, tenant, secret).await
    };
    let own = &world.owner;
    held(own, world.client.tenant(), &world.client.secret)
        .await
        .unwrap();
    for wrong in ["", &world.client.app_key, &other.client.secret] {
        let answer = held(own, world.client.tenant(), wrong).await;
        assert!(matches!(answer, Err(PortalError::Conflict(_))), "{wrong}");
    }
    assert_eq!(
        held(own, other.client.tenant(), &other.client.secret).await,
        Err(PortalError::NotFound)
    );
    let secret = live(&world, KeyKind::Secret).await[0].id;
    world
        .services
        .stop_key(own, world.client.tenant(), secret, &source())
        .await
        .unwrap();
    let stopped = held(own, world.client.tenant(), &world.client.secret).await;
    assert!(matches!(stopped, Err(PortalError::Conflict(_))));
}
