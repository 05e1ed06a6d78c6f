//! Who may call: keys, browsers, REST headers, the console, and how fast a stop is felt.

use super::*;

on_both!(
    keys_are_checked_and_never_explained,
    rest_calls_carry_keys_in_headers,
    rest_calls_without_right_keys_are_refused,
    the_console_needs_no_key,
    stopped_and_paused_is_felt_at_once,
);

#[expect(clippy::too_many_lines, reason = "one table")]
async fn keys_are_checked_and_never_explained(db: Db) {
    let api = Api::new(db).await;
    assert_eq!(
        api.post("/v1/sessions", &api.opening()).await.body["tenant"],
        json!(api.world.client.tenant())
    );
    assert_eq!(api.post("/v1/token", &api.exchanging()).await.status, 200);
    let other = api.world.beside().await;
    let mut answers = Vec::new();
    for (name, value) in [
        ("client_id", json!(other.client.tenant())),
        ("client_id", json!("not-an-id")),
        ("client_id", json!("019b7652-0000-7000-8000-000000000000")),
        ("client_secret", json!(other.client.secret)),
        ("client_secret", json!("nonsense")),
        (
            "client_secret",
            json!(format!("{}x", api.world.client.secret)),
        ),
    ] {
        let answer = api
            .post("/v1/token", &with(api.exchanging(), name, value.clone()))
            .await;
        assert_eq!(
            (answer.status, answer.code()),
            (401, "invalid_api_keys"),
            "{name} {value}"
        );
        answers.push(with(answer.body, "id", ""));
    }
    answers.dedup();
    assert_eq!(
        answers.len(),
        1,
        "whatever is wrong, the answer is the same"
    );

    // An empty one is the commonest mistake, and tells nobody anything: it has its own sentence.
    for (name, empty) in [
        ("client_id", ""),
        ("client_secret", ""),
        ("client_secret", " "),
    ] {
        let body = with(api.exchanging(), name, empty);
        let answer = api.post("/v1/token", &body).await;
        assert_eq!((answer.status, answer.code()), (401, "invalid_api_keys"));
        let says = format!("The {name} is empty.");
        assert_eq!(answer.body["message"].as_str(), Some(&*says));
    }
    let swapped = api
        .post(
            "/v1/token",
            &with(
                api.exchanging(),
                "client_secret",
                api.world.client.app_key.clone(),
            ),
        )
        .await;
    assert_eq!(
        (swapped.status, swapped.body["hint"].as_str()),
        (
            401,
            Some("This is a client_app_key; a client_secret is needed here.")
        )
    );
    let swapped = api
        .post(
            "/v1/sessions",
            &with(
                api.opening(),
                "client_app_key",
                api.world.client.secret.clone(),
            ),
        )
        .await;
    assert_eq!((swapped.status, swapped.code()), (401, "invalid_api_keys"));
    let malformed = json!({ "credentials_id": "x", "access_token": "y" });
    let mut body = api.exchanging();
    body.as_object_mut()
        .unwrap()
        .extend(malformed.as_object().unwrap().clone());
    let answer = api.post("/v1/accounts/get", &body).await;
    assert_eq!(
        (answer.status, answer.code()),
        (401, "invalid_credentials_id")
    );
}

impl Api {
    /// HTTP Basic with a secret.
    pub(super) fn basic(&self, secret: &str) -> (&'static str, String) {
        use base64::Engine as _;
        let pair = format!("{}:{secret}", self.world.client.tenant());
        let text = base64::engine::general_purpose::STANDARD.encode(pair);
        ("authorization", format!("Basic {text}"))
    }

