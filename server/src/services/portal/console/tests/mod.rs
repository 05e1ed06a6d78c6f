//! Runs on both databases, against a router that answers as the API's documents say: what a run sends, keeps and
//! shows. The whole way through the real API and bank is in `tests/it`.

mod accounts;
mod marketplace;
mod payments;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use app::domain::console::{Offer, RunStage};
use app::domain::person::{Email, Role};
use app::domain::servicer::ServicerStatus;
use app::portal::PortalError;
use app::portal::console::{File, NextCall};
use app::portal::people::{People as _, Start};
use app::portal::tenants::Tenants as _;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use chrono::Duration;
use kernel::json::Json;
use serde_json::{Value, json};

use super::execute::LARGEST;
use super::*;
use crate::services::access::keys::ConsoleGrant;
use crate::storage::Db;
use crate::storage::testing::on_both;
use crate::testing::{World, actor, source_at, start_form};

const SESSION: &str = "7489fe74-a91d-4897-8895-cd5e05c0fc4b";
const STEP: &str = "1f4a5d2e-8c39-4f0b-9d52-0a6b7c8d9e10";
const NONCE: &str = "nonce-one-nonce-one-nonce-one-nonce-one-123";
const FRESH: &str = "nonce-two-nonce-two-nonce-two-nonce-two-456";
const TEMP: &str = "temp-token-temp-token-temp-token-temp-token";
const ACCESS: &str = "access-token-access-token-access-token-1234";

/// A call as the API sees it: its path, and its body; of a form with a file the texts, and the file's bytes as a text.
struct Asked {
    path: String,
    body: Value,
}

/// An API by its documents: status and answer.
type Api = fn(&Asked) -> (u16, Value);

/// A servicer with its first tenant, which may use the skill, and an API that answers what the documents say.
struct ConsoleUser {
    world: World,
    calls: Arc<AtomicUsize>,
    actor: Actor,
    tenant: TenantId,
    skill: &'static str,
}

async fn console(db: Db, skill: &'static str, api: Api) -> ConsoleUser {
    let mut world = World::new(db).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let router = axum::Router::new().fallback(move |request: Request| {
        counted.fetch_add(1, Ordering::SeqCst);
        answer(request, api)
    });
    world.services = world.services.with_api(router);
    let (actor, tenant) = person(&world, "dev@example.com").await;
    world
        .services
        .whitelist(&actor, tenant, skill, true, &RequestSource::default())
        .await
        .unwrap();
    ConsoleUser {
        world,
        calls,
        actor,
        tenant,
        skill,
    }
}

/// Somebody who has started, signed in; and their first tenant.
async fn person(world: &World, email: &str) -> (Actor, TenantId) {
    let form = Start {
        country: "RO".into(),
        ..start_form(email)
    };
    let started = world.services.start(form, &source_at(email)).await.unwrap();
    let (role, status) = (Role::Owner, ServicerStatus::Sandbox);
    let actor = Actor {
        person: started.person,
        email: Email::parse(email).unwrap(),
        verified: false,
        ..actor(&world.state, started.servicer, role, status)
    };
    (actor, started.tenant)
}

/// The grant is the only key a call may carry.
async fn answer(request: Request, api: Api) -> Response {
    let grant = request.extensions().get::<ConsoleGrant>().copied();
    let path = request.uri().path().to_owned();
    let media = request.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    let bytes = axum::body::to_bytes(request.into_body(), LARGEST)
        .await
        .unwrap();
    let body = match media.strip_prefix("multipart/form-data; boundary=") {
        Some(boundary) => parts(&String::from_utf8_lossy(&bytes), boundary),
        None => serde_json::from_slice(&bytes).unwrap(),
    };
    assert_eq!(body["client_id"], json!(grant.unwrap().tenant));
    assert!(body.get("client_secret").is_none() && body.get("client_app_key").is_none());
    let (status, answer) = api(&Asked { path, body });
    (StatusCode::from_u16(status).unwrap(), Json(answer)).into_response()
}

/// The parts of a form by their names.
fn parts(text: &str, boundary: &str) -> Value {
    let edge = format!("--{boundary}");
    let parts = text.split(&edge);
    let named = parts.filter_map(|part| {
        let (head, body) = part.split_once("\r\n\r\n")?;
        let name = head.split("name=\"").nth(1)?.split('"').next()?;
        Some((name.to_owned(), json!(body.trim_end_matches("\r\n"))))
    });
    Value::Object(named.collect())
}

impl ConsoleUser {
    async fn new_run(&self) -> RunId {
        let run = self
            .world
            .services
            .new_run(
                &self.actor,
                self.tenant,
                self.skill,
                &RequestSource::default(),
            )
            .await;
        run.unwrap()
    }

    async fn run(&self, run: RunId) -> Run {
        self.world.services.run(&self.actor, run).await.unwrap()
    }

    /// Does something as the page would: bound to what it shows.
    async fn act(&self, run: RunId, act: RunAction<'_>) -> PortalResult<Run> {
        let at = self.run(run).await.calls.len();
        self.world
            .services
            .advance(&self.actor, run, at, act, &RequestSource::default())
            .await?;
        Ok(self.run(run).await)
    }

    /// Makes the next call.
    async fn advance(&self, run: RunId) -> Run {
        self.act(run, RunAction::Next(None)).await.unwrap()
    }

    /// Makes the next call with data of one's own.
    async fn submit(&self, run: RunId, data: &str) -> Run {
        self.act(run, RunAction::Next(Some(data))).await.unwrap()
    }

    async fn sample(&self, run: RunId, kind: &str) -> Run {
        let file = File::Sample;
        self.act(run, RunAction::Upload { kind, file })
            .await
            .unwrap()
    }

    async fn back(&self, token: Option<&str>, error: Option<&str>) -> PortalResult<RunId> {
        let session = SESSION.parse().unwrap();
        self.world
            .services
            .bank_return(&self.actor, session, token, error)
            .await
    }
}

/// The step a run stands at.
fn step_of(run: &Run) -> (&str, &str) {
    match &run.next {
        NextCall::Step { name, data, .. } => (name, data),
        other => panic!("{other:?}"),
    }
}
