//! Runs on both databases, against a router that answers as the API's documents say: what a run sends, keeps and
//! shows. The whole way through the real API and bank is in `tests/it`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use app::domain::person::{Email, Role};
use app::domain::servicer::{LegalForm, ServicerStatus};
use app::portal::Membership;
use app::portal::console::NextCall;
use app::portal::people::{People as _, Start};
use app::portal::skills::Skills as _;
use axum::Json;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::make::LARGEST;
use super::*;
use crate::jobs::Job as _;
use crate::services::keys::ConsoleGrant;
use crate::state::testing;
use crate::storage::Db;
use crate::storage::testing::on_both;

on_both!(
    a_run_goes_from_keys_to_transactions_and_shows_no_secret,
    a_refusal_is_told_and_the_session_goes_on,
    of_many_sendings_of_one_form_one_calls,
    a_foreign_run_is_not_there,
    a_run_is_forgotten_after_a_day,
    a_call_that_failed_may_be_made_again,
    data_that_is_no_json_is_refused_with_its_place
);

const SKILL: &str = "xyz_ro_aisp_sbx_#1.0";
const SESSION: &str = "7489fe74-a91d-4897-8895-cd5e05c0fc4b";
const NONCE: &str = "nonce-one-nonce-one-nonce-one-nonce-one-123";
const FRESH: &str = "nonce-two-nonce-two-nonce-two-nonce-two-456";
const TEMP: &str = "temp-token-temp-token-temp-token-temp-token";
const ACCESS: &str = "access-token-access-token-access-token-1234";

struct World {
    services: Services,
    calls: Arc<AtomicUsize>,
    actor: Actor,
    tenant: TenantId,
}

/// A servicer with its first tenant, and an API that answers what the documents say.
async fn world(db: Db) -> World {
    let skills = crate::skills::offline::registry().unwrap();
    let state = testing::state(db).with_skills(skills);
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let api = axum::Router::new().fallback(move |request: Request| {
        counted.fetch_add(1, Ordering::SeqCst);
        answer(request)
    });
    let services = Services::new(state).with_api(api);
    let (actor, tenant) = person(&services, "dev@example.com").await;
    World {
        services,
        calls,
        actor,
        tenant,
    }
}

async fn person(services: &Services, email: &str) -> (Actor, TenantId) {
    let form = Start {
        name: "Example Ltd".into(),
        email: email.into(),
        password: "kumquat lamps over gravel".into(),
        legal_form: LegalForm::Company,
        country: "RO".into(),
    };
    let started = services
        .start(
            form,
            &Source {
                ip: email.into(),
                user_agent: "test".into(),
            },
        )
        .await
        .unwrap();
    let actor = Actor {
        person: started.person,
        email: Email::parse(email).unwrap(),
        verified: false,
        admin: false,
        membership: Some(Membership {
            servicer: started.servicer,
            name: "Example Ltd".into(),
            status: ServicerStatus::Sandbox,
            role: Role::Owner,
        }),
        proved_at: services.state.clock.now(),
        session: services.state.clock.id(),
    };
    (actor, started.tenant)
}

/// The API by its documents. The grant is the only key a call may carry.
async fn answer(request: Request) -> Response {
    let grant = request.extensions().get::<ConsoleGrant>().copied();
    let path = request.uri().path().to_owned();
    let bytes = axum::body::to_bytes(request.into_body(), LARGEST)
        .await
        .unwrap();
    let body: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(body["client_id"], json!(grant.unwrap().tenant));
    assert!(body.get("client_secret").is_none() && body.get("client_app_key").is_none());
    let steps = format!("/v1/sessions/{SESSION}/steps");
    let get = format!("/v1/sessions/{SESSION}/get");
    let answer = match path.as_str() {
        "/v1/sessions" => {
            json!({"session_id": SESSION, "nonce": NONCE, "status": "SESSION_CREATED", "next_step": "sca"})
        }
        path if path == steps && body["data"]["psu_redirect_link"] == "myapp://unknown" => {
            let refusal =
                json!({"http": 400, "code": "invalid_redirect_link", "message": "Not registered."});
            return (StatusCode::BAD_REQUEST, Json(refusal)).into_response();
        }
        path if path == steps => {
            assert!([NONCE, FRESH].contains(&body["nonce"].as_str().unwrap()));
            json!({"step_id": SESSION, "status": "SESSION_IN_PROGRESS", "data": {"method": "GET", "url": "http://127.0.0.1:4/authorise", "headers": {}}})
        }
        path if path == get => {
            assert_eq!(body["nonce"], NONCE);
            json!({"session_id": SESSION, "status": "SESSION_IN_PROGRESS", "nonce": FRESH, "next_step": "sca"})
        }
        "/v1/token" => {
            assert_eq!(body["temp_token"], TEMP);
            json!({"credentials_id": SESSION, "access_token": ACCESS})
        }
        "/v1/accounts/get" | "/v1/transactions/get" => {
            assert_eq!(body["access_token"], ACCESS);
            json!([{"id": "1", "echo": ACCESS}])
        }
        other => panic!("the console called {other}"),
    };
    Json(answer).into_response()
}

