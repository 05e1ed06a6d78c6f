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
        let fixture = Fixture::without_keys(world.beside().await, Signer::new(pair));
        fixture
            .add(ISSUER, fixture.signer.public_pem())
            .await
            .unwrap();
        assert_eq!(
            [fixture.signer.header()["alg"].as_str().unwrap()],
            algorithms
        );
        let answer = fixture.list(&fixture.sign(&fixture.listing())).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let fixture = Fixture::without_keys(world.beside().await, Signer::new(P256));
    fixture
        .add(ISSUER, fixture.signer.public_pem())
        .await
        .unwrap();
    let mut claims = fixture.claims("");
    claims["htm"] = json!("GET");
    claims["htu"] = json!("http://127.0.0.1:3000/v1s/consents?limit=1");
    let get = Request::get("/v1s/consents?limit=1")
        .header("x-client-id", fixture.world.client.tenant().to_string())
        .header("x-client-secret", &fixture.world.client.secret)
        .header(
            "authorization",
            format!(
                "Bearer {}",
                fixture.signer.jws(&fixture.signer.header(), &claims)
            ),
        );
    let answer = fixture.send(get.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    // The empty object that some libraries send along is signed, or is unknown to the one who signs.
    for (sent, signed) in [
        ("", ""),
        ("{}", "{}"),
        ("{}", ""),
        (" {} ", "{}"),
        ("", "{}"),
    ] {
        let jws = fixture.sign(signed);
        let get = Request::get("/v1s/consents")
            .header("x-client-id", fixture.world.client.tenant().to_string())
            .header("x-client-secret", &fixture.world.client.secret)
            .header("authorization", format!("Bearer {jws}"));
        let answer = fixture.send(get.body(Body::from(sent)).unwrap()).await;
        let is_covered = signed.is_empty() || sent.trim() == signed;
        assert_eq!(answer.status == 200, is_covered, "{sent:?} {signed:?}");
    }
    // A browser-safe operation is signed like any other here.
    let skill = json!({ "client_id": fixture.world.client.tenant(), "client_app_key": fixture.world.client.app_key, "skill": "xyz_ro_aisp_sbx_#1.0" });
    let body = serde_json::to_string_pretty(&skill).unwrap();
    let opened = fixture
        .post("/v1s/sessions", &body, &fixture.sign(&skill.to_string()))
        .await;
    assert_eq!(
        opened.status, 200,
        "white space may be left out: {}",
        opened.body
    );
}

async fn a_signature_is_good_for_its_time_and_not_longer(db: Db) {
    let fixture = Fixture::new(db).await;
    let body = fixture.listing();
    let clock = &fixture.world.state.clock;
    let (early, late) = (fixture.sign(&body), fixture.sign(&body));
    clock.advance(Duration::seconds(119));
    assert_eq!(
        fixture.list(&early).await.status,
        200,
        "a minute of life and a minute of difference"
    );
    clock.advance(Duration::seconds(1));
    assert!(fixture.list(&late).await.fails("time"));
    let mut ahead = fixture.claims(&body);
    ahead["iat"] = json!(fixture.now() + 61);
    ahead["exp"] = json!(fixture.now() + 100);
    assert!(
        fixture
            .list(&fixture.signer.jws(&fixture.signer.header(), &ahead))
            .await
            .fails("time")
    );

    let (services, owner, id) = (
        &fixture.world.services,
        &fixture.world.owner,
        fixture.world.client.tenant(),
    );
    services
        .set_signature_terms(owner, id, 1, (false, "30"), &source())
        .await
        .unwrap();
    assert!(
        fixture.list(&fixture.sign(&body)).await.fails("time"),
        "a minute is more than the tenant allows"
    );
    let mut short = fixture.claims(&body);
    short["exp"] = json!(fixture.now() + 30);
    assert_eq!(
        fixture
            .list(&fixture.signer.jws(&fixture.signer.header(), &short))
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
    let fixture = Fixture::new(db).await;
    let body = fixture.listing();
    let jws = fixture.sign(&body);
    assert_eq!(
        failed(&fixture.diagnose(&jws, &body).await),
        None,
        "looking uses nothing up"
    );
    assert_eq!(fixture.list(&jws).await.status, 200);
    assert!(fixture.list(&jws).await.fails("once"));
    assert_eq!(
        failed(&fixture.diagnose(&jws, &body).await).unwrap().check,
        Check::Once
    );
    // What was refused for anything else is not used up.
    let jws = fixture.sign(&body);
    assert!(fixture.post("/v1s/consents/list", "{}", &jws).await.body["code"] == "missing_fields");
    let altered = body.replace('{', "{\"limit\":1,");
    assert!(
        fixture
            .post("/v1s/consents/list", &altered, &jws)
            .await
            .fails("digest")
    );
    assert_eq!(fixture.list(&jws).await.status, 200);
    // Forgotten only when its age refuses it.
    let state = &fixture.world.state;
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
    assert!(fixture.list(&jws).await.fails("time"));
}

async fn of_many_at_once_one_is_accepted(db: Db) {
    let fixture = Fixture::new(db).await;
    let jws = fixture.sign(&fixture.listing());
    let answers = futures_util::future::join_all((0..16).map(|_| fixture.list(&jws))).await;
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|answer| answer.fails("once")).count();
    assert_eq!((served, refused), (1, 15));
}

