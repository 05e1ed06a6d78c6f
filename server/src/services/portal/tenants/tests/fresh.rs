//! Acts on production with a password that was given too long ago: none happens, and the sandbox asks for nothing.

use super::*;
use crate::storage::testing::on_both;

on_both!(production_asks_for_fresh_proof_and_the_sandbox_does_not,);

/// Every act on a tenant or what its production hangs on.
async fn acts(world: &World, actor: &Actor, id: TenantId) -> Vec<(&'static str, PortalResult<()>)> {
    use app::portal::signing::{NewSigningKey, Signing as _};
    let (services, from) = (&world.services, source());
    let key = services.keys(actor, id).await.unwrap()[0].id;
    let version = services.tenant(actor, id).await.unwrap().version;
    let links = (vec!["https://app.example.com/other".to_owned()], Vec::new());
    let new_key = NewSigningKey {
        issuer: "signer@example.com".to_owned(),
        material:
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#
                .to_owned(),
    };
    let skill = kept_skill();
    vec![
        (
            "rename",
            services
                .rename_tenant(actor, id, version, "Name", &from)
                .await,
        ),
        (
            "links",
            services.set_links(actor, id, version, links, &from).await,
        ),
        ("pause", services.pause_tenant(actor, id, true, &from).await),
        (
            "whitelist",
            services
                .whitelist(actor, id, skill.as_str(), false, &from)
                .await,
        ),
        (
            "terms",
            services
                .set_terms(actor, id, &skill, version, terms("60", "60"), &from)
                .await,
        ),
        (
            "signatures",
            services
                .set_signature_terms(actor, id, version, (true, "60"), &from)
                .await,
        ),
        (
            "rotate",
            services
                .rotate_key(actor, id, KeyKind::Secret, Duration::zero().into(), &from)
                .await
                .map(drop),
        ),
        ("stop", services.stop_key(actor, id, key, &from).await),
        (
            "signing key",
            services.add_signing_key(actor, new_key, &from).await,
        ),
        (
            "signing key stop",
            services
                .stop_signing_key(actor, SigningKeyId(uuid::Uuid::nil()), &from)
                .await,
        ),
        (
            "create",
            services
                .create_tenant(actor, production(), &from)
                .await
                .map(drop),
        ),
    ]
}

async fn production_asks_for_fresh_proof_and_the_sandbox_does_not(db: Db) {
    let world = World::new(db).await;
    let mut owner = world.actor(Role::Owner, ServicerStatus::Approved);
    let made = world
        .services
        .create_tenant(&owner, production(), &source())
        .await;
    let live = self::made(made.unwrap()).id;
    let clock = &world.state.clock;
    clock.advance(Duration::minutes(10));
    assert!(owner.fresh(clock.now()).is_ok(), "ten minutes to the end");
    clock.advance(Duration::seconds(1));
    let keys = world.services.keys(&owner, live).await.unwrap().len();
    for (act, answer) in acts(&world, &owner, live).await {
        assert_eq!(answer, Err(PortalError::ProofNeeded), "{act}");
    }
    assert_eq!(world.services.keys(&owner, live).await.unwrap().len(), keys);
    let always = ["signing key", "signing key stop", "create"];
    for (act, answer) in acts(&world, &owner, world.client.tenant()).await {
        let asked = answer == Err(PortalError::ProofNeeded);
        assert_eq!(asked, always.contains(&act), "{act}: {answer:?}");
    }
    owner.proved_at = clock.now();
    for (act, answer) in acts(&world, &owner, live).await {
        assert_ne!(answer, Err(PortalError::ProofNeeded), "{act}");
    }
}