impl World {
    async fn new_run(&self) -> RunId {
        let run = self
            .services
            .new_run(&self.actor, self.tenant, SKILL, &Source::default())
            .await;
        run.unwrap()
    }

    async fn run(&self, run: RunId) -> Run {
        self.services.run(&self.actor, run).await.unwrap()
    }

    /// Makes the next call as the page would: bound to what it shows.
    async fn advance(&self, run: RunId) -> Run {
        let at = self.run(run).await.calls.len();
        self.services
            .advance(&self.actor, run, at, None, &Source::default())
            .await
            .unwrap();
        self.run(run).await
    }

    async fn back(&self, token: Option<&str>, error: Option<&str>) -> Answered<RunId> {
        let session = SESSION.parse().unwrap();
        self.services
            .bank_return(&self.actor, session, token, error)
            .await
    }
}

async fn a_run_goes_from_keys_to_transactions_and_shows_no_secret(db: Db) {
    let world = world(db).await;
    assert!(!world.services.skills().await.unwrap().is_empty());
    let id = world.new_run().await;
    let run = world.advance(id).await;
    let NextCall::Step { name, data } = &run.next else {
        panic!("{:?}", run.next)
    };
    assert_eq!(name, "sca");
    assert!(
        data.contains("http://127.0.0.1:3000/console/return"),
        "{data}"
    );
    let run = world.advance(id).await;
    assert_eq!(run.next, NextCall::Bank);
    assert_eq!(
        run.bank_url.as_deref(),
        Some("http://127.0.0.1:4/authorise")
    );
    assert_eq!(run.nonces[0].used_by, Some(1));
    assert_eq!(world.back(Some(TEMP), None).await.unwrap(), id);
    assert_eq!(world.run(id).await.next, NextCall::Exchange);
    assert_eq!(world.advance(id).await.next, NextCall::Accounts);
    assert_eq!(world.advance(id).await.next, NextCall::Transactions);
    let run = world.advance(id).await;
    assert_eq!(run.next, NextCall::Done);
    assert!(run.calls[2].request_body.contains("$TESSERA_CLIENT_SECRET"));
    let shown = format!("{run:?}");
    for secret in [NONCE, TEMP, ACCESS] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let listed = world.services.runs(&world.actor).await.unwrap();
    assert_eq!(
        (listed[0].id, listed[0].stage, listed[0].calls),
        (id, RunStage::Done, 5)
    );
    // Late and repeated returns change nothing.
    world
        .back(Some("another-token-another-token-another-tok"), None)
        .await
        .unwrap();
    assert_eq!(world.run(id).await.next, NextCall::Done);
}

async fn a_refusal_is_told_and_the_session_goes_on(db: Db) {
    let world = world(db).await;
    let id = world.new_run().await;
    world.advance(id).await;
    world.advance(id).await;
    world.back(None, Some("access_denied")).await.unwrap();
    let run = world.run(id).await;
    assert_eq!(
        (run.next, run.refusal.as_deref()),
        (NextCall::Ask, Some("access_denied"))
    );
    let run = world.advance(id).await;
    assert!(matches!(run.next, NextCall::Step { .. }) && run.refusal.is_none());
    assert_eq!(run.nonces.len(), 2);
    assert_eq!(world.advance(id).await.next, NextCall::Bank);
}

