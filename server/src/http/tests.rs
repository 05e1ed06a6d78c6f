//! Every kind of call through the extractor and the layer, with operations that echo what was proved.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use app::domain::key::KeyKind;
use app::domain::tenant::Origin;
use app::portal::tenants::Tenants as _;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use chrono::Duration;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

use super::call::{App, Call, Data, Nonce, Server};
use super::fields::fields;
use super::{api_layer, once};
use crate::config::Config;
use crate::problem::Problem;
use crate::services::keys::ConsoleGrant;
use crate::services::testing::{World, source};
use crate::state::AppState;
use crate::storage::Db;
use crate::storage::testing::on_both;

on_both!(
    keys_are_checked_and_never_explained,
    everything_wrong_is_told_at_once,
    secrets_stay_out_of_browsers,
    rest_calls_carry_keys_in_headers,
    the_console_needs_no_key,
    stopped_and_paused_is_felt_at_once,
    a_key_makes_a_call_happen_once,
    budgets_are_told_and_kept,
    every_call_is_in_the_log_and_no_secret_is,
    a_panic_is_an_error_with_an_id,
);

fields! {
    /// Opens something.
    struct Open for App {
        /// A skill.
        skill: String,
        /// A number.
        count: Option<i64>,
        /// An object.
        filter: Option<Filter>,
    }
}

fields! {
    /// Part of another.
    struct Filter {
        /// A currency.
        currency: Option<String>,
        /// A number as written.
        lt: Option<serde_json::Number>,
    }
}

fields! {
    /// Submits something.
    struct Submit for Nonce {
        /// Anything.
        data: Map<String, Value>,
    }
}

fields! {
    /// Asks for something.
    struct Exchange for Server {
        /// Shows that numbers in queries are numbers.
        count: Option<i64>,
    }
}

fields! {
    /// Reads something.
    struct Read for Data {}
}

async fn open(call: Call<Open>) -> Json<Value> {
    let lt = call
        .input
        .filter
        .and_then(|filter| filter.lt.map(|lt| (lt.to_string(), filter.currency)));
    Json(
        json!({ "tenant": call.by.tenant(), "skill": call.input.skill, "count": call.input.count, "filter": lt,
                 "server": call.by.is_server() }),
    )
}

async fn submit(
    State(state): State<AppState>,
    axum::Extension(runs): axum::Extension<Arc<AtomicUsize>>,
    call: Call<Submit>,
) -> Result<Response, Problem> {
    let nonce = call.by.nonce.expose_secret().to_owned();
    let work = async move {
        let run = runs.fetch_add(1, Ordering::SeqCst);
        if call.input.data.contains_key("wait") {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        }
        if call.input.data.contains_key("fail") {
            return Err(app::domain::problem::Code::InvalidNonce.into());
        }
        Ok(Json(json!({ "run": run, "nonce": format!("after-{nonce}") })).into_response())
    };
    call.once.run(&state, "submit", once::DAY, work).await
}

async fn exchange(call: Call<Exchange>) -> Json<Value> {
    Json(
        json!({ "tenant": call.by.tenant(), "count": call.input.count, "user": call.also.tenant_user_id }),
    )
}

async fn read(call: Call<Read>) -> Json<Value> {
    Json(json!({ "tenant": call.by.client.tenant(), "credentials_id": call.by.credentials_id }))
}

async fn explode() -> Json<Value> {
    panic!("with a secret in its message")
}

struct Api {
    world: World,
    router: Router,
    runs: Arc<AtomicUsize>,
}

struct Answer {
    status: u16,
    headers: axum::http::HeaderMap,
    body: Value,
}

impl Answer {
    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    fn paths(&self) -> Vec<&str> {
        self.body["fields"]
            .as_array()
            .map(|list| {
                list.iter()
                    .filter_map(|field| field["path"].as_str())
                    .collect()
            })
            .unwrap_or_default()
    }
}

impl Api {
    async fn new(db: Db) -> Self {
        Self::with(db, Config::default()).await
    }

    async fn with(db: Db, config: Config) -> Self {
        let world = World::with(db, config).await;
        let runs = Arc::new(AtomicUsize::new(0));
        let router = Router::new()
            .route("/v1/sessions", post(open))
            .route("/v1/sessions/{session_id}/steps", post(submit))
            .route("/v1/token", post(exchange).get(exchange))
            .route("/v1/accounts/get", post(read))
            .route("/v1/accounts", get(read))
            .route("/v1/explode", get(explode))
            .layer(axum::Extension(runs.clone()))
            .layer(middleware::from_fn_with_state(
                world.state().clone(),
                api_layer::api,
            ))
            .with_state(world.state().clone());
        Self {
            world,
            router,
            runs,
        }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 22).await.unwrap();
        assert!(parts.headers.contains_key("x-request-id"));
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, body, &[]).await
    }

    async fn post_with(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body.to_string())).unwrap())
            .await
    }

    fn opening(&self) -> Value {
        json!({ "client_id": self.world.tenant, "client_app_key": self.world.client_app_key, "skill": "xyz_aisp_sbx_#1.0" })
    }

    fn exchanging(&self) -> Value {
        json!({ "client_id": self.world.tenant, "client_secret": self.world.client_secret })
    }

    fn submitting(&self, data: Value) -> Value {
        json!({ "client_id": self.world.tenant, "nonce": "nonce-of-the-answer-before", "data": data })
    }
}

