//! Adding, rotating and stopping keys, and who may.

use app::domain::ids::SigningKeyId;
use app::domain::signature::MOST_KEYS;

use super::*;
use crate::services::access::signatures::material::PublicKey;

on_both!(
    a_key_is_added_once_and_only_if_it_is_one,
    rotation_refuses_nothing_and_a_stopped_key_is_refused_at_once,
    ten_are_live_at_most_however_many_are_added_at_once,
    keys_are_the_servicers_own_and_for_its_owners_to_change,
    every_act_is_written_down_or_does_not_happen,
);

async fn a_key_is_added_once_and_only_if_it_is_one(db: Db) {
    let signing = SigningTenant::new(db).await;
    for (issuer, material, field) in [
        ("", signing.signer.public_pem(), "issuer"),
        ("a b", signing.signer.public_pem(), "issuer"),
        (ISSUER, RSA.private, "material"),
        (ISSUER, "", "material"),
        (ISSUER, &"x".repeat(20_000), "material"),
        (ISSUER, signing.signer.public_pem(), "material"),
    ] {
        let Err(PortalError::Refused(wrong)) = signing.add(issuer, material).await else {
            panic!("{issuer:?} {material:?}")
        };
        assert_eq!(wrong.len(), 1);
        assert_eq!(wrong[0].name, field);
    }
    let Err(PortalError::Refused(both)) = signing.add("", "").await else {
        panic!()
    };
    assert_eq!(both.len(), 2, "all that is wrong is told at once");
    let keys = signing.keys().await;
    assert_eq!(keys.len(), 1);
    assert_eq!(
        (keys[0].issuer.as_str(), keys[0].keys[0].1.as_str()),
        (ISSUER, "ES256")
    );
    assert_eq!(keys[0].last_used_at, None);
    signing.list(&signing.sign(&signing.listing())).await;
    let keys = signing.keys().await;
    assert_eq!(keys[0].last_used_at, Some(signing.world.state.clock.now()));
}

async fn rotation_refuses_nothing_and_a_stopped_key_is_refused_at_once(db: Db) {
    let signing = SigningTenant::new(db).await;
    let next = Signer::new(ED25519);
    signing.add(ISSUER, next.public_pem()).await.unwrap();
    let (services, owner, body) = (
        &signing.world.services,
        &signing.world.owner,
        signing.listing(),
    );
    let by_next = || next.jws(&next.header(), &signing.claims(&body));
    assert_eq!(signing.list(&signing.sign(&body)).await.status, 200);
    assert_eq!(signing.list(&by_next()).await.status, 200);
    let old = signing.keys().await[0].id;
    services
        .stop_signing_key(owner, old, &source())
        .await
        .unwrap();
    assert!(signing.list(&signing.sign(&body)).await.fails("key"));
    assert_eq!(signing.list(&by_next()).await.status, 200);
    let again = services.stop_signing_key(owner, old, &source()).await;
    assert_eq!(again, Err(PortalError::NotFound));
    // One that names its key is held to it, where it is known.
    let kid = PublicKey::parse(next.public_pem())
        .unwrap()
        .kid()
        .unwrap()
        .to_owned();
    for (kid, status) in [(kid.as_str(), 200), ("a-name-of-my-own", 200)] {
        let mut header = next.header();
        header["kid"] = json!(kid);
        assert_eq!(
            signing
                .list(&next.jws(&header, &signing.claims(&body)))
                .await
                .status,
            status,
            "{kid}"
        );
    }
    signing
        .add(ISSUER, signing.signer.public_pem())
        .await
        .unwrap();
    assert_eq!(
        signing.list(&signing.sign(&body)).await.status,
        200,
        "a stopped key may come back"
    );
}

