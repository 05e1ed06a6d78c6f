//! Every kind of call through the extractor and the layer, with operations that echo what was proved.

mod browsers;
mod idempotency;
mod keys;
mod log;
mod requests;

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
use axum::{Router, middleware};
use chrono::Duration;
use kernel::json::Json;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

use super::call::{AppKeyAuth, Call, ConsentAuth, NonceAuth, ServerAuth};
use super::fields::fields;
use super::{api_layer, idempotency as once_only, request_context};
use crate::config::Config;
use crate::problem::Problem;
use crate::services::access::keys::ConsoleGrant;
use crate::state::AppState;
use crate::storage::Db;
use crate::storage::testing::on_both;
use crate::testing::{World, source};

fields! {
    /// Opens something.
    struct Open for AppKeyAuth {
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
        lt: Option<json::Number<'static>>,
    }
}

fields! {
    /// Submits something.
    struct Submit for NonceAuth {
        /// Anything.
        data: Map<String, Value>,
    }
}

fields! {
    /// Asks for something.
    struct Exchange for ServerAuth {
        /// Shows that numbers in queries are numbers.
        count: Option<i64>,
    }
}

fields! {
    /// Reads something.
    struct Read for ConsentAuth {}
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
    call.idempotency
        .run(&state, "submit", once_only::DAY, work)
        .await
}

async fn exchange(call: Call<Exchange>) -> Json<Value> {
    Json(
        json!({ "tenant": call.by.tenant(), "count": call.input.count, "user": call.extra.tenant_user_id }),
    )
}

async fn read(call: Call<Read>) -> Json<Value> {
    Json(json!({ "tenant": call.by.client.tenant(), "credentials_id": call.by.credentials_id }))
}

async fn end(
    State(state): State<AppState>,
    axum::Extension(runs): axum::Extension<Arc<AtomicUsize>>,
    call: Call<Read>,
) -> Result<Response, Problem> {
    let work = async move {
        let run = runs.fetch_add(1, Ordering::SeqCst);
        Ok(Json(json!({ "run": run })).into_response())
    };
    call.idempotency
        .run(&state, "end", once_only::DAY, work)
        .await
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
            .route("/v1/accounts", get(read).delete(end))
            .route("/v1/explode", get(explode))
            .layer(axum::Extension(runs.clone()))
            .layer(middleware::from_fn_with_state(
                world.state.clone(),
                api_layer::api,
            ))
            .with_state(world.state.clone());
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
        json!({ "client_id": self.world.client.tenant(), "client_app_key": self.world.client.app_key, "skill": "xyz_aisp_sbx_#1.0" })
    }

    fn exchanging(&self) -> Value {
        json!({ "client_id": self.world.client.tenant(), "client_secret": self.world.client.secret })
    }

    fn submitting(&self, data: Value) -> Value {
        json!({ "client_id": self.world.client.tenant(), "nonce": "nonce-of-the-answer-before", "data": data })
    }
}

fn with(mut body: Value, name: &str, value: impl Into<Value>) -> Value {
    body[name] = value.into();
    body
}
