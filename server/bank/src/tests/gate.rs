//! Tests of refusals: unknown clients, ids of others, what is over, and what the bank does not offer.

use chrono::Duration;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::world::{REDIRECT, World, json as body, tpp_code};
use crate::storage::Db;
use crate::tests::on_both;

on_both!(
    what_is_anothers_is_unknown,
    strangers_are_refused,
    a_nul_reaches_no_database,
    bad_requests_are_never_redirected,
    consents_of_other_kinds_are_not_offered,
    forms_of_other_sites_are_refused,
    an_ended_consent_opens_nothing,
    visits_and_consents_end_with_time,
);

async fn what_is_anothers_is_unknown(db: Db) {
    let world = World::open(db).await;
    let (consent, token) = world.granted("student").await;
    let (other_consent, other_token) = world.granted("family").await;
    let answer = tpp_code(world.read("/v1/accounts", &token, &other_consent).await).await;
    assert_eq!(
        answer,
        (StatusCode::FORBIDDEN, "CONSENT_UNKNOWN".to_owned())
    );
    let list = body(
        world
            .read("/v1/accounts", &other_token, &other_consent)
            .await,
    )
    .await;
    for account in list["accounts"].as_array().unwrap() {
        let link = account["_links"]["balances"]["href"].as_str().unwrap();
        let answer = tpp_code(world.read(link, &token, &consent).await).await;
        assert_eq!(
            answer,
            (StatusCode::NOT_FOUND, "RESOURCE_UNKNOWN".to_owned())
        );
    }
    let nobodys = world.clock.id();
    let call = world.call(
        world
            .http
            .get(world.url(&format!("/v1/consents/{nobodys}"))),
    );
    assert_eq!(
        tpp_code(call.send().await.unwrap()).await,
        (StatusCode::FORBIDDEN, "CONSENT_UNKNOWN".to_owned())
    );
    // A visit belongs to the browser that began it.
    let mut visit = world.visit(&world.consent().await).await;
    visit.cookie = world.visit(&world.consent().await).await.cookie;
    assert_eq!(visit.get().await.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        visit.sign_in("student", "sandbox").await.status(),
        StatusCode::FORBIDDEN
    );
    world.close().await;
}

async fn a_nul_reaches_no_database(db: Db) {
    let world = World::open(db).await;
    let order = r#"{"creditorName":"a\u0000b","instructedAmount":{"currency":"EUR","amount":"1"},
        "creditorAccount":{"iban":"DE89370400440532013000"}}"#;
    let json = |path: &str| {
        let call = world.call(world.http.post(world.url(path)));
        call.header("content-type", "application/json")
            .header("tpp-redirect-uri", REDIRECT)
            .body(order)
    };
    let form = world.call(world.http.post(world.url("/token")));
    let form = form
        .header("content-type", "application/x-www-form-urlencoded")
        .body("grant_type=authorization_code&code=%00");
    for call in [
        json("/v1/payments/sepa-credit-transfers"),
        json("/v1/consents"),
        form,
        world
            .http
            .get(world.url("/authorise?state=%00&client_id=a%00")),
        world.http.get(world.url("/v1/accounts/%00/balances")),
    ] {
        let answer = call.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{}", answer.url());
    }
    world.close().await;
}

