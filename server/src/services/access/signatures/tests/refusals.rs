//! Each check refuses by its name, and the owner sees what differs.

use app::domain::signature::Check;

use super::*;

on_both!(every_check_refuses_by_its_name_and_tells_the_owner);

/// Signatures over a body, each with the check that it fails.
fn bad_signatures(signing: &SigningTenant, body: &str) -> Vec<(Check, String)> {
    let stranger = Signer::new(ED25519);
    let header = signing.signer.header();
    let with = |name: &str, value: Value| {
        let mut claims = signing.claims(body);
        claims[name] = value;
        signing.signer.jws(&header, &claims)
    };
    let without = |name: &str| {
        let mut claims = signing.claims(body);
        claims.as_object_mut().unwrap().remove(name);
        signing.signer.jws(&header, &claims)
    };
    let other_claims = |jws: String| {
        let good = signing.sign(body);
        let (head, tail) = (
            good.split('.').next().unwrap(),
            jws.rsplit('.').next().unwrap(),
        );
        format!("{head}.{}.{tail}", good.split('.').nth(1).unwrap())
    };
    let now = signing.now();
    vec![
        (Check::Form, "no.signature".to_owned()),
        (
            Check::Algorithm,
            signing
                .signer
                .jws(&json!({ "alg": "none" }), &signing.claims(body)),
        ),
        (
            Check::Algorithm,
            signing
                .signer
                .jws(&json!({ "alg": "HS256" }), &signing.claims(body)),
        ),
        (Check::Issuer, with("iss", json!("somebody@else.example"))),
        (Check::Issuer, without("iss")),
        // The key of another kind, and the right kind's header over another's signature.
        (
            Check::Key,
            stranger.jws(&stranger.header(), &signing.claims(body)),
        ),
        (
            Check::Signature,
            stranger.jws(&header, &signing.claims(body)),
        ),
        (
            Check::Signature,
            other_claims(with("jti", json!("another"))),
        ),
        (Check::Subject, with("sub", json!("somebody@else.example"))),
        (Check::Subject, with("email", json!(7))),
        (
            Check::Audience,
            with("aud", json!("https://api.finqware.com/v1s")),
        ),
        (
            Check::Audience,
            with("aud", json!(["other.example", "third.example"])),
        ),
        (Check::Audience, without("aud")),
        (Check::Time, without("exp")),
        (Check::Time, with("exp", json!(now + 3601))),
        (Check::Time, with("exp", json!(now))),
        (Check::Time, with("iat", json!((now + 1) * 1000))),
        (Check::Target, with("htm", json!("GET"))),
        (
            Check::Target,
            with("htu", json!("http://127.0.0.1:3000/v1s/accounts")),
        ),
        (Check::Digest, without("digest")),
        (Check::Digest, signing.sign(&format!("{body} x"))),
    ]
}

async fn every_check_refuses_by_its_name_and_tells_the_owner(db: Db) {
    let signing = SigningTenant::new(db).await;
    let body = signing.listing();
    for (check, jws) in bad_signatures(&signing, &body) {
        let answer = signing.list(&jws).await;
        assert!(answer.fails(check.as_str()), "{check}: {}", answer.body);
        let hint = answer.body["hint"].as_str().unwrap();
        assert!(
            hint.contains(&format!("/signing/debugger?request={}", answer.request)),
            "{hint}"
        );
        let asked = answer.request.parse().ok();
        let kept = signing
            .world
            .services
            .refused_signatures(&signing.world.owner, asked)
            .await
            .unwrap();
        let kept = failed(&kept.first().expect("the owner can look").findings)
            .unwrap()
            .clone();
        let typed = failed(&signing.diagnose(&jws, &body).await)
            .unwrap()
            .clone();
        assert_eq!((kept.check, typed.check), (check, check));
        assert!(!typed.advice.is_empty(), "{check}");
    }
    let other = signing.world.beside().await;
    let foreign = other
        .services
        .refused_signatures(&other.owner, None)
        .await
        .unwrap();
    assert!(foreign.is_empty(), "nobody else sees them");
    let latest = signing
        .world
        .services
        .refused_signatures(&signing.world.owner, None)
        .await
        .unwrap();
    let text = format!("{latest:?}");
    assert!(
        !text.contains(&signing.world.client.secret),
        "what was sent is not kept"
    );
}
