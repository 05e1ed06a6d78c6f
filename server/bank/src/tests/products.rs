//! The counter for partners, called in the process so that a call can break off anywhere: one contract, one product.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kernel::clock::Clock;
use kernel_testing::breaking::{Sweeps, break_off};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::storage::Db;
use crate::tests::on_both;
use crate::{BankState, Inner, RegisteredTpp, products, records};

on_both!(
    a_signature_broken_off_anywhere_opens_one_product,
    of_many_signatures_one_opens_a_product,
    an_application_is_what_it_was_once_somebody_is_named,
    nothing_happens_out_of_turn,
    what_is_anothers_is_unknown
);

#[derive(Clone)]
struct Counter {
    bank: BankState,
    router: Router,
}

impl Counter {
    fn open(db: Db) -> Self {
        let clock = Clock::mock("2026-01-01T09:00:00Z".parse().unwrap(), 7);
        Self::of(db, clock, "partner")
    }

    /// The counter as it is open to one partner.
    fn of(db: Db, clock: Clock, partner: &str) -> Self {
        let bank = BankState(Arc::new(Inner {
            db,
            clock,
            client: RegisteredTpp {
                id: partner.into(),
                secret: "s3cret".to_owned().into(),
                name: "A <Budget> App".into(),
            },
            public_url: "http://127.0.0.1:9".into(),
            verification: chrono::Duration::seconds(5),
        }));
        let router = products::router().with_state(bank.clone());
        Self { bank, router }
    }

    /// Opens the same bank's product interface to another partner.
    fn beside(&self) -> Self {
        let (db, clock) = (self.bank.db.clone(), self.bank.clock.clone());
        Self::of(db, clock, "rival")
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let keys = format!("{}:s3cret", self.bank.client.id);
        self.call_as(&keys, method, path, body).await
    }

    async fn call_as(
        &self,
        keys: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        let basic = format!("Basic {}", STANDARD.encode(keys));
        let request = Request::builder()
            .method(method)
            .uri(format!("/products/v1/{path}"))
            .header(header::AUTHORIZATION, basic)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20);
        let bytes = bytes.await.unwrap();
        let said = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        (status, said)
    }

    async fn put(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.call(Method::PUT, path, body).await
    }

    /// An application for a deposit that was verified and waits for its contract.
    async fn offered(&self) -> Uuid {
        let id = self.applied().await;
        let part = self.bank.clock.id();
        let verify = format!("applications/{id}/verifications/{part}");
        assert_eq!(self.put(&verify, ana()).await.0, StatusCode::OK);
        let decision = json!({ "decision": "approve" });
        let path = format!("applications/{id}/decision");
        let (_, said) = self.call(Method::POST, &path, decision).await;
        assert_eq!(said["status"], "offered");
        id
    }

    async fn applied(&self) -> Uuid {
        let id = self.bank.clock.id();
        let (status, said) = self
            .put(&format!("applications/{id}"), deposit("100000"))
            .await;
        assert_eq!((status, &said["status"]), (StatusCode::OK, &json!("draft")));
        id
    }

    async fn sign(&self, id: Uuid) -> (StatusCode, Value) {
        let signature = json!({ "accepted": true, "part": Uuid::nil() });
        self.put(&format!("applications/{id}/contract"), signature)
            .await
    }

    async fn all(&self) -> Vec<(String, i64)> {
        records::applications(&self.bank.db).await.unwrap()
    }
}

fn deposit(amount: &str) -> Value {
    json!({ "product": "deposit", "amount": amount, "currency": "EUR", "months": 12 })
}

fn ana() -> Value {
    json!({ "person": { "first_name": "Ana" } })
}

fn refused(answer: (StatusCode, Value), status: u16, code: &str) {
    assert_eq!(
        (answer.0.as_u16(), &answer.1["error"]),
        (status, &json!(code))
    );
}

/// Least number of times every place is tried. The number of places differs from run to run, as some waits end at once.
const SWEEPS: usize = 3;

async fn a_signature_broken_off_anywhere_opens_one_product(db: Db) {
    let counter = Counter::open(db);
    let mut signed = 0;
    let mut sweeps = Sweeps::of(SWEEPS);
    'sweeps: loop {
        for times in 1.. {
            let id = counter.offered().await;
            let done = break_off(counter.sign(id), times).await;
            let (status, product) = counter.sign(id).await;
            assert_eq!(status, StatusCode::OK, "waited {times} times");
            let (_, again) = counter.sign(id).await;
            assert_eq!(product, again);
            signed += 1;
            let expected = vec![("signed".to_owned(), 1); signed];
            assert_eq!(counter.all().await, expected, "waited {times} times");
            if let Some((_, first)) = done {
                assert_eq!(first, product, "one product, however often it is signed");
                if sweeps.end_with(times) {
                    break 'sweeps;
                }
                break;
            }
        }
    }
}