async fn strangers_are_refused(db: Db) {
    let world = World::open(db).await;
    let id = world.clock.id().to_string();
    let consents = || {
        world
            .http
            .post(world.url("/v1/consents"))
            .header("x-request-id", &id)
            .json(&json!({}))
    };
    for call in [
        consents(),
        consents().basic_auth("tpp", Some("wrong")),
        consents().basic_auth("x", Some("s3cret")),
    ] {
        let answer = tpp_code(call.send().await.unwrap()).await;
        assert_eq!(
            answer,
            (StatusCode::UNAUTHORIZED, "CERTIFICATE_INVALID".to_owned())
        );
    }
    let token = world
        .http
        .post(world.url("/token"))
        .form(&[("grant_type", "authorization_code")]);
    assert_eq!(
        token.send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    let answer = tpp_code(world.read("/v1/accounts", "no-such-token", &id).await).await;
    assert_eq!(
        answer,
        (StatusCode::UNAUTHORIZED, "TOKEN_UNKNOWN".to_owned())
    );
    let nameless = world.http.get(world.url("/v1/accounts"));
    assert_eq!(
        tpp_code(nameless.send().await.unwrap()).await.1,
        "FORMAT_ERROR"
    );
    world.close().await;
}

async fn bad_requests_are_never_redirected(db: Db) {
    let world = World::open(db).await;
    let consent = world.consent().await;
    let challenge = "x".repeat(43);
    let good = [
        ("response_type", "code"),
        ("client_id", "tpp"),
        ("redirect_uri", REDIRECT),
        ("scope", &format!("AIS:{consent}")),
        ("state", "s"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let bad = [
        ("response_type", "token"),
        ("client_id", "x"),
        ("redirect_uri", "https://evil.example/"),
        ("scope", "AIS:x"),
        ("state", ""),
        ("code_challenge", "short"),
        ("code_challenge_method", "plain"),
    ];
    for (at, bad) in bad.into_iter().enumerate() {
        let mut pairs = good;
        pairs[at] = bad;
        let address = url::Url::parse_with_params(&world.url("/authorise"), pairs).unwrap();
        let answer = world.http.get(address).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{bad:?}");
    }
    world.close().await;
}

async fn consents_of_other_kinds_are_not_offered(db: Db) {
    let world = World::open(db).await;
    let ask = |changes: Value| {
        let mut ask = json!({ "access": { "accounts": [], "balances": [], "transactions": [] }, "recurringIndicator": true,
                              "validUntil": "2026-03-31", "frequencyPerDay": 4, "combinedServiceIndicator": false });
        ask.as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        world
            .call(world.http.post(world.url("/v1/consents")))
            .json(&ask)
    };
    let answers = [
        (json!({}), "javascript:alert(1)", "FORMAT_ERROR"),
        (
            json!({ "validUntil": "2025-12-31" }),
            REDIRECT,
            "FORMAT_ERROR",
        ),
        (json!({ "frequencyPerDay": 0 }), REDIRECT, "FORMAT_ERROR"),
        (
            json!({ "access": { "allPsd2": "allAccounts" } }),
            REDIRECT,
            "SERVICE_INVALID",
        ),
        (
            json!({ "combinedServiceIndicator": true }),
            REDIRECT,
            "SERVICE_INVALID",
        ),
    ];
    for (changes, redirect, code) in answers {
        let answer = ask(changes)
            .header("tpp-redirect-uri", redirect)
            .send()
            .await
            .unwrap();
        assert_eq!(
            tpp_code(answer).await,
            (StatusCode::BAD_REQUEST, code.to_owned())
        );
    }
    // The bank shortens what is too long.
    let answer = ask(json!({ "validUntil": "9999-12-31" }))
        .header("tpp-redirect-uri", REDIRECT)
        .send()
        .await
        .unwrap();
    let id = body(answer).await["consentId"].as_str().unwrap().to_owned();
    let call = world.call(world.http.get(world.url(&format!("/v1/consents/{id}"))));
    assert_eq!(
        body(call.send().await.unwrap()).await["validUntil"],
        "2026-06-30"
    );
    world.close().await;
}

async fn forms_of_other_sites_are_refused(db: Db) {
    let world = World::open(db).await;
    let visit = world.visit(&world.consent().await).await;
    let fields = [("username", "student"), ("password", "sandbox")];
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
    ] {
        let answer = visit
            .form("sign-in", &fields)
            .header(name, value)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    }
    assert!(
        visit.page().await.contains("name=\"password\""),
        "still signed out"
    );
    world.close().await;
}

async fn an_ended_consent_opens_nothing(db: Db) {
    let world = World::open(db).await;
    let (consent, token) = world.granted("student").await;
    for _ in 0..2 {
        let call = world.call(
            world
                .http
                .delete(world.url(&format!("/v1/consents/{consent}"))),
        );
        assert_eq!(call.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    }
    assert_eq!(world.consent_status(&consent).await, "terminatedByTpp");
    let answer = tpp_code(world.read("/v1/accounts", &token, &consent).await).await;
    assert_eq!(
        answer,
        (StatusCode::UNAUTHORIZED, "TOKEN_UNKNOWN".to_owned())
    );
    world.close().await;
}

async fn visits_and_consents_end_with_time(db: Db) {
    let world = World::open(db).await;
    let consent = world.consent().await;
    let visit = world.visit(&consent).await;
    visit.sign_in("student", "sandbox").await;
    world.clock.advance(Duration::minutes(16));
    let page = visit.get().await;
    assert_eq!(page.status(), StatusCode::GONE);
    assert!(
        page.text()
            .await
            .unwrap()
            .contains("error=access_denied&amp;state=the+state")
    );
    assert_eq!(
        visit.decide("approve", &["101".to_owned()]).await.status(),
        StatusCode::GONE
    );
    assert_eq!(
        visit.sign_in("student", "sandbox").await.status(),
        StatusCode::GONE
    );
    world.clock.advance(Duration::minutes(16));
    assert_eq!(world.consent_status(&consent).await, "expired");
    assert_eq!(world.begin(&consent).await.status(), StatusCode::GONE);

    let (consent, token) = world.granted("student").await;
    world.clock.advance(Duration::days(88));
    assert_eq!(
        world.read("/v1/accounts", &token, &consent).await.status(),
        StatusCode::OK
    );
    world.clock.advance(Duration::days(2));
    let answer = tpp_code(world.read("/v1/accounts", &token, &consent).await).await;
    assert_eq!(
        answer,
        (StatusCode::UNAUTHORIZED, "CONSENT_EXPIRED".to_owned())
    );
    world.close().await;
}