async fn ten_are_live_at_most_however_many_are_added_at_once(db: Db) {
    let signing = SigningTenant::without_keys(World::new(db).await, Signer::new(P256));
    let add = |n: usize| {
        let signing = &signing;
        async move {
            signing
                .add(&format!("signer-{n}"), signing.signer.public_pem())
                .await
        }
    };
    let added = futures_util::future::join_all((0..MOST_KEYS + 4).map(add)).await;
    let refused = added
        .iter()
        .filter(|added| matches!(added, Err(PortalError::Conflict(_))))
        .count();
    assert_eq!(
        (added.iter().filter(|added| added.is_ok()).count(), refused),
        (MOST_KEYS, 4)
    );
    let (services, owner) = (&signing.world.services, &signing.world.owner);
    let keys = signing.keys().await;
    services
        .stop_signing_key(owner, keys[3].id, &source())
        .await
        .unwrap();
    signing
        .add("one-more", signing.signer.public_pem())
        .await
        .unwrap();
}

async fn keys_are_the_servicers_own_and_for_its_owners_to_change(db: Db) {
    let signing = SigningTenant::new(db).await;
    let services = &signing.world.services;
    let key = signing.keys().await[0].id;
    let developer = signing
        .world
        .actor(Role::Developer, ServicerStatus::Sandbox);
    assert_eq!(services.signing_keys(&developer).await.unwrap().len(), 1);
    let new = || NewSigningKey {
        issuer: "mine".into(),
        material: RSA_PUBLIC.into(),
    };
    let stopped = services.stop_signing_key(&developer, key, &source()).await;
    let added = services.add_signing_key(&developer, new(), &source()).await;
    assert!(matches!(
        (stopped, added),
        (
            Err(PortalError::Forbidden(_)),
            Err(PortalError::Forbidden(_))
        )
    ));
    let analyst = signing.world.actor(Role::Analyst, ServicerStatus::Sandbox);
    assert!(matches!(
        services.signing_keys(&analyst).await,
        Err(PortalError::Forbidden(_))
    ));
    let suspended = signing.world.actor(Role::Owner, ServicerStatus::Suspended);
    assert!(matches!(
        services.add_signing_key(&suspended, new(), &source()).await,
        Err(PortalError::Forbidden(_))
    ));

    let other = SigningTenant::without_keys(signing.world.beside().await, Signer::new(P256));
    let foreign = services
        .stop_signing_key(&other.world.owner, key, &source())
        .await;
    assert_eq!(foreign, Err(PortalError::NotFound));
    assert!(
        services
            .signing_keys(&other.world.owner)
            .await
            .unwrap()
            .is_empty()
    );
    let jws = other.sign(&other.listing());
    assert!(
        other.list(&jws).await.fails("issuer"),
        "the same issuer of another servicer is nobody here"
    );
    let unknown = services
        .stop_signing_key(
            &signing.world.owner,
            SigningKeyId(uuid::Uuid::nil()),
            &source(),
        )
        .await;
    assert_eq!(unknown, Err(PortalError::NotFound));
    let specimen = Specimen {
        tenant: other.world.client.tenant(),
        jws: String::new(),
        method: String::new(),
        url: String::new(),
        body: Vec::new(),
    };
    assert!(matches!(
        services.diagnose(&signing.world.owner, specimen).await,
        Err(PortalError::NotFound)
    ));
}

const RSA_PUBLIC: &str = include_str!("../test_keys/rsa.pub.pem");

async fn every_act_is_written_down_or_does_not_happen(db: Db) {
    let signing = SigningTenant::new(db).await;
    let (services, owner, id) = (
        &signing.world.services,
        &signing.world.owner,
        signing.world.client.tenant(),
    );
    let key = signing.keys().await[0].id;
    signing.world.state.db.break_audit_log().await;
    assert!(matches!(
        signing.add("next", RSA_PUBLIC).await,
        Err(PortalError::Internal(_))
    ));
    assert!(matches!(
        services.stop_signing_key(owner, key, &source()).await,
        Err(PortalError::Internal(_))
    ));
    let set = services
        .set_signature_terms(owner, id, 1, (true, "60"), &source())
        .await;
    assert!(matches!(set, Err(PortalError::Internal(_))));
    let keys = signing.keys().await;
    assert_eq!((keys.len(), keys[0].id), (1, key));
    assert!(
        !services
            .signature_terms(owner, id)
            .await
            .unwrap()
            .signed_only
    );
}