async fn of_many_signatures_one_opens_a_product(db: Db) {
    let counter = Counter::open(db);
    for round in 1..=3 {
        let id = counter.offered().await;
        let tasks: Vec<_> = (0..32)
            .map(|_| {
                let counter = counter.clone();
                tokio::spawn(async move { counter.sign(id).await })
            })
            .collect();
        let mut products = Vec::new();
        for task in tasks {
            let (status, product) = task.await.unwrap();
            assert_eq!(status, StatusCode::OK);
            products.push(product["id"].clone());
        }
        products.dedup();
        assert_eq!(products.len(), 1);
        assert_eq!(counter.all().await, vec![("signed".to_owned(), 1); round]);
    }
}

async fn an_application_is_what_it_was_once_somebody_is_named(db: Db) {
    let counter = Counter::open(db);
    let id = counter.applied().await;
    let path = format!("applications/{id}");
    let (_, more) = counter.put(&path, deposit("200000")).await;
    assert_eq!(
        more["offer"]["principal"], "200000.00",
        "a draft may be changed"
    );
    let verify = format!("{path}/verifications/{}", Uuid::nil());
    for _ in 0..2 {
        let (_, said) = counter.put(&verify, ana()).await;
        assert_eq!(said["status"], "verifying");
        assert_eq!(said["missingDocuments"], json!(["id_document", "selfie"]));
    }
    let same = counter.put(&path, deposit("200000")).await;
    assert_eq!(same.0, StatusCode::OK, "repeated, it finds itself");
    refused(
        counter.put(&path, deposit("300000")).await,
        409,
        "out_of_turn",
    );
    let other = format!("{path}/verifications/{}", counter.bank.clock.id());
    refused(counter.put(&other, ana()).await, 409, "out_of_turn");
    assert_eq!(counter.all().await, [("verifying".to_owned(), 0)]);
}

async fn nothing_happens_out_of_turn(db: Db) {
    let counter = Counter::open(db);
    let id = counter.applied().await;
    refused(counter.sign(id).await, 409, "out_of_turn");
    let path = format!("applications/{id}");
    let no = json!({ "accepted": false, "part": Uuid::nil() });
    let contract = format!("{path}/contract");
    refused(counter.put(&contract, no).await, 422, "not_accepted");
    let nobody = json!({ "person": {} });
    let verify = format!("{path}/verifications/{}", Uuid::nil());
    refused(counter.put(&verify, nobody).await, 422, "nobody_applies");
    let funds = json!({ "source": "savings" });
    let source = format!("{path}/source-of-funds");
    refused(counter.put(&source, funds).await, 409, "out_of_turn");
    for wrong in [deposit("99.99"), deposit("100.001"), json!({})] {
        let new = format!("applications/{}", counter.bank.clock.id());
        let (status, _) = counter.put(&new, wrong).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    // Taken back it stays so, and a repetition is no error.
    for _ in 0..2 {
        let (status, _) = counter.call(Method::DELETE, &path, Value::Null).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
    }
    refused(counter.sign(id).await, 409, "out_of_turn");
    assert_eq!(counter.all().await, [("withdrawn".to_owned(), 0)]);
}

async fn what_is_anothers_is_unknown(db: Db) {
    let counter = Counter::open(db);
    let rival = counter.beside();
    let waiting = counter.offered().await;
    let signed = counter.offered().await;
    let (_, product) = counter.sign(signed).await;
    let product_path = format!("products/{}", product["id"].as_str().unwrap());
    let before = counter.all().await;
    let path = format!("applications/{waiting}");
    let decision = json!({ "decision": "reject" });
    refused(rival.sign(waiting).await, 404, "unknown");
    refused(rival.put(&path, deposit("500")).await, 404, "unknown");
    for (method, path, body) in [
        (Method::GET, path.clone(), Value::Null),
        (Method::DELETE, path.clone(), Value::Null),
        (Method::POST, format!("{path}/decision"), decision),
        (Method::GET, product_path.clone(), Value::Null),
    ] {
        refused(rival.call(method, &path, body).await, 404, "unknown");
    }
    let access = format!("{product_path}/access");
    rival.call(Method::DELETE, &access, Value::Null).await;
    let wrong = counter.call_as("partner:wrong", Method::GET, &path, Value::Null);
    refused(wrong.await, 401, "stranger");
    assert_eq!(counter.all().await, before);
    let (status, read) = counter.call(Method::GET, &product_path, Value::Null).await;
    assert_eq!((status, &read), (StatusCode::OK, &product));

    // A partner may stop looking; the product stands.
    for _ in 0..2 {
        let (status, _) = counter.call(Method::DELETE, &access, Value::Null).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
    }
    let gone = counter.call(Method::GET, &product_path, Value::Null).await;
    refused(gone, 404, "unknown");
    assert_eq!(counter.all().await, before);
}
