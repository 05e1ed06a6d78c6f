//! Two people change one tenant's settings: what one of them has not seen is never overwritten.

use super::*;
use crate::storage::testing::on_both;

on_both!(
    a_form_made_from_something_older_is_refused_with_what_changed,
    a_thousand_edits_at_once_are_counted_one_by_one,
);

async fn a_form_made_from_something_older_is_refused_with_what_changed(db: Db) {
    let world = World::new(db).await;
    let (services, owner, id) = (&world.services, &world.owner, world.client.tenant());
    let loaded = version(&world).await;
    services
        .rename_tenant(owner, id, loaded, "Newer name", &source())
        .await
        .unwrap();
    let links = || (vec!["myapp://other".to_owned()], Vec::new());
    let stale = [
        services
            .rename_tenant(owner, id, loaded, "Older name", &source())
            .await,
        services
            .set_links(owner, id, loaded, links(), &source())
            .await,
        services
            .set_terms(
                owner,
                id,
                &kept_skill(),
                loaded,
                terms("60", "60"),
                &source(),
            )
            .await,
        app::portal::signing::Signing::set_signature_terms(
            services,
            owner,
            id,
            loaded,
            (true, "60"),
            &source(),
        )
        .await,
    ];
    for answer in stale {
        let Err(PortalError::Conflict(why)) = answer else {
            panic!("{answer:?}")
        };
        assert!(
            why.contains("changed the name (owner@example.com)"),
            "says what, and who: {why}"
        );
    }
    let tenant = services.tenant(owner, id).await.unwrap();
    assert_eq!(tenant.name, "Newer name");
    assert_eq!(tenant.version, loaded + 1);
    assert!(!tenant.redirect_links.contains(&"myapp://other".to_owned()));
    services
        .set_links(owner, id, tenant.version, links(), &source())
        .await
        .unwrap();
    assert_eq!(version(&world).await, loaded + 2);
}

/// Number of edits that run at once, as many as a test machine bears. A thousand run in all.
const AT_ONCE: usize = 20;

async fn a_thousand_edits_at_once_are_counted_one_by_one(db: Db) {
    let world = World::new(db).await;
    let began = version(&world).await;
    let mut accepted = 0;
    for round in 0..1_000 / AT_ONCE {
        let loaded = version(&world).await;
        let tasks: Vec<_> = (0..AT_ONCE)
            .map(|n| {
                let (services, owner) = (world.services.clone(), world.owner.clone());
                let (id, name) = (world.client.tenant(), format!("Name {round}.{n}"));
                tokio::spawn(async move {
                    services
                        .rename_tenant(&owner, id, loaded, &name, &source())
                        .await
                })
            })
            .collect();
        for task in tasks {
            match task.await.unwrap() {
                Ok(()) => accepted += 1,
                Err(PortalError::Conflict(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(version(&world).await - began, accepted);
    assert_eq!(accepted, 50, "one of each round");
}
