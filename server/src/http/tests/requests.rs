//! What is asked, and how much: strict bodies, statuses, budgets.

use super::*;

on_both!(
    everything_wrong_is_told_at_once,
    only_bounded_json_is_read,
    only_json_is_answered,
    a_panic_is_an_error_with_an_id,
    budgets_are_told_and_kept,
    the_clock_of_a_tenant_gives_no_budget_back,
);

async fn everything_wrong_is_told_at_once(db: Db) {
    let api = Api::new(db).await;
    let answer = api.post("/v1/sessions", &json!({ "client_id": 5, "skil": "x", "count": "1", "filter": { "curency": "EUR", "lt": true } })).await;
    assert_eq!((answer.status, answer.code()), (400, "missing_fields"));
    let mut paths = answer.paths();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "client_app_key",
            "client_id",
            "count",
            "filter.curency",
            "filter.lt",
            "skil",
            "skill"
        ]
    );
    let unknown = api
        .post("/v1/sessions", &with(api.opening(), "skils", 1))
        .await;
    assert_eq!(
        (unknown.code(), unknown.paths()),
        ("unknown_fields", vec!["skils"])
    );
    let invalid = api
        .post("/v1/sessions", &with(api.opening(), "skill", 1))
        .await;
    assert_eq!(
        (invalid.code(), invalid.paths()),
        ("invalid_field", vec!["skill"])
    );
    assert_eq!(
        invalid.body["fields"][0]["message"],
        "must be a string, not a number"
    );
    let exact = with(api.opening(), "filter", "EXACT").to_string();
    let exact = exact.replace(
        "\"EXACT\"",
        r#"{"lt": 4.270000000000000000001, "currency": null}"#,
    );
    let request = Request::post("/v1/sessions").header(header::CONTENT_TYPE, "application/json");
    let exact = api.send(request.body(Body::from(exact)).unwrap()).await;
    assert_eq!(
        exact.body["filter"],
        json!(["4.270000000000000000001", null]),
        "{:?}",
        exact.body
    );
}

async fn only_bounded_json_is_read(db: Db) {
    let api = Api::new(db).await;
    let raw = |kind: Option<&str>, body: Vec<u8>| {
        let mut request = Request::post("/v1/sessions");
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        request.body(Body::from(body)).unwrap()
    };
    let json_type = Some("application/json; charset=utf-8");
    let cases: [(Request<Body>, u16, &str); 8] = [
        (raw(None, b"{}".to_vec()), 415, "invalid_headers"),
        (
            raw(Some("text/plain"), b"{}".to_vec()),
            415,
            "invalid_headers",
        ),
        (
            raw(json_type, b"{\"client_id\":".to_vec()),
            400,
            "invalid_body",
        ),
        (raw(json_type, b"".to_vec()), 400, "invalid_body"),
        (raw(json_type, b"\xff\xfe".to_vec()), 400, "invalid_body"),
        (raw(json_type, b"[]".to_vec()), 400, "invalid_body"),
        (raw(json_type, vec![b'['; 100_000]), 413, "body_too_large"),
        (raw(json_type, vec![b' '; 300_000]), 413, "body_too_large"),
    ];
    for (request, status, code) in cases {
        let answer = api.send(request).await;
        assert_eq!((answer.status, answer.code()), (status, code));
        assert_eq!(
            answer.body["id"].as_str(),
            answer.headers["x-request-id"].to_str().ok()
        );
    }
    let hint = api.send(raw(None, b"{}".to_vec())).await;
    assert_eq!(hint.body["hint"], "-H 'Content-Type: application/json'");
}

async fn only_json_is_answered(db: Db) {
    let api = Api::new(db).await;
    let not_json = api
        .post_with(
            "/v1/sessions",
            &api.opening(),
            &[("accept", "text/html, application/json;q=0")],
        )
        .await;
    assert_eq!((not_json.status, not_json.code()), (406, "not_acceptable"));
    let any = api
        .post_with(
            "/v1/sessions",
            &api.opening(),
            &[("accept", "text/html, */*;q=0.1")],
        )
        .await;
    assert_eq!(any.status, 200);
    let get = api
        .send(Request::get("/v1/sessions").body(Body::empty()).unwrap())
        .await;
    assert_eq!(
        (get.status, get.headers[header::ALLOW].to_str().unwrap()),
        (405, "POST")
    );
}

async fn a_panic_is_an_error_with_an_id(db: Db) {
    let api = Api::new(db).await;
    let answer = api
        .send(Request::get("/v1/explode").body(Body::empty()).unwrap())
        .await;
    assert_eq!(
        (answer.status, answer.code()),
        (
            StatusCode::INTERNAL_SERVER_ERROR.as_u16(),
            "internal_server_error"
        )
    );
    assert!(!answer.body.to_string().contains("secret in its message"));
    assert_eq!(
        answer.body["id"].as_str(),
        answer.headers["x-request-id"].to_str().ok()
    );
}

async fn budgets_are_told_and_kept(db: Db) {
    let mut config = Config::default();
    config.limits.browser_calls_per_minute = 3;
    config.limits.server_calls_per_minute = 4;
    let api = Api::with(db, config).await;
    for left in [2, 1, 0] {
        let answer = api.post("/v1/sessions", &api.opening()).await;
        assert_eq!(answer.headers["ratelimit-policy"], "\"browser\";q=3;w=60");
        assert!(
            answer.headers["ratelimit"]
                .to_str()
                .unwrap()
                .starts_with(&format!("\"browser\";r={left};"))
        );
    }
    let refused = api.post("/v1/sessions", &api.opening()).await;
    assert_eq!((refused.status, refused.code()), (429, "too_many_requests"));
    assert_eq!(refused.headers["retry-after"], "20");
    assert_eq!(
        api.post("/v1/token", &api.exchanging()).await.headers["ratelimit-policy"],
        "\"server\";q=4;w=60"
    );
    let wrong = with(api.exchanging(), "client_secret", "wrong");
    for status in [401, 401, 401, 429, 429, 429] {
        assert_eq!(api.post("/v1/token", &wrong).await.status, status);
    }
    assert_eq!(
        api.post("/v1/token", &api.exchanging()).await.status,
        200,
        "a stranger spends nothing of the tenant's"
    );
    let elsewhere = Request::post("/v1/sessions")
        .header(header::CONTENT_TYPE, "application/json")
        .extension(request_context::Peer("192.0.2.9".parse().unwrap()))
        .body(Body::from(api.opening().to_string()))
        .unwrap();
    assert_eq!(
        api.send(elsewhere).await.status,
        200,
        "another source has its own"
    );
}

async fn the_clock_of_a_tenant_gives_no_budget_back(db: Db) {
    let mut config = Config::default();
    config.limits.browser_calls_per_minute = 1;
    config.limits.server_calls_per_minute = 1;
    let api = Api::with(db, config).await;
    let both = async || {
        let browser = api.post("/v1/sessions", &api.opening()).await;
        let server = api.post("/v1/token", &api.exchanging()).await;
        [browser.status, server.status]
    };
    assert_eq!(both().await, [200, 200]);
    let clock = &api.world.state.clock;
    clock.set_ahead(
        api.world.client.tenant().0,
        std::time::Duration::from_hours(24),
    );
    assert_eq!(both().await, [429, 429]);
    clock.advance(Duration::minutes(1));
    assert_eq!(both().await, [200, 200]);
}