    async fn get(&self, path: &str, headers: Vec<(&'static str, String)>) -> Answer {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }
}

async fn rest_calls_carry_keys_in_headers(db: Db) {
    let api = Api::new(db).await;
    let good = api.basic(&api.world.client.secret);
    let user = ("x-tenant-user-id", "user-1".to_owned());
    let answer = api.get("/v1/token?count=7", vec![good.clone(), user]).await;
    assert_eq!(
        (&answer.body["count"], &answer.body["user"]),
        (&json!(7), &json!("user-1"))
    );
    let id = "019b7652-0000-7000-8000-000000000001";
    let pair = vec![
        good,
        ("x-credentials-id", id.into()),
        ("x-access-token", "t".into()),
    ];
    assert_eq!(
        api.get("/v1/accounts", pair).await.body["credentials_id"],
        id
    );
    let client_id = ("x-client-id", api.world.client.tenant().to_string());
    let apart = vec![
        client_id,
        ("x-client-secret", api.world.client.secret.clone()),
    ];
    assert_eq!(api.get("/v1/token", apart).await.status, 200);
}

async fn rest_calls_without_right_keys_are_refused(db: Db) {
    let api = Api::new(db).await;
    let good = vec![api.basic(&api.world.client.secret)];
    let bearer = vec![("authorization", "Bearer x".to_owned())];
    let cases = [
        (
            "/v1/token",
            vec![api.basic("wrong")],
            401,
            "invalid_api_keys",
        ),
        ("/v1/token", bearer, 401, "invalid_api_keys"),
        ("/v1/token", vec![], 401, "invalid_api_keys"),
        ("/v1/accounts", vec![], 401, "invalid_api_keys"),
        ("/v1/accounts", good.clone(), 401, "invalid_access_token"),
        ("/v1/token", vec![api.basic("")], 401, "invalid_api_keys"),
        (
            "/v1/token?client_secret=x",
            good.clone(),
            400,
            "invalid_field",
        ),
        ("/v1/token?count=x", good.clone(), 400, "invalid_field"),
        (
            "/v1/token?count=1&count=2",
            good.clone(),
            400,
            "invalid_field",
        ),
        ("/v1/token?other=1", good, 400, "unknown_fields"),
    ];
    for (path, headers, status, code) in cases {
        let answer = api.get(path, headers).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{path}");
        // A challenge with each 401 (RFC 9110, section 15.5.2), and with nothing else.
        let challenge = answer.headers.get("www-authenticate");
        let challenge = challenge.map(|value| value.to_str().unwrap());
        let expected = (status == 401).then_some("Basic realm=\"api\", charset=\"UTF-8\"");
        assert_eq!(challenge, expected, "{path}");
    }
    let bare = api.get("/v1/accounts", vec![]).await;
    let says = bare.body["message"].as_str().unwrap();
    assert!(
        says.contains("Missing: client_id and client_secret"),
        "{says}"
    );
    assert_eq!(
        bare.paths(),
        [
            "client_id",
            "client_secret",
            "credentials_id",
            "access_token"
        ]
    );
    let pairless = api
        .get("/v1/accounts", vec![api.basic(&api.world.client.secret)])
        .await;
    let says = pairless.body["message"].as_str().unwrap();
    assert!(
        says.contains("Missing: credentials_id and access_token"),
        "{says}"
    );
    let documented = api.post("/v1/accounts/get", &json!({})).await;
    assert_eq!(
        (documented.status, documented.code()),
        (400, "missing_fields")
    );
}

async fn the_console_needs_no_key(db: Db) {
    let api = Api::new(db).await;
    let clock = &api.world.state.clock;
    let call = |body: Value, grant: Option<ConsoleGrant>| {
        let mut request =
            Request::post("/v1/token").header(header::CONTENT_TYPE, "application/json");
        if let Some(grant) = grant {
            request = request.extension(grant);
        }
        api.send(request.body(Body::from(body.to_string())).unwrap())
    };
    let grant = ConsoleGrant {
        tenant: api.world.client.tenant(),
        run: app::domain::ids::RunId(clock.id()),
        expires: clock.now() + Duration::minutes(1),
    };
    assert_eq!(
        call(json!({}), Some(grant)).await.body["tenant"],
        json!(api.world.client.tenant())
    );
    assert_eq!(call(json!({}), None).await.code(), "missing_fields");
    let other = api.world.beside().await;
    assert_eq!(
        call(json!({ "client_id": other.client.tenant() }), Some(grant))
            .await
            .code(),
        "invalid_api_keys"
    );
    api.world.state.request_log.flush(&api.world.state).await;
    let rows = app::portal::requests::Requests::requests(
        &api.world.services,
        &api.world.owner,
        &app::portal::requests::RequestFilter::default(),
    )
    .await
    .unwrap();
    assert!(
        rows.iter()
            .any(|row| row.source == "console" && row.status == 200)
    );
    clock.advance(Duration::minutes(1));
    assert_eq!(
        call(json!({}), Some(grant)).await.code(),
        "invalid_api_keys",
        "a grant ends"
    );
}

async fn stopped_and_paused_is_felt_at_once(db: Db) {
    let api = Api::new(db.clone()).await;
    let (services, owner, tenant) = (
        &api.world.services,
        &api.world.owner,
        api.world.client.tenant(),
    );
    let rotated = services
        .rotate_key(
            owner,
            tenant,
            KeyKind::Secret,
            Duration::hours(1).into(),
            &source(),
        )
        .await
        .unwrap();
    let new = with(api.exchanging(), "client_secret", rotated.value);
    for body in [&api.exchanging(), &new] {
        assert_eq!(
            api.post("/v1/token", body).await.status,
            200,
            "both are live"
        );
    }
    let keys = services.keys(owner, tenant).await.unwrap();
    let old = keys
        .iter()
        .find(|key| key.kind == KeyKind::Secret && key.id != rotated.id)
        .unwrap();
    services
        .stop_key(owner, tenant, old.id, &source())
        .await
        .unwrap();
    assert_eq!(
        api.post("/v1/token", &api.exchanging()).await.code(),
        "invalid_api_keys"
    );
    assert_eq!(api.post("/v1/token", &new).await.status, 200);

    api.world
        .state
        .key_use
        .flush(&api.world.state.db)
        .await
        .unwrap();
    let keys = services.keys(owner, tenant).await.unwrap();
    let used = keys.iter().find(|key| key.id == rotated.id).unwrap();
    assert_eq!(
        (used.last_used_at, used.last_used_by.as_deref()),
        (Some(api.world.state.clock.now()), Some("0.0.0.0"))
    );

    services
        .pause_tenant(owner, tenant, true, &source())
        .await
        .unwrap();
    let paused = api.post("/v1/token", &new).await;
    assert_eq!((paused.status, paused.code()), (403, "tenant_paused"));
    services
        .pause_tenant(owner, tenant, false, &source())
        .await
        .unwrap();
    let mut tx = db.write().await.unwrap();
    tx.suspend_servicer(api.world.client.servicer(), "why")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let suspended = api.post("/v1/sessions", &api.opening()).await;
    assert_eq!(
        (suspended.status, suspended.code()),
        (403, "servicer_suspended")
    );
}
