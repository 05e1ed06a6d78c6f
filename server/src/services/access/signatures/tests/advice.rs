//! The debugger names the cause when another library made a signature in its own way.

use app::domain::signature::{Algorithm, Check};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

on_both!(
    the_usual_slip_in_a_header_or_signature_is_named,
    the_usual_slip_in_a_claim_is_named,
    an_address_in_another_spelling_is_the_same_address,
);

/// Asserts that a signature fails this check, with these words in the advice.
async fn told(signing: &SigningTenant, jws: &str, check: Check, says: &str) {
    let body = signing.listing();
    let answer = signing.list(jws).await;
    assert!(answer.fails(check.as_str()), "{says}: {}", answer.body);
    let findings = signing.diagnose(jws, &body).await;
    let finding = failed(&findings).unwrap();
    let advice = &finding.advice;
    assert_eq!(finding.check, check, "{says}");
    assert!(advice.contains(says), "{says}: {advice}");
}

async fn the_usual_slip_in_a_header_or_signature_is_named(db: Db) {
    let signing = SigningTenant::new(db).await;
    let rsa = Signer::new(RSA);
    signing.add(ISSUER, rsa.public_pem()).await.unwrap();
    let claims = || signing.claims(&signing.listing());
    for (alg, says) in [
        ("es256", "as they are written"),
        (" RS256", "as they are written"),
        ("RS512", "the hash is another one"),
        ("ES384", "P-256"),
        ("ESP256", "Name it ES256"),
        ("HS256", "shared secrets"),
        ("none", "shared secrets"),
    ] {
        let jws = signing.signer.jws(&json!({ "alg": alg }), &claims());
        told(&signing, &jws, Check::Algorithm, says).await;
    }
    // Header and claims, and the signature by another hand.
    let signed = |alg: &str, sign: &dyn Fn(&str) -> String| {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({ "alg": alg })), part(&claims()));
        format!("{text}.{}", sign(&text))
    };
    let ec = |text: &str| signing.signer.sign(Algorithm::Es256, text);
    let der = signed("ES256", &|text| {
        let fixed = URL_SAFE_NO_PAD.decode(ec(text)).unwrap();
        let (r, s) = fixed.split_at(32);
        let whole = [&[0x30, 70, 2, 33, 0], r, &[2, 33, 0], s].concat();
        URL_SAFE_NO_PAD.encode(whole)
    });
    told(
        &signing,
        &der,
        Check::Signature,
        "72 bytes long and written in DER",
    )
    .await;
    let twice = signed("ES256", &|text| URL_SAFE_NO_PAD.encode(ec(text)));
    told(&signing, &twice, Check::Signature, "encoded once more").await;
    let pss = signed("RS256", &|text| rsa.sign(Algorithm::Ps256, text));
    told(
        &signing,
        &pss,
        Check::Signature,
        "a PS256 signature of that key, and alg says RS256",
    )
    .await;
    let pkcs1 = signed("PS256", &|text| rsa.sign(Algorithm::Rs256, text));
    told(
        &signing,
        &pkcs1,
        Check::Signature,
        "a RS256 signature of that key, and alg says PS256",
    )
    .await;
    let other = signed("PS256", &|_| rsa.sign(Algorithm::Ps256, "other"));
    told(
        &signing,
        &other,
        Check::Signature,
        "the salt is as long as the hash",
    )
    .await;
    let good = signed("PS256", &|text| rsa.sign(Algorithm::Ps256, text));
    assert_eq!(signing.list(&good).await.status, 200);
}

async fn the_usual_slip_in_a_claim_is_named(db: Db) {
    let signing = SigningTenant::new(db).await;
    let now = signing.now();
    let near = ISSUER.to_uppercase();
    for (check, claims, says) in [
        (Check::Issuer, json!({ "iss": [ISSUER] }), "iss is no text"),
        (
            Check::Issuer,
            json!({ "iss": near }),
            "in capitals or spaces alone",
        ),
        (Check::Issuer, json!({ "iss": "x" }), "Register the key"),
        (
            Check::Time,
            json!({ "exp": (now + 60) * 1000 }),
            "exp looks like milliseconds",
        ),
        (
            Check::Time,
            json!({ "iat": now * 1000 }),
            "look like milliseconds",
        ),
        (
            Check::Time,
            json!({ "iat": now * 1_000_000 }),
            "look like microseconds",
        ),
        (
            Check::Time,
            json!({ "iat": now * 1_000_000_000 }),
            "look like nanoseconds",
        ),
        (
            Check::Time,
            json!({ "exp": 60 }),
            "no number of seconds from now",
        ),
        (Check::Time, json!({ "iat": 0 }), "iat is the time at which"),
        (
            Check::Time,
            json!({ "iat": now + 7200, "exp": now + 7260 }),
            "That is 2 h: probably a local time",
        ),
        (
            Check::Time,
            json!({ "iat": now - 19_790, "exp": now - 19_730 }),
            "That is 5.5 h",
        ),
        (
            Check::Time,
            json!({ "iat": now - 4000, "exp": now - 3940 }),
            "look at your clock",
        ),
        (
            Check::Target,
            json!({ "htm": "post" }),
            "written in capitals",
        ),
        (
            Check::Target,
            json!({ "htu": "http://localhost:3000/v1s/consents/list" }),
            "another scheme, host or port",
        ),
        (Check::Digest, json!({ "digest": ["x"] }), "no text"),
    ] {
        let mut all = signing.claims(&signing.listing());
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        let jws = signing.signer.jws(&signing.signer.header(), &all);
        told(&signing, &jws, check, says).await;
    }
    let mut quoted = signing.claims(&signing.listing());
    quoted["iat"] = json!(now.to_string());
    let jws = signing.signer.jws(&signing.signer.header(), &quoted);
    let findings = signing.diagnose(&jws, &signing.listing()).await;
    let found = &failed(&findings).unwrap().found;
    assert!(found.contains(&format!("iat \"{now}\"")), "{found}");
}

async fn an_address_in_another_spelling_is_the_same_address(db: Db) {
    let signing = SigningTenant::new(db).await;
    for htu in [
        "HTTP://127.0.0.1:3000/v1s/consents/list",
        "http://127.0.0.1:3000/v1s/c%6Fnsents/list",
        "http://127.0.0.1:3000/v1s/consents/list?",
    ] {
        let mut claims = signing.claims(&signing.listing());
        claims["htu"] = json!(htu);
        let jws = signing.signer.jws(&signing.signer.header(), &claims);
        let answer = signing.list(&jws).await;
        assert_eq!(answer.status, 200, "{htu}: {}", answer.body);
    }
}
