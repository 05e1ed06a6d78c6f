//! Calls from browsers: no secret, registered origins, preflights.

use super::*;

on_both!(
    secrets_stay_out_of_browsers,
    only_registered_origins_may_call,
    preflights_answer_any_origin_where_browsers_may_call,
);

const STEP: &str = "/v1/sessions/019b7652-0000-7000-8000-000000000000/steps";

async fn secrets_stay_out_of_browsers(db: Db) {
    let api = Api::new(db).await;
    let sent = api
        .post(
            STEP,
            &with(
                api.submitting(json!({})),
                "client_secret",
                api.world.client.secret.clone(),
            ),
        )
        .await;
    assert_eq!(
        (sent.status, sent.code(), sent.paths()),
        (400, "unknown_fields", vec!["client_secret"])
    );
    assert!(
        sent.body["fields"][0]["message"]
            .as_str()
            .unwrap()
            .contains("must never be in a browser")
    );
    let checked = api
        .post(
            STEP,
            &with(api.submitting(json!({})), "client_app_key", "wrong"),
        )
        .await;
    assert_eq!(
        (checked.status, checked.code()),
        (401, "invalid_api_keys"),
        "sent though not needed: checked"
    );
    let both = api
        .post(
            "/v1/sessions",
            &with(
                api.opening(),
                "client_secret",
                api.world.client.secret.clone(),
            ),
        )
        .await;
    assert_eq!(both.code(), "unknown_fields");
    let backend = with(api.exchanging(), "skill", "x");
    assert_eq!(
        api.post("/v1/sessions", &backend).await.body["server"],
        true
    );
    let from_page = api
        .post_with(
            "/v1/sessions",
            &backend,
            &[("origin", "https://app.example.com")],
        )
        .await;
    assert_eq!(from_page.code(), "unknown_fields");
}

async fn only_registered_origins_may_call(db: Db) {
    let api = Api::new(db.clone()).await;
    let stranger = api
        .post_with(
            "/v1/sessions",
            &api.opening(),
            &[("origin", "https://app.example.com")],
        )
        .await;
    assert_eq!(
        (stranger.status, stranger.code()),
        (403, "origin_not_allowed")
    );
    assert_eq!(stranger.headers["access-control-allow-origin"], "*");
    assert!(
        stranger.headers["access-control-expose-headers"]
            .to_str()
            .unwrap()
            .contains("X-Request-Id")
    );
    let origin = Origin::parse(
        "https://app.example.com",
        app::domain::tenant::Environment::Sandbox,
    )
    .unwrap();
    let mut tx = db.write().await.unwrap();
    tx.set_tenant_links(api.world.client.tenant(), &[], &[origin])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let known = api
        .post_with(
            "/v1/sessions",
            &api.opening(),
            &[("origin", "https://app.example.com")],
        )
        .await;
    assert_eq!(known.status, 200);
}

async fn preflights_answer_any_origin_where_browsers_may_call(db: Db) {
    let api = Api::new(db).await;
    let preflight = |path: &str| {
        let request = Request::options(path)
            .header("origin", "https://evil.example")
            .header("access-control-request-method", "POST");
        request.body(Body::empty()).unwrap()
    };
    let asked = api.send(preflight(STEP)).await;
    assert_eq!(
        (
            asked.status,
            asked.headers["access-control-allow-origin"]
                .to_str()
                .unwrap()
        ),
        (204, "*")
    );
    assert!(
        !asked
            .headers
            .contains_key("access-control-allow-credentials")
    );
    let server_side = api.send(preflight("/v1/token")).await;
    assert_eq!(server_side.status, 405);
    assert!(
        !server_side
            .headers
            .contains_key("access-control-allow-origin")
    );
}
