//! What is accepted, what is refused by which check, and what the debugger says of both.

use app::domain::signature::Check;
use chrono::Duration;

use super::*;
use crate::services::access::keys::ConsoleGrant;
use crate::storage::retention::rule;

on_both!(
    every_algorithm_and_both_styles_are_served,
    a_signature_is_good_for_its_time_and_not_longer,
    a_signature_is_accepted_once,
    of_many_at_once_one_is_accepted,
    a_tenant_may_demand_signatures,
    what_is_missing_or_no_signature_is_told,
    the_log_names_the_operation,
);

async fn every_algorithm_and_both_styles_are_served(db: Db) {
    let world = World::new(db).await;
    for (pair, algorithms) in [
        (RSA, &["RS256"][..]),
        (P256, &["ES256"]),
        (ED25519, &["EdDSA"]),
    ] {
        let signing = SigningTenant::without_keys(world.beside().await, Signer::new(pair));
        signing
            .add(ISSUER, signing.signer.public_pem())
            .await
            .unwrap();
        assert_eq!(
            [signing.signer.header()["alg"].as_str().unwrap()],
            algorithms
        );
        let answer = signing.list(&signing.sign(&signing.listing())).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let signing = SigningTenant::without_keys(world.beside().await, Signer::new(P256));
    signing
        .add(ISSUER, signing.signer.public_pem())
        .await
        .unwrap();
    let mut claims = signing.claims("");
    claims["htm"] = json!("GET");
    claims["htu"] = json!("http://127.0.0.1:3000/v1s/consents?limit=1");
    let get = Request::get("/v1s/consents?limit=1")
        .header("x-client-id", signing.world.client.tenant().to_string())
        .header("x-client-secret", &signing.world.client.secret)
        .header(
            "authorization",
            format!(
                "Bearer {}",
                signing.signer.jws(&signing.signer.header(), &claims)
            ),
        );
    let answer = signing.send(get.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    // The empty object that some libraries send along is signed, or is unknown to the one who signs.
    for (sent, signed) in [
        ("", ""),
        ("{}", "{}"),
        ("{}", ""),
        (" {} ", "{}"),
        ("", "{}"),
    ] {
        let jws = signing.sign(signed);
        let get = Request::get("/v1s/consents")
            .header("x-client-id", signing.world.client.tenant().to_string())
            .header("x-client-secret", &signing.world.client.secret)
            .header("authorization", format!("Bearer {jws}"));
        let answer = signing.send(get.body(Body::from(sent)).unwrap()).await;
        let is_covered = signed.is_empty() || sent.trim() == signed;
        assert_eq!(answer.status == 200, is_covered, "{sent:?} {signed:?}");
    }
    // A browser-safe operation is signed like any other here.
    let skill = json!({ "client_id": signing.world.client.tenant(), "client_app_key": signing.world.client.app_key, "skill": "xyz_ro_aisp_sbx_#1.0" });
    let body = serde_json::to_string_pretty(&skill).unwrap();
    let opened = signing
        .post("/v1s/sessions", &body, &signing.sign(&skill.to_string()))
        .await;
    assert_eq!(
        opened.status, 200,
        "white space may be left out: {}",
        opened.body
    );
}

async fn a_signature_is_good_for_its_time_and_not_longer(db: Db) {
    let signing = SigningTenant::new(db).await;
    let body = signing.listing();
    let clock = &signing.world.state.clock;
    let (early, late) = (signing.sign(&body), signing.sign(&body));
    clock.advance(Duration::seconds(119));
    assert_eq!(
        signing.list(&early).await.status,
        200,
        "a minute of life and a minute of difference"
    );
    clock.advance(Duration::seconds(1));
    assert!(signing.list(&late).await.fails("time"));
    let mut ahead = signing.claims(&body);
    ahead["iat"] = json!(signing.now() + 61);
    ahead["exp"] = json!(signing.now() + 100);
    assert!(
        signing
            .list(&signing.signer.jws(&signing.signer.header(), &ahead))
            .await
            .fails("time")
    );

    let (services, owner, id) = (
        &signing.world.services,
        &signing.world.owner,
        signing.world.client.tenant(),
    );
    services
        .set_signature_terms(owner, id, 1, (false, "30"), &source())
        .await
        .unwrap();
    assert!(
        signing.list(&signing.sign(&body)).await.fails("time"),
        "a minute is more than the tenant allows"
    );
    let mut short = signing.claims(&body);
    short["exp"] = json!(signing.now() + 30);
    assert_eq!(
        signing
            .list(&signing.signer.jws(&signing.signer.header(), &short))
            .await
            .status,
        200
    );
    for seconds in ["0", "3601", "", "1.5"] {
        let refused = services
            .set_signature_terms(owner, id, 1, (false, seconds), &source())
            .await;
        assert!(
            matches!(refused, Err(PortalError::Refused(_))),
            "{seconds:?}"
        );
    }
}

async fn a_signature_is_accepted_once(db: Db) {
    let signing = SigningTenant::new(db).await;
    let body = signing.listing();
    let jws = signing.sign(&body);
    assert_eq!(
        failed(&signing.diagnose(&jws, &body).await),
        None,
        "looking uses nothing up"
    );
    assert_eq!(signing.list(&jws).await.status, 200);
    assert!(signing.list(&jws).await.fails("once"));
    assert_eq!(
        failed(&signing.diagnose(&jws, &body).await).unwrap().check,
        Check::Once
    );
    // What was refused for anything else is not used up.
    let jws = signing.sign(&body);
    assert!(signing.post("/v1s/consents/list", "{}", &jws).await.body["code"] == "missing_fields");
    let altered = body.replace('{', "{\"limit\":1,");
    assert!(
        signing
            .post("/v1s/consents/list", &altered, &jws)
            .await
            .fails("digest")
    );
    assert_eq!(signing.list(&jws).await.status, 200);
    // Forgotten only when its age refuses it.
    let state = &signing.world.state;
    let kept = rule("used_signatures");
    state.clock.advance(Duration::seconds(122));
    let mut tx = state.db.write().await.unwrap();
    let bound = |after| kept.kept.bound(state.clock.now() + after, Duration::zero());
    let soon = tx.forget(kept, bound(Duration::hours(23)), 9).await;
    assert_eq!(soon.unwrap(), 0, "a clock may be set back");
    assert_eq!(
        tx.forget(kept, bound(Duration::days(1)), 9).await.unwrap(),
        2
    );
    tx.commit().await.unwrap();
    assert!(signing.list(&jws).await.fails("time"));
}

async fn of_many_at_once_one_is_accepted(db: Db) {
    let signing = SigningTenant::new(db).await;
    let jws = signing.sign(&signing.listing());
    let answers = futures_util::future::join_all((0..16).map(|_| signing.list(&jws))).await;
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|answer| answer.fails("once")).count();
    assert_eq!((served, refused), (1, 15));
}

async fn a_tenant_may_demand_signatures(db: Db) {
    let signing = SigningTenant::new(db).await;
    let (services, owner, id) = (
        &signing.world.services,
        &signing.world.owner,
        signing.world.client.tenant(),
    );
    let body = signing.listing();
    assert_eq!(
        signing
            .post("/v1/consents/list", &body, "ignored")
            .await
            .status,
        200
    );
    services
        .set_signature_terms(owner, id, 1, (true, "3600"), &source())
        .await
        .unwrap();
    assert!(
        services
            .signature_terms(owner, id)
            .await
            .unwrap()
            .signed_only
    );
    let unsigned = signing.post("/v1/consents/list", &body, "ignored").await;
    assert_eq!(
        (unsigned.status, unsigned.code()),
        (401, "signature_required")
    );
    assert_eq!(signing.list(&signing.sign(&body)).await.status, 200);
    let opening = json!({ "client_id": id, "client_app_key": signing.world.client.app_key, "skill": "xyz_ro_aisp_sbx_#1.0" });
    let opened = signing
        .post("/v1/sessions", &opening.to_string(), "ignored")
        .await;
    assert_eq!(opened.status, 200, "browsers cannot sign");
    let grant = ConsoleGrant {
        tenant: id,
        run: app::domain::ids::RunId(signing.world.state.clock.id()),
        expires: signing.world.state.clock.now() + Duration::minutes(1),
    };
    let mut by_console = Request::post("/v1/consents/list")
        .header("content-type", "application/json")
        .body(Body::from("{}"))
        .unwrap();
    by_console.extensions_mut().insert(grant);
    assert_eq!(
        signing.send(by_console).await.status,
        200,
        "the console holds no key"
    );
    let analyst = signing.world.actor(Role::Analyst, ServicerStatus::Sandbox);
    let refused = services
        .set_signature_terms(&analyst, id, 1, (false, "60"), &source())
        .await;
    assert!(matches!(refused, Err(PortalError::Forbidden(_))));
    let other = signing.world.beside().await;
    let foreign = services
        .set_signature_terms(&other.owner, id, 1, (false, "60"), &source())
        .await;
    assert_eq!(foreign, Err(PortalError::NotFound));
}

async fn what_is_missing_or_no_signature_is_told(db: Db) {
    let signing = SigningTenant::new(db).await;
    let post = |authorization: Option<&str>| {
        let request =
            Request::post("/v1s/consents/list").header("content-type", "application/json");
        let request = match authorization {
            Some(value) => {
                let value = axum::http::HeaderValue::from_bytes(value.as_bytes());
                request.header("authorization", value.unwrap())
            }
            None => request,
        };
        request.body(Body::from(signing.listing())).unwrap()
    };
    let jws = signing.sign(&signing.listing());
    for (authorization, says) in [
        (None, "there is no Authorization"),
        (Some("Basic abc".to_owned()), "another scheme than Bearer"),
        (Some(format!("JWS {jws}")), "another scheme than Bearer"),
        (Some("Bearer".to_owned()), "nothing follows Bearer"),
        (Some(format!("Bearer: {jws}")), "a space alone follows"),
        (Some(jws.clone()), "does not begin with the word Bearer"),
        (Some(format!("Bearer {jws}é")), "not visible ASCII"),
    ] {
        let answer = signing.send(post(authorization.as_deref())).await;
        let message = answer.body["message"].as_str().unwrap();
        assert!(
            answer.fails("form") && message.contains(says),
            "{authorization:?}: {message}"
        );
    }
    for scheme in ["bearer ", "BEARER  ", "Bearer\t"] {
        let jws = signing.sign(&signing.listing());
        let answer = signing.send(post(Some(&format!("{scheme}{jws}")))).await;
        assert_eq!(answer.status, 200, "{scheme:?}: {}", answer.body);
    }
    let anybody = Request::get("/v1s/catalog/skills")
        .header("authorization", "Bearer a.b.c")
        .body(Body::empty());
    let answer = signing.send(anybody.unwrap()).await;
    assert_eq!(
        (answer.status, answer.code()),
        (400, "missing_fields"),
        "{}",
        answer.body
    );
    // Wrong keys are wrong keys, whatever the signature.
    let wrong = signing
        .listing()
        .replace(&signing.world.client.secret, "wrong");
    let answer = signing
        .post("/v1s/consents/list", &wrong, &signing.sign(&wrong))
        .await;
    assert_eq!(answer.code(), "invalid_api_keys");
    for path in [
        "/v1s",
        "/v1s/",
        "/v1s/nothing",
        "/v1s/redirects/abc",
        "/v1s/openapi.json",
    ] {
        let answer = signing
            .send(Request::get(path).body(Body::empty()).unwrap())
            .await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{path}");
    }
    let answer = signing
        .send(
            Request::delete("/v1s/consents/list")
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    assert_eq!(answer.status, 405);
}

async fn the_log_names_the_operation(db: Db) {
    use app::portal::requests::{RequestFilter, Requests as _};

    let signing = SigningTenant::new(db).await;
    let answer = signing.list(&signing.sign(&signing.listing())).await;
    let state = &signing.world.state;
    state.request_log.flush(state).await;
    let rows = signing
        .world
        .services
        .requests(&signing.world.owner, &RequestFilter::default())
        .await
        .unwrap();
    let row = rows
        .iter()
        .find(|row| row.id.to_string() == answer.request)
        .unwrap();
    assert_eq!(
        (row.operation.as_str(), row.status),
        ("/v1s/consents/list", 200)
    );
}
