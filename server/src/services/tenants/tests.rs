use app::domain::ids::KeyId;
use app::domain::key::KeyKind;
use app::domain::person::Role;
use app::domain::servicer::ServicerStatus;
use app::domain::skill::SkillName;
use app::domain::tenant::{Environment, TenantStatus};
use app::portal::Trouble;
use app::portal::tenants::{Creation, NewTenant, Tenants as _};
use chrono::Duration;

use super::*;
use crate::services::testing::{World, source};
use crate::storage::testing::on_both;
use crate::storage::{Db, run};

on_both!(
    of_64_rotations_at_once_one_wins,
    a_rotation_overlaps_and_ends,
    a_key_stopped_frees_its_place,
    no_act_without_its_audit_row,
    every_act_leaves_one_row,
    production_is_for_approved_servicers_and_their_owners,
    a_foreign_tenant_is_a_missing_one,
    settings_are_kept_and_refused_whole,
    a_form_makes_one_tenant_however_often_it_is_sent,
    only_a_live_secret_of_the_tenant_is_held,
    terms_are_kept_within_their_limits,
);

fn production() -> NewTenant {
    NewTenant {
        form: None,
        name: "Live".into(),
        environment: Environment::Production,
        skills: Vec::new(),
        redirect_links: vec!["https://app.example.com/return".into()],
        origins: Vec::new(),
    }
}

/// The tenant of a form that was sent for the first time.
fn made(creation: Creation) -> CreatedTenant {
    match creation {
        Creation::Made(made) => made,
        Creation::Again(id) => panic!("{id} was made before"),
    }
}

async fn live(world: &World, kind: KeyKind) -> Vec<Key> {
    let keys = world
        .services
        .keys(&world.owner, world.tenant)
        .await
        .unwrap();
    keys.into_iter().filter(|key| key.kind == kind).collect()
}

async fn of_64_rotations_at_once_one_wins(db: Db) {
    let world = World::new(db).await;
    for kind in [KeyKind::Secret, KeyKind::AppKey] {
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let (services, owner, tenant) =
                    (world.services.clone(), world.owner.clone(), world.tenant);
                tokio::spawn(async move {
                    services
                        .rotate_key(&owner, tenant, kind, Duration::hours(1), &source())
                        .await
                })
            })
            .collect();
        let mut won = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(_) => won += 1,
                Err(Trouble::Conflict(message)) => {
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
    let clock = &world.state().clock;
    let from = source();
    let rotate = |overlap| {
        world
            .services
            .rotate_key(&world.owner, world.tenant, KeyKind::Secret, overlap, &from)
    };
    let new = rotate(Duration::hours(24)).await.unwrap();
    assert_eq!(new.old_ends_at, Some(clock.now() + Duration::hours(24)));
    assert!(matches!(
        rotate(Duration::hours(1)).await,
        Err(Trouble::Conflict(_))
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
        Err(Trouble::Refused(_))
    ));
    assert!(matches!(
        rotate(Duration::seconds(-1)).await,
        Err(Trouble::Refused(_))
    ));
    let app = live(&world, KeyKind::AppKey).await;
    assert_eq!(
        app[0].value.as_deref(),
        Some(world.client_app_key.as_str()),
        "app keys can be shown"
    );
}

