//! Every act leaves its audit row, or does not happen.

use super::*;
use crate::storage::run;
use crate::storage::testing::on_both;

on_both!(no_act_without_its_audit_row, every_act_leaves_one_row,);

/// Everything a person can change, as text: what an undone act leaves as it was.
async fn picture(world: &World) -> String {
    let tenants = world.services.tenants(&world.owner, "").await.unwrap();
    let tenant = world
        .services
        .tenant(&world.owner, world.client.tenant())
        .await
        .unwrap();
    let keys = world
        .services
        .keys(&world.owner, world.client.tenant())
        .await
        .unwrap();
    let keys: Vec<_> = keys.iter().map(|key| (key.id, key.ends_at)).collect();
    format!("{} {tenant:?} {keys:?}", tenants.len())
}

/// Every act of the trait, one after the other; each is tried though the one before failed.
async fn all_acts(world: &World) -> Vec<PortalResult<()>> {
    let (services, owner, id, source) = (
        &world.services,
        &world.owner,
        world.client.tenant(),
        source(),
    );
    let secret = live(world, KeyKind::Secret).await[0].id;
    let sandbox = NewTenant {
        environment: Environment::Sandbox,
        ..production()
    };
    let links = (vec!["myapp://other".into()], Vec::new());
    let typed = terms("60", "120");
    vec![
        services
            .create_tenant(owner, sandbox, &source)
            .await
            .map(|_| ()),
        services
            .rename_tenant(owner, id, version(world).await, "Other name", &source)
            .await,
        services
            .set_links(owner, id, version(world).await, links, &source)
            .await,
        services.pause_tenant(owner, id, true, &source).await,
        services
            .whitelist(owner, id, "xyz_aisp_sbx_#1.0", false, &source)
            .await,
        services
            .set_terms(
                owner,
                id,
                &kept_skill(),
                version(world).await,
                typed,
                &source,
            )
            .await,
        services
            .rotate_key(
                owner,
                id,
                KeyKind::AppKey,
                Duration::days(1).into(),
                &source,
            )
            .await
            .map(|_| ()),
        services.stop_key(owner, id, secret, &source).await,
    ]
}

async fn no_act_without_its_audit_row(db: Db) {
    let world = World::new(db.clone()).await;
    let before = picture(&world).await;
    let mut tx = db.write().await.unwrap();
    run!(tx, |conn| sqlx::query(
        "ALTER TABLE audit_log RENAME TO elsewhere"
    )
    .execute(conn)
    .await
    .map(|_| ()))
    .unwrap();
    tx.commit().await.unwrap();
    for (at, answer) in all_acts(&world).await.into_iter().enumerate() {
        assert!(
            matches!(answer, Err(PortalError::Internal(_))),
            "act {at}: {answer:?}"
        );
    }
    assert_eq!(
        picture(&world).await,
        before,
        "an act that cannot be recorded does not happen"
    );
}

async fn every_act_leaves_one_row(db: Db) {
    let world = World::new(db.clone()).await;
    let acts = all_acts(&world).await;
    assert!(acts.iter().all(Result::is_ok), "{acts:?}");
    let mut tx = db.read().await.unwrap();
    let rows: Vec<(String, String)> = run!(tx, |conn| sqlx::query_as(
        "SELECT action, detail FROM audit_log ORDER BY id"
    )
    .fetch_all(conn)
    .await)
    .unwrap();
    let mut actions: Vec<&str> = rows.iter().map(|(action, _)| action.as_str()).collect();
    actions.sort_unstable();
    assert_eq!(
        actions,
        [
            "key.rotated",
            "key.stopped",
            "tenant.created",
            "tenant.links_set",
            "tenant.paused",
            "tenant.renamed",
            "tenant.skill_removed",
            "tenant.terms_set"
        ]
    );
    assert!(
        rows.iter().all(|(_, detail)| !detail.contains("tsr_")),
        "{rows:?}"
    );
}