async fn of_many_sendings_of_one_form_one_calls(db: Db) {
    let world = Arc::new(world(db).await);
    let id = world.new_run().await;
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let world = world.clone();
            tokio::spawn(async move {
                world
                    .services
                    .advance(&world.actor, id, 0, None, &Source::default())
                    .await
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(world.calls.load(Ordering::SeqCst), 1);
    assert_eq!(world.run(id).await.calls.len(), 1);
    // And once more, long after.
    world
        .services
        .advance(&world.actor, id, 0, None, &Source::default())
        .await
        .unwrap();
    assert_eq!(world.calls.load(Ordering::SeqCst), 1);
}

async fn a_foreign_run_is_not_there(db: Db) {
    let world = world(db).await;
    let id = world.new_run().await;
    world.advance(id).await;
    let (stranger, tenant) = person(&world.services, "eve@example.com").await;
    let (services, source) = (&world.services, Source::default());
    let session = SESSION.parse().unwrap();
    assert_eq!(
        services.run(&stranger, id).await.err(),
        Some(Trouble::NotFound)
    );
    assert_eq!(
        services
            .advance(&stranger, id, 1, None, &source)
            .await
            .err(),
        Some(Trouble::NotFound)
    );
    assert_eq!(
        services.again(&stranger, id, &source).await.err(),
        Some(Trouble::NotFound)
    );
    assert_eq!(
        services
            .bank_return(&stranger, session, Some(TEMP), None)
            .await
            .err(),
        Some(Trouble::NotFound)
    );
    assert_eq!(
        services
            .new_run(&stranger, world.tenant, SKILL, &source)
            .await
            .err(),
        Some(Trouble::NotFound)
    );
    assert!(services.runs(&stranger).await.unwrap().is_empty());
    assert!(
        services
            .new_run(&stranger, tenant, SKILL, &source)
            .await
            .is_ok()
    );
    assert_eq!(world.run(id).await.calls.len(), 1);
}

async fn a_run_is_forgotten_after_a_day(db: Db) {
    let world = world(db).await;
    let id = world.new_run().await;
    world.advance(id).await;
    let job = ForgetRun { run: id };
    job.run(&world.services.state).await.unwrap();
    assert_eq!(world.run(id).await.calls.len(), 1, "its day is not over");
    world.services.state.clock.advance(Duration::days(1));
    let run = world.run(id).await;
    assert!(
        matches!(run.next, NextCall::DeadEnd(_)) && run.calls.is_empty() && run.nonces.is_empty()
    );
    job.run(&world.services.state).await.unwrap();
    let mut tx = world.services.state.db.read().await.unwrap();
    assert!(tx.run_calls(id).await.unwrap().is_empty());
    drop(tx);
    let late = world
        .services
        .advance(&world.actor, id, 1, None, &Source::default())
        .await;
    assert!(matches!(late, Err(Trouble::Conflict(_))));
    assert!(
        world
            .services
            .again(&world.actor, id, &Source::default())
            .await
            .is_ok()
    );
}

async fn a_call_that_failed_may_be_made_again(db: Db) {
    let world = world(db).await;
    let id = world.new_run().await;
    world.advance(id).await;
    let wrong = r#"{"psu_redirect_link": "myapp://unknown"}"#;
    world
        .services
        .advance(&world.actor, id, 1, Some(wrong), &Source::default())
        .await
        .unwrap();
    let run = world.run(id).await;
    assert_eq!((run.calls[1].status, run.nonces[0].used_by), (400, None));
    let NextCall::Step { data, .. } = &run.next else {
        panic!("{:?}", run.next)
    };
    assert_eq!(data, wrong, "what was typed is kept");
    let right = r#"{"psu_redirect_link": "myapp://return"}"#;
    world
        .services
        .advance(&world.actor, id, 2, Some(right), &Source::default())
        .await
        .unwrap();
    let run = world.run(id).await;
    assert_eq!((run.next, run.nonces[0].used_by), (NextCall::Bank, Some(2)));
    let again = world
        .services
        .again(&world.actor, id, &Source::default())
        .await
        .unwrap();
    assert_eq!(world.run(again).await.next, NextCall::OpenSession);
}

async fn data_that_is_no_json_is_refused_with_its_place(db: Db) {
    let world = world(db).await;
    let id = world.new_run().await;
    world.advance(id).await;
    let refused = world
        .services
        .advance(
            &world.actor,
            id,
            1,
            Some("{\n  \"a\": oops\n}"),
            &Source::default(),
        )
        .await;
    let Err(Trouble::Refused(errors)) = refused else {
        panic!("not refused")
    };
    assert!(
        errors[0].message.contains("line 2, column"),
        "{}",
        errors[0].message
    );
    assert_eq!(world.calls.load(Ordering::SeqCst), 1, "nothing was sent");
}