async fn a_key_stopped_frees_its_place(db: Db) {
    let world = World::new(db).await;
    let from = source();
    for _ in 0..3 {
        let rotated = world.services.rotate_key(
            &world.owner,
            world.tenant,
            KeyKind::AppKey,
            Duration::days(30),
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
            .stop_key(&world.owner, world.tenant, old.id, &from)
            .await
            .unwrap();
        let again = world
            .services
            .stop_key(&world.owner, world.tenant, old.id, &from)
            .await;
        assert_eq!(again, Err(Trouble::NotFound));
    }
    let last = live(&world, KeyKind::AppKey).await.remove(0);
    world
        .services
        .stop_key(&world.owner, world.tenant, last.id, &from)
        .await
        .unwrap();
    assert!(live(&world, KeyKind::AppKey).await.is_empty());
    world
        .services
        .rotate_key(
            &world.owner,
            world.tenant,
            KeyKind::AppKey,
            Duration::days(30),
            &from,
        )
        .await
        .unwrap();
}

/// Everything a person can change, as text: what an undone act leaves as it was.
async fn picture(world: &World) -> String {
    let tenants = world.services.tenants(&world.owner, "").await.unwrap();
    let tenant = world
        .services
        .tenant(&world.owner, world.tenant)
        .await
        .unwrap();
    let keys = world
        .services
        .keys(&world.owner, world.tenant)
        .await
        .unwrap();
    let keys: Vec<_> = keys.iter().map(|key| (key.id, key.ends_at)).collect();
    format!("{} {tenant:?} {keys:?}", tenants.len())
}

/// A skill that no act of the tests takes off the whitelist.
fn kept_skill() -> SkillName {
    SkillName::parse("xyz_ro_aisp_sbx_#1.0").unwrap()
}

fn terms(consent_duration: &str, cache_max_data_retention: &str) -> TypedTerms {
    TypedTerms {
        consent_duration: consent_duration.to_owned(),
        cache_max_data_retention: cache_max_data_retention.to_owned(),
    }
}

/// Every act of the trait, one after the other; each is tried though the one before failed.
async fn all_acts(world: &World) -> Vec<Answered<()>> {
    let (services, owner, id, source) = (&world.services, &world.owner, world.tenant, source());
    let secret = live(world, KeyKind::Secret).await[0].id;
    let sandbox = NewTenant {
        environment: Environment::Sandbox,
        ..production()
    };
    vec![
        services
            .create_tenant(owner, sandbox, &source)
            .await
            .map(|_| ()),
        services
            .rename_tenant(owner, id, "Other name", &source)
            .await,
        services
            .set_links(owner, id, vec!["myapp://other".into()], Vec::new(), &source)
            .await,
        services.pause_tenant(owner, id, true, &source).await,
        services
            .whitelist(owner, id, "xyz_aisp_sbx_#1.0", false, &source)
            .await,
        services
            .set_terms(owner, id, &kept_skill(), terms("60", "120"), &source)
            .await,
        services
            .rotate_key(owner, id, KeyKind::AppKey, Duration::days(1), &source)
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
            matches!(answer, Err(Trouble::Internal(_))),
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
            matches!(refused, Err(Trouble::Forbidden(_))),
            "{role} {status}"
        );
    }
    let owner = world.actor(Role::Owner, ServicerStatus::Approved);
    let made = made(create(owner.clone()).await.unwrap());
    assert!(made.client_secret.starts_with("tsr_live_cs_"));
    let developer = world.actor(Role::Developer, ServicerStatus::Approved);
    assert!(matches!(
        services.keys(&developer, made.id).await,
        Err(Trouble::Forbidden(_))
    ));
    assert!(services.keys(&developer, world.tenant).await.is_ok());

    let key = services.keys(&owner, made.id).await.unwrap()[0].id;
    world.state().clock.advance(Duration::minutes(11));
    let stale = services.stop_key(&owner, made.id, key, &source()).await;
    assert_eq!(stale, Err(Trouble::ProofNeeded));
    let fresh = world.actor(Role::Owner, ServicerStatus::Approved);
    services
        .stop_key(&fresh, made.id, key, &source())
        .await
        .unwrap();
}

