//! Input of every wrong kind for every operation, made from the served OpenAPI: the catalogue's error each time, one that
//! the operation lists, never a 5xx, and nothing changed.

mod cases;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::authorization_matrix::{Actor, Callers, Line, Lock, Made, OPERATIONS};
use crate::world::sql::changes;
use crate::world::{Database, SKILL, World, client, on_both};
use cases::Expected::{Exactly, Naming, Refused};
use cases::{Wrong, cases};

on_both!(
    every_operation_refuses_every_wrong_input_and_does_nothing,
    a_wrong_key_is_told_from_nothing,
    a_refused_step_leaves_its_nonce,
);

async fn every_operation_refuses_every_wrong_input_and_does_nothing(database: Database) {
    let town = Callers::new(database).await;
    let document = town.openapi().await;
    let (mut tried, mut wrong) = (0, Vec::new());
    for line in OPERATIONS.iter().filter(|line| line.lock != Lock::Open) {
        let made = town.make(line.thing).await;
        town.settle().await;
        let before = town.sql.dump().await;
        let described = describe(&document, line.operation);
        let codes = listed(described);
        for case in cases(&town, line, described, &document, &made) {
            tried += 1;
            let (status, answer) = send(&town, line, &made, &case).await;
            if let Some(complaint) = complaint(&case, status, &answer, &codes) {
                wrong.push(format!("{}, {}: {complaint}", line.operation, case.what));
            }
        }
        let changed = changes(&before, &town.sql.dump().await);
        if !changed.is_empty() {
            wrong.push(format!("{}: {}", line.operation, changed.join("\n")));
            continue;
        }
        let right = town.call(line, right(line), &made).await;
        assert_eq!(right.summary(), line.right, "{} after all", line.operation);
    }
    assert!(
        wrong.is_empty(),
        "{} of {tried}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(
        tried > 1_000,
        "{tried} wrong requests are too few to mean something"
    );
}

/// Returns the actor that holds the right keys for an operation.
fn right(line: &Line) -> Actor {
    match line.lock {
        Lock::App | Lock::Nonce => Actor::AppKey,
        _ => Actor::Secret,
    }
}

fn describe<'a>(document: &'a Value, operation: &str) -> &'a Value {
    let (method, path) = operation.split_once(' ').unwrap();
    &document["paths"][path][method.to_lowercase()]
}

/// Every status and code that the operation says it can answer.
fn listed(described: &Value) -> BTreeSet<(u16, String)> {
    let mut codes = BTreeSet::new();
    for (status, response) in described["responses"].as_object().unwrap() {
        let examples = response["content"]["application/json"]["examples"].as_object();
        for code in examples.into_iter().flat_map(Map::keys) {
            codes.insert((status.parse().unwrap(), code.clone()));
        }
    }
    codes
}

fn complaint(
    case: &Wrong,
    status: u16,
    answer: &Value,
    listed: &BTreeSet<(u16, String)>,
) -> Option<String> {
    let code = answer["code"].as_str().unwrap_or_default();
    let fits = match &case.expected {
        Exactly(http, expected) => (status, code) == (*http, *expected),
        Naming(http, expected, name) => {
            (status, code) == (*http, *expected) && answer["fields"].to_string().contains(name)
        }
        Refused => (400..500).contains(&status),
    };
    if !fits {
        return Some(format!("{status} {answer}"));
    }
    for key in [
        "id", "type", "http", "code", "message", "hint", "docs", "fields",
    ] {
        if answer[key].is_null() {
            return Some(format!("no {key} in {answer}"));
        }
    }
    let said = listed.contains(&(status, code.to_owned()));
    (!said).then(|| format!("the OpenAPI does not list {status} {code}"))
}

async fn send(town: &Callers, line: &Line, made: &Made, case: &Wrong) -> (u16, Value) {
    let (method, _) = line.operation.split_once(' ').unwrap();
    let url = format!("{}{}", town.url(line, made), case.query);
    let mut request = client().request(method.parse().unwrap(), url);
    for (name, value) in &case.headers {
        request = request.header(name, value);
    }
    if let Some(body) = &case.body {
        request = request.body(body.clone());
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn assert_problem(context: &str, (status, answer): &(u16, Value), http: u16, code: &str) {
    assert_eq!(
        (*status, answer["code"].as_str()),
        (http, Some(code)),
        "{context}: {answer}"
    );
}

async fn a_refused_step_leaves_its_nonce(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let (session, nonce) = world.session(&keys).await;
    let path = format!("/v1/sessions/{session}/steps");
    let mut body = World::sca(&keys, &nonce);
    for data in [
        json!({}),
        json!({"psu_redirect_link": 5}),
        json!({"psu_redirect_link": "https://elsewhere.example/"}),
        json!({"x": 1}),
    ] {
        body["data"] = data;
        let (status, answer) = world.post(&path, &body).await;
        assert_eq!(status, 400, "{answer}");
    }
    let (status, answer) = world.post(&path, &World::sca(&keys, &nonce)).await;
    assert_eq!(
        status, 200,
        "a refused submission leaves the nonce as it was: {answer}"
    );
}

async fn a_wrong_key_is_told_from_nothing(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let other = world.tenant().await;
    let open =
        |id: &str, key: &str| json!({"client_id": id, "client_app_key": key, "skill": SKILL});
    let wrong = [
        open(&keys.client_id, "nonsense"),
        open(&keys.client_id, &other.client_app_key),
        open(&keys.client_id, &keys.client_secret),
        open("nonsense", &keys.client_app_key),
        open(&uuid::Uuid::nil().to_string(), &keys.client_app_key),
        open(&other.client_id, &keys.client_app_key),
    ];
    for body in wrong {
        let answer = world.post("/v1/sessions", &body).await;
        assert_problem(&body.to_string(), &answer, 401, "invalid_api_keys");
    }
    let (_, hinted) = world
        .post("/v1/sessions", &open(&keys.client_id, &keys.client_secret))
        .await;
    assert!(
        hinted["hint"]
            .as_str()
            .unwrap_or_default()
            .contains("client_secret"),
        "a key of the wrong kind is named: {hinted}"
    );
    let narrow = world.tenant_with(&["xyz_aisp_sbx_#1.0"]).await;
    let unlisted = open(&narrow.client_id, &narrow.client_app_key);
    let answer = world.post("/v1/sessions", &unlisted).await;
    assert_problem(
        "a skill off the whitelist",
        &answer,
        401,
        "unauthorized_tenant",
    );
    for nobodys in ["abc_ro_aisp_#1.0", "nonsense"] {
        let mut unknown = open(&keys.client_id, &keys.client_app_key);
        unknown["skill"] = json!(nobodys);
        let answer = world.post("/v1/sessions", &unknown).await;
        assert_problem(nobodys, &answer, 400, "invalid_skill_name");
    }
}