async fn a_tenant_may_demand_signatures(db: Db) {
    let fixture = Fixture::new(db).await;
    let (services, owner, id) = (
        &fixture.world.services,
        &fixture.world.owner,
        fixture.world.client.tenant(),
    );
    let body = fixture.listing();
    assert_eq!(
        fixture
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
    let unsigned = fixture.post("/v1/consents/list", &body, "ignored").await;
    assert_eq!(
        (unsigned.status, unsigned.code()),
        (401, "signature_required")
    );
    assert_eq!(fixture.list(&fixture.sign(&body)).await.status, 200);
    let opening = json!({ "client_id": id, "client_app_key": fixture.world.client.app_key, "skill": "xyz_ro_aisp_sbx_#1.0" });
    let opened = fixture
        .post("/v1/sessions", &opening.to_string(), "ignored")
        .await;
    assert_eq!(opened.status, 200, "browsers cannot sign");
    let grant = ConsoleGrant {
        tenant: id,
        run: app::domain::ids::RunId(fixture.world.state.clock.id()),
        expires: fixture.world.state.clock.now() + Duration::minutes(1),
    };
    let mut by_console = Request::post("/v1/consents/list")
        .header("content-type", "application/json")
        .body(Body::from("{}"))
        .unwrap();
    by_console.extensions_mut().insert(grant);
    assert_eq!(
        fixture.send(by_console).await.status,
        200,
        "the console holds no key"
    );
    let analyst = fixture.world.actor(Role::Analyst, ServicerStatus::Sandbox);
    let refused = services
        .set_signature_terms(&analyst, id, 1, (false, "60"), &source())
        .await;
    assert!(matches!(refused, Err(PortalError::Forbidden(_))));
    let other = fixture.world.beside().await;
    let foreign = services
        .set_signature_terms(&other.owner, id, 1, (false, "60"), &source())
        .await;
    assert_eq!(foreign, Err(PortalError::NotFound));
}

async fn what_is_missing_or_no_signature_is_told(db: Db) {
    let fixture = Fixture::new(db).await;
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
        request.body(Body::from(fixture.listing())).unwrap()
    };
    let jws = fixture.sign(&fixture.listing());
    for (authorization, says) in [
        (None, "there is no Authorization"),
        (Some("Basic abc".to_owned()), "another scheme than Bearer"),
        (Some(format!("JWS {jws}")), "another scheme than Bearer"),
        (Some("Bearer".to_owned()), "nothing follows Bearer"),
        (Some(format!("Bearer: {jws}")), "a space alone follows"),
        (Some(jws.clone()), "does not begin with the word Bearer"),
        (Some(format!("Bearer {jws}é")), "not visible ASCII"),
    ] {
        let answer = fixture.send(post(authorization.as_deref())).await;
        let message = answer.body["message"].as_str().unwrap();
        assert!(
            answer.fails("form") && message.contains(says),
            "{authorization:?}: {message}"
        );
    }
    for scheme in ["bearer ", "BEARER  ", "Bearer\t"] {
        let jws = fixture.sign(&fixture.listing());
        let answer = fixture.send(post(Some(&format!("{scheme}{jws}")))).await;
        assert_eq!(answer.status, 200, "{scheme:?}: {}", answer.body);
    }
    let anybody = Request::get("/v1s/catalog/skills")
        .header("authorization", "Bearer a.b.c")
        .body(Body::empty());
    let answer = fixture.send(anybody.unwrap()).await;
    assert_eq!(
        (answer.status, answer.code()),
        (400, "missing_fields"),
        "{}",
        answer.body
    );
    // Wrong keys are wrong keys, whatever the signature.
    let wrong = fixture
        .listing()
        .replace(&fixture.world.client.secret, "wrong");
    let answer = fixture
        .post("/v1s/consents/list", &wrong, &fixture.sign(&wrong))
        .await;
    assert_eq!(answer.code(), "invalid_api_keys");
    for path in [
        "/v1s",
        "/v1s/",
        "/v1s/nothing",
        "/v1s/redirects/abc",
        "/v1s/openapi.json",
    ] {
        let answer = fixture
            .send(Request::get(path).body(Body::empty()).unwrap())
            .await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{path}");
    }
    let answer = fixture
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

    let fixture = Fixture::new(db).await;
    let answer = fixture.list(&fixture.sign(&fixture.listing())).await;
    let state = &fixture.world.state;
    state.request_log.flush(state).await;
    let rows = fixture
        .world
        .services
        .requests(&fixture.world.owner, &RequestFilter::default())
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