async fn a_foreign_tenant_is_a_missing_one(db: Db) {
    let world = World::new(db).await;
    let other = world.beside().await;
    let (services, owner, foreign) = (&world.services, &world.owner, other.tenant);
    let none = TenantId(world.state().clock.id());
    for id in [foreign, none] {
        assert_eq!(
            services.tenant(owner, id).await.map(|_| ()),
            Err(Trouble::NotFound)
        );
        assert_eq!(
            services.keys(owner, id).await.map(|_| ()),
            Err(Trouble::NotFound)
        );
        let rotated = services
            .rotate_key(owner, id, KeyKind::Secret, Duration::zero(), &source())
            .await;
        assert_eq!(rotated.map(|_| ()), Err(Trouble::NotFound));
        assert_eq!(
            services.pause_tenant(owner, id, true, &source()).await,
            Err(Trouble::NotFound)
        );
        assert_eq!(
            services.rename_tenant(owner, id, "Mine", &source()).await,
            Err(Trouble::NotFound)
        );
    }
    let foreign_key = live(&other, KeyKind::Secret).await[0].id;
    for key in [foreign_key, KeyId(world.state().clock.id())] {
        assert_eq!(
            services.stop_key(owner, world.tenant, key, &source()).await,
            Err(Trouble::NotFound)
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
            .tenants(owner, &world.tenant.to_string())
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(services.tenants(owner, "EXAMPLE").await.unwrap().len(), 1);
    assert!(services.tenants(owner, "100%").await.unwrap().is_empty());
}

async fn settings_are_kept_and_refused_whole(db: Db) {
    let world = World::new(db).await;
    let (services, owner, id) = (&world.services, &world.owner, world.tenant);
    let tenant = services.tenant(owner, id).await.unwrap();
    assert!(
        tenant
            .redirect_links
            .contains(&"http://127.0.0.1:3000/console/return".to_owned())
    );
    assert!(tenant.redirect_links.contains(&"myapp://return".to_owned()));
    let published = world.state().skills.all().count();
    assert_eq!(tenant.skills.len(), published, "every sandbox skill");
    let links = |list: &[&str]| list.iter().map(|&link| link.to_owned()).collect::<Vec<_>>();
    let wrong = services
        .set_links(
            owner,
            id,
            links(&["myapp://x", "javascript:alert(1)"]),
            links(&["https://a.example/path"]),
            &source(),
        )
        .await;
    let Err(Trouble::Refused(fields)) = wrong else {
        panic!("{wrong:?}")
    };
    assert_eq!(
        fields.iter().map(|field| field.name).collect::<Vec<_>>(),
        ["redirect_links", "origins"]
    );
    assert_eq!(
        services.tenant(owner, id).await.unwrap().redirect_links,
        tenant.redirect_links
    );
    let (given, origins) = (
        links(&["myapp://x", " myapp://x ", ""]),
        links(&["https://App.example.com/"]),
    );
    services
        .set_links(owner, id, given, origins, &source())
        .await
        .unwrap();
    let tenant = services.tenant(owner, id).await.unwrap();
    assert_eq!(
        (tenant.redirect_links, tenant.origins),
        (links(&["myapp://x"]), links(&["https://app.example.com"]))
    );

    services
        .pause_tenant(owner, id, true, &source())
        .await
        .unwrap();
    services
        .rename_tenant(owner, id, "  New name ", &source())
        .await
        .unwrap();
    services
        .whitelist(owner, id, "xyz_aisp_sbx_#1.0", false, &source())
        .await
        .unwrap();
    let unknown = services
        .whitelist(owner, id, "abc_aisp_sbx_#1.0", true, &source())
        .await;
    assert!(matches!(unknown, Err(Trouble::Refused(_))));
    let tenant = services.tenant(owner, id).await.unwrap();
    assert_eq!(
        (tenant.status, tenant.name.as_str(), tenant.skills.len()),
        (TenantStatus::Paused, "New name", published - 1)
    );
    assert!(matches!(
        services.rename_tenant(owner, id, " ", &source()).await,
        Err(Trouble::Refused(_))
    ));
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

async fn only_a_live_secret_of_the_tenant_is_held(db: Db) {
    let world = World::new(db).await;
    let other = world.beside().await;
    let held = async |actor: &Actor, tenant, secret: &str| {
        world.services.holds_secret(actor, tenant, secret).await
    };
    let own = &world.owner;
    held(own, world.tenant, &world.client_secret).await.unwrap();
    for wrong in ["", &world.client_app_key, &other.client_secret] {
        let answer = held(own, world.tenant, wrong).await;
        assert!(matches!(answer, Err(Trouble::Conflict(_))), "{wrong}");
    }
    assert_eq!(
        held(own, other.tenant, &other.client_secret).await,
        Err(Trouble::NotFound)
    );
    let secret = live(&world, KeyKind::Secret).await[0].id;
    world
        .services
        .stop_key(own, world.tenant, secret, &source())
        .await
        .unwrap();
    let stopped = held(own, world.tenant, &world.client_secret).await;
    assert!(matches!(stopped, Err(Trouble::Conflict(_))));
}

async fn terms_are_kept_within_their_limits(db: Db) {
    let world = World::new(db).await;
    let other = world.beside().await;
    let (services, owner, id) = (&world.services, &world.owner, world.tenant);
    // The terms of the skill that is changed, and of those that are not.
    let now = async || {
        let tenant = services.tenant(owner, id).await.unwrap();
        let of =
            |skill: &WhitelistedSkill| (skill.consent_duration, skill.cache_max_data_retention);
        let (changed, others): (Vec<_>, Vec<_>) = tenant
            .skills
            .iter()
            .partition(|allowed| allowed.skill == kept_skill());
        assert!(others.iter().all(|other| of(other) == of(others[0])));
        (of(changed[0]), of(others[0]))
    };
    let defaults = (129_600, 172_800);
    assert_eq!(now().await, (defaults, defaults));
    let set = async |actor: &Actor, tenant, skill: &SkillName, typed| {
        services
            .set_terms(actor, tenant, skill, typed, &source())
            .await
    };
    let skill = kept_skill();
    set(owner, id, &skill, terms(" 60", "525600"))
        .await
        .unwrap();
    let set_alone = ((60, 525_600), defaults);
    assert_eq!(now().await, set_alone, "of that skill alone");

    let wrong = set(owner, id, &skill, terms("0", "525601")).await;
    let Err(Trouble::Refused(fields)) = wrong else {
        panic!("{wrong:?}")
    };
    assert_eq!(
        fields.iter().map(|field| field.name).collect::<Vec<_>>(),
        ["consent_duration", "cache_max_data_retention"]
    );
    let unlisted = SkillName::parse("abc_aisp_sbx_#1.0").unwrap();
    for (tenant, skill) in [(id, &unlisted), (other.tenant, &skill)] {
        let answer = set(owner, tenant, skill, terms("60", "60")).await;
        assert_eq!(answer, Err(Trouble::NotFound));
    }
    let analyst = world.actor(Role::Developer, ServicerStatus::Suspended);
    let answer = set(&analyst, id, &skill, terms("60", "60")).await;
    assert!(matches!(answer, Err(Trouble::Forbidden(_))));
    assert_eq!(now().await, set_alone);

    services
        .whitelist(owner, id, skill.as_str(), false, &source())
        .await
        .unwrap();
    services
        .whitelist(owner, id, skill.as_str(), true, &source())
        .await
        .unwrap();
    let again = now().await.0;
    assert_eq!(again, defaults, "taken off and put on");
}