fn with(mut body: Value, name: &str, value: impl Into<Value>) -> Value {
    body[name] = value.into();
    body
}

async fn keys_are_checked_and_never_explained(db: Db) {
    let api = Api::new(db).await;
    assert_eq!(
        api.post("/v1/sessions", &api.opening()).await.body["tenant"],
        json!(api.world.tenant)
    );
    assert_eq!(api.post("/v1/token", &api.exchanging()).await.status, 200);
    let other = api.world.beside().await;
    let mut answers = Vec::new();
    for (name, value) in [
        ("client_id", json!(other.tenant)),
        ("client_id", json!("not-an-id")),
        ("client_id", json!("019b7652-0000-7000-8000-000000000000")),
        ("client_secret", json!(other.client_secret)),
        ("client_secret", json!("nonsense")),
        ("client_secret", json!("")),
        (
            "client_secret",
            json!(format!("{}x", api.world.client_secret)),
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

    let swapped = api
        .post(
            "/v1/token",
            &with(
                api.exchanging(),
                "client_secret",
                api.world.client_app_key.clone(),
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
                api.world.client_secret.clone(),
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
    let exact: Value =
        serde_json::from_str(r#"{"lt": 4.270000000000000000001, "currency": null}"#).unwrap();
    let exact = api
        .post("/v1/sessions", &with(api.opening(), "filter", exact))
        .await;
    assert_eq!(
        exact.body["filter"],
        json!(["4.270000000000000000001", null]),
        "{:?}",
        exact.body
    );

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

async fn secrets_stay_out_of_browsers(db: Db) {
    let api = Api::new(db.clone()).await;
    let step = "/v1/sessions/019b7652-0000-7000-8000-000000000000/steps";
    let sent = api
        .post(
            step,
            &with(
                api.submitting(json!({})),
                "client_secret",
                api.world.client_secret.clone(),
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
            step,
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
                api.world.client_secret.clone(),
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
    tx.set_tenant_links(api.world.tenant, &[], &[origin])
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

    let preflight = |path: &str| {
        let request = Request::options(path)
            .header("origin", "https://evil.example")
            .header("access-control-request-method", "POST");
        request.body(Body::empty()).unwrap()
    };
    let asked = api.send(preflight(step)).await;
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

async fn rest_calls_carry_keys_in_headers(db: Db) {
    let api = Api::new(db).await;
    let basic = |secret: &str| {
        use base64::Engine as _;
        let pair = format!("{}:{secret}", api.world.tenant);
        format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(pair)
        )
    };
    let get = |path: &str, headers: Vec<(&'static str, String)>| {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        api.send(request.body(Body::empty()).unwrap())
    };
    let good = basic(&api.world.client_secret);
    let answer = get(
        "/v1/token?count=7",
        vec![
            ("authorization", good.clone()),
            ("x-tenant-user-id", "user-1".into()),
        ],
    )
    .await;
    assert_eq!(
        (&answer.body["count"], &answer.body["user"]),
        (&json!(7), &json!("user-1"))
    );
    let credentials_id = "019b7652-0000-7000-8000-000000000001";
    let pair = vec![
        ("authorization", good.clone()),
        ("x-credentials-id", credentials_id.into()),
        ("x-access-token", "t".into()),
    ];
    assert_eq!(
        get("/v1/accounts", pair).await.body["credentials_id"],
        credentials_id
    );
    let apart = vec![
        ("x-client-id", api.world.tenant.to_string()),
        ("x-client-secret", api.world.client_secret.clone()),
    ];
    assert_eq!(get("/v1/token", apart).await.status, 200);
    let cases = [
        (
            "/v1/token",
            vec![("authorization", basic("wrong"))],
            401,
            "invalid_api_keys",
        ),
        (
            "/v1/token",
            vec![("authorization", "Bearer x".to_owned())],
            401,
            "invalid_api_keys",
        ),
        ("/v1/token", vec![], 400, "missing_fields"),
        (
            "/v1/accounts",
            vec![("authorization", good.clone())],
            400,
            "missing_fields",
        ),
        (
            "/v1/token?client_secret=x",
            vec![("authorization", good.clone())],
            400,
            "unknown_fields",
        ),
        (
            "/v1/token?count=x",
            vec![("authorization", good.clone())],
            400,
            "invalid_field",
        ),
        (
            "/v1/token?count=1&count=2",
            vec![("authorization", good.clone())],
            400,
            "invalid_field",
        ),
        (
            "/v1/token?other=1",
            vec![("authorization", good.clone())],
            400,
            "unknown_fields",
        ),
    ];
    for (path, headers, status, code) in cases {
        let answer = get(path, headers).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{path}");
    }
}

async fn the_console_needs_no_key(db: Db) {
    let api = Api::new(db).await;
    let clock = &api.world.state().clock;
    let call = |body: Value, grant: Option<ConsoleGrant>| {
        let mut request =
            Request::post("/v1/token").header(header::CONTENT_TYPE, "application/json");
        if let Some(grant) = grant {
            request = request.extension(grant);
        }
        api.send(request.body(Body::from(body.to_string())).unwrap())
    };
    let grant = ConsoleGrant {
        tenant: api.world.tenant,
        run: app::domain::ids::RunId(clock.id()),
        expires: clock.now() + Duration::minutes(1),
    };
    assert_eq!(
        call(json!({}), Some(grant)).await.body["tenant"],
        json!(api.world.tenant)
    );
    assert_eq!(call(json!({}), None).await.code(), "missing_fields");
    let other = api.world.beside().await;
    assert_eq!(
        call(json!({ "client_id": other.tenant }), Some(grant))
            .await
            .code(),
        "invalid_api_keys"
    );
    api.world.state().request_log.flush(api.world.state()).await;
    let rows = app::portal::requests::Requests::requests(
        &api.world.services,
        &api.world.owner,
        &Default::default(),
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
    let (services, owner, tenant) = (&api.world.services, &api.world.owner, api.world.tenant);
    let rotated = services
        .rotate_key(
            owner,
            tenant,
            KeyKind::Secret,
            Duration::hours(1),
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
        .state()
        .key_use
        .flush(api.world.state())
        .await
        .unwrap();
    let keys = services.keys(owner, tenant).await.unwrap();
    let used = keys.iter().find(|key| key.id == rotated.id).unwrap();
    assert_eq!(
        (used.last_used_at, used.last_used_by.as_deref()),
        (Some(api.world.state().clock.now()), Some("0.0.0.0"))
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
    tx.suspend_servicer(api.world.servicer, "why")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let suspended = api.post("/v1/sessions", &api.opening()).await;
    assert_eq!(
        (suspended.status, suspended.code()),
        (403, "servicer_suspended")
    );
}

async fn a_key_makes_a_call_happen_once(db: Db) {
    let api = Api::new(db).await;
    let path = "/v1/sessions/019b7652-0000-7000-8000-000000000000/steps";
    let send = |data: Value, key: &'static str| {
        let body = api.submitting(data);
        let api = &api;
        async move {
            api.post_with(path, &body, &[("idempotency-key", key)])
                .await
        }
    };
    let (first, second) = (send(json!({}), "one").await, send(json!({}), "one").await);
    assert_eq!(first.body, second.body);
    assert_eq!(second.headers["idempotent-replayed"], "true");
    assert!(!first.headers.contains_key("idempotent-replayed"));
    assert_ne!(
        first.headers["x-request-id"],
        second.headers["x-request-id"]
    );
    let mismatch = send(json!({ "other": 1 }), "one").await;
    assert_eq!(
        (mismatch.status, mismatch.code()),
        (422, "idempotency_mismatch")
    );
    assert_ne!(send(json!({}), "two").await.body["run"], first.body["run"]);

    for _ in 0..2 {
        assert_eq!(
            send(json!({ "fail": 1 }), "three").await.code(),
            "invalid_nonce",
            "refusals are not kept"
        );
    }
    let before = api.runs.load(Ordering::SeqCst);
    let race =
        futures_util::future::join_all((0..32).map(|_| send(json!({ "wait": 1 }), "race"))).await;
    assert_eq!(
        api.runs.load(Ordering::SeqCst) - before,
        1,
        "one of 32 at once ran"
    );
    for answer in &race {
        assert!(
            matches!(
                (answer.status, answer.code()),
                (200, "") | (409, "idempotency_in_flight")
            ),
            "{:?}",
            answer.body
        );
    }
    let invalid = api
        .post_with(
            path,
            &api.submitting(json!({})),
            &[("idempotency-key", "with space")],
        )
        .await;
    assert_eq!(
        (invalid.code(), invalid.paths()),
        ("invalid_field", vec!["Idempotency-Key"])
    );
    api.world.state().clock.advance(Duration::hours(24));
    assert_ne!(
        send(json!({}), "one").await.body["run"],
        first.body["run"],
        "kept for a day"
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
        .extension(super::notes::Peer("192.0.2.9".parse().unwrap()))
        .body(Body::from(api.opening().to_string()))
        .unwrap();
    assert_eq!(
        api.send(elsewhere).await.status,
        200,
        "another source has its own"
    );
}

async fn every_call_is_in_the_log_and_no_secret_is(db: Db) {
    use app::portal::requests::{RequestFilter, Requests as _};
    let api = Api::new(db.clone()).await;
    let (state, services, owner) = (api.world.state(), &api.world.services, &api.world.owner);
    let session = "019b7652-0000-7000-8000-000000000000";
    let canaries = [
        "RO49AAAA1B31007593840000",
        "Canary Holder",
        "nonce-of-the-answer-before",
    ];
    let data = json!({ "iban": canaries[0], "name": canaries[1] });
    let path = format!("/v1/sessions/{session}/steps?token=canary-in-query");
    api.post_with(
        &path,
        &api.submitting(data),
        &[("x-request-id", "my-own-id"), ("user-agent", "my app")],
    )
    .await;
    state.clock.advance(Duration::seconds(1));
    api.post(
        "/v1/token",
        &with(
            api.exchanging(),
            "client_secret",
            "tsr_sbx_cs_wrong-canary-wrong-canary",
        ),
    )
    .await;
    state.clock.advance(Duration::seconds(1));
    api.post("/v1/token", &api.exchanging()).await;
    state.request_log.flush(state).await;

    let rows = services
        .requests(owner, &RequestFilter::default())
        .await
        .unwrap();
    assert_eq!(
        rows.iter().map(|row| row.status).collect::<Vec<_>>(),
        [200, 401, 200],
        "newest first"
    );
    let refused = services.request(owner, rows[1].id).await.unwrap();
    let explanation = refused.explanation.unwrap();
    assert_eq!(
        (explanation.code.as_str(), explanation.whose.as_str()),
        ("invalid_api_keys", "caller")
    );
    let good = services.request(owner, rows[0].id).await.unwrap();
    assert!(good.key.unwrap().starts_with("client_secret …"));
    let step = services.request(owner, rows[2].id).await.unwrap();
    assert_eq!(step.session.unwrap().to_string(), session);
    assert_eq!(
        (step.row.operation.as_str(), step.user_agent.as_str()),
        ("/v1/sessions/{session_id}/steps", "my app")
    );
    assert!(
        step.request_headers
            .contains(&("X-Request-Id".into(), "my-own-id".into()))
    );

    let mut tx = db.read().await.unwrap();
    let all: Vec<String> = crate::storage::run!(tx, |conn| sqlx::query_scalar(
        "SELECT path || ' ' || request_body || ' ' || response_body FROM requests"
    )
    .fetch_all(conn)
    .await)
    .unwrap();
    let all = all.join("\n");
    let secrets = [
        api.world.client_secret.as_str(),
        "canary-in-query",
        "wrong-canary-wrong",
    ];
    for canary in canaries.iter().chain(&secrets) {
        assert!(!all.contains(canary), "{canary} in {all}");
    }

    let filter = |filter: RequestFilter| async move {
        services.requests(owner, &filter).await.unwrap().len()
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        filter(RequestFilter {
            status: text("4xx"),
            ..Default::default()
        })
        .await,
        1
    );
    assert_eq!(
        filter(RequestFilter {
            status: text("200"),
            ..Default::default()
        })
        .await,
        2
    );
    assert_eq!(
        filter(RequestFilter {
            q: text("INVALID_api"),
            ..Default::default()
        })
        .await,
        1
    );
    assert_eq!(
        filter(RequestFilter {
            q: text(session),
            ..Default::default()
        })
        .await,
        1
    );
    assert_eq!(
        filter(RequestFilter {
            q: text("my-own-id"),
            ..Default::default()
        })
        .await,
        1
    );
    assert_eq!(
        filter(RequestFilter {
            source: text("console"),
            ..Default::default()
        })
        .await,
        0
    );
    assert_eq!(
        filter(RequestFilter {
            before: Some(rows[1].id),
            ..Default::default()
        })
        .await,
        1
    );
    assert_eq!(
        filter(RequestFilter {
            after: Some(rows[1].id),
            ..Default::default()
        })
        .await,
        1
    );
    let other = api.world.beside().await;
    assert!(
        services
            .requests(&other.owner, &RequestFilter::default())
            .await
            .unwrap()
            .is_empty()
    );
    assert!(services.request(&other.owner, rows[0].id).await.is_err());
    let day = services.keys(owner, api.world.tenant).await.unwrap();
    assert_eq!(day.iter().map(|key| key.calls_24h).sum::<i64>(), 1);
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
