//! Making tenants: who may, once for each form, and for nobody else.

use super::*;
use crate::storage::testing::on_both;

on_both!(
    production_is_for_approved_servicers_and_their_owners,
    a_foreign_tenant_is_a_missing_one,
    a_form_makes_one_tenant_however_often_it_is_sent,
);

async fn production_is_for_approved_servicers_and_their_owners(db: Db) {
    let world = World::new(db).await;
    let services = &world.services;
    let create = |actor| async move {
        services
            .create_tenant(&actor, production(), &source())
            .await
    };
    for (role, status) in [
        (Role::Owner, ServicerStatus::Sandbox),
        (Role::Developer, ServicerStatus::Approved),
        (Role::Owner, ServicerStatus::Suspended),
    ] {
        let refused = create(world.actor(role, status)).await;
        assert!(
            matches!(refused, Err(PortalError::Forbidden(_))),
            "{role} {status}"
        );
    }
    let owner = world.actor(Role::Owner, ServicerStatus::Approved);
    let made = made(create(owner.clone()).await.unwrap());
    assert!(made.client_secret.starts_with("tsr_live_cs_"));
    let developer = world.actor(Role::Developer, ServicerStatus::Approved);
    assert!(matches!(
        services.keys(&developer, made.id).await,
        Err(PortalError::Forbidden(_))
    ));
    assert!(
        services
            .keys(&developer, world.client.tenant())
            .await
            .is_ok()
    );

    let key = services.keys(&owner, made.id).await.unwrap()[0].id;
    world.state.clock.advance(Duration::minutes(11));
    let stale = services.stop_key(&owner, made.id, key, &source()).await;
    assert_eq!(stale, Err(PortalError::ProofNeeded));
    let fresh = world.actor(Role::Owner, ServicerStatus::Approved);
    services
        .stop_key(&fresh, made.id, key, &source())
        .await
        .unwrap();
}

async fn a_foreign_tenant_is_a_missing_one(db: Db) {
    let world = World::new(db).await;
    let other = world.beside().await;
    let (services, owner, foreign) = (&world.services, &world.owner, other.client.tenant());
    let none = TenantId(world.state.clock.id());
    for id in [foreign, none] {
        assert_eq!(
            services.tenant(owner, id).await.map(|_| ()),
            Err(PortalError::NotFound)
        );
        assert_eq!(
            services.keys(owner, id).await.map(|_| ()),
            Err(PortalError::NotFound)
        );
        let rotated = services
            .rotate_key(
                owner,
                id,
                KeyKind::Secret,
                Duration::zero().into(),
                &source(),
            )
            .await;
        assert_eq!(rotated.map(|_| ()), Err(PortalError::NotFound));
        assert_eq!(
            services.pause_tenant(owner, id, true, &source()).await,
            Err(PortalError::NotFound)
        );
        assert_eq!(
            services
                .rename_tenant(owner, id, 1, "Mine", &source())
                .await,
            Err(PortalError::NotFound)
        );
    }
    let foreign_key = live(&other, KeyKind::Secret).await[0].id;
    for key in [foreign_key, KeyId(world.state.clock.id())] {
        assert_eq!(
            services
                .stop_key(owner, world.client.tenant(), key, &source())
                .await,
            Err(PortalError::NotFound)
        );
    }
    assert_eq!(services.tenants(owner, "").await.unwrap().len(), 1);
    assert!(
        services
            .tenants(owner, &foreign.to_string())
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        services
            .tenants(owner, &world.client.tenant().to_string())
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(services.tenants(owner, "EXAMPLE").await.unwrap().len(), 1);
    assert!(services.tenants(owner, "100%").await.unwrap().is_empty());
}

async fn a_form_makes_one_tenant_however_often_it_is_sent(db: Db) {
    let world = World::new(db).await;
    let other = world.beside().await;
    let form = Some(world.services.tenant_form());
    let asked = |form| NewTenant {
        form,
        environment: Environment::Sandbox,
        ..production()
    };
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (services, owner, new) = (world.services.clone(), world.owner.clone(), asked(form));
            tokio::spawn(async move { services.create_tenant(&owner, new, &source()).await })
        })
        .collect();
    let (mut first, mut again) = (Vec::new(), Vec::new());
    for task in tasks {
        match task.await.unwrap().unwrap() {
            Creation::Made(made) => first.push(made.id),
            Creation::Again(id) => again.push(id),
        }
    }
    assert_eq!(first.len(), 1);
    assert_eq!(again, vec![first[0]; 15]);
    assert_eq!(
        world
            .services
            .tenants(&world.owner, "")
            .await
            .unwrap()
            .len(),
        2
    );

    let elsewhere = other
        .services
        .create_tenant(&other.owner, asked(form), &source())
        .await
        .unwrap();
    assert_ne!(
        made(elsewhere).id,
        first[0],
        "a mark is worth nothing to others"
    );
    let next = Some(world.services.tenant_form());
    let next = world
        .services
        .create_tenant(&world.owner, asked(next), &source())
        .await
        .unwrap();
    assert_ne!(made(next).id, first[0]);
}
