//! One-time things, under the worst timing: 64 connections that let go of their last byte together.

use serde_json::{Value, json};

use crate::world::race::all_at_once;
use crate::world::{Database, World, on_both};

/// Rounds of each race; `TESSERA_TEST_ROUNDS=200` makes a long run of it.
const ROUNDS: usize = 30;
const AT_ONCE: usize = 64;

on_both!(
    a_nonce_is_used_once,
    a_temp_token_is_exchanged_once,
    a_refusal_tells_nothing_of_other_tenants_tokens
);

/// Rounds of each race between two processes, of those that others have.
const SHARED: usize = 2;

fn rounds() -> usize {
    std::env::var("TESSERA_TEST_ROUNDS").map_or(ROUNDS, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_use_a_nonce_and_a_token_once() {
    let world = World::own(Database::Postgres).await;
    let second = world.another_server().await;
    let keys = world.tenant().await;
    let both = async |path: &str, body: &Value| {
        let urls = [world.api(path), format!("{}{path}", second.url)];
        let (mut one, other) = tokio::join!(
            all_at_once(&urls[0], body, AT_ONCE / 2),
            all_at_once(&urls[1], body, AT_ONCE / 2)
        );
        one.extend(other);
        one
    };
    for _ in 0..rounds() / SHARED {
        let (session, nonce) = world.session(&keys).await;
        let path = format!("/v1/sessions/{session}/steps");
        let answers = both(&path, &World::sca(&keys, &nonce)).await;
        the_one(answers, &["invalid_nonce", "step_in_flight"]);
        let token = world.temp_token(&keys, "student").await;
        let body = json!({"client_id": keys.client_id, "client_secret": keys.client_secret, "temp_token": token});
        the_one(both("/v1/token", &body).await, &["temp_token_used"]);
    }
}

/// Splits the answers into the one that succeeded and the refusals, which must be clean.
fn the_one(answers: Vec<(u16, Value)>, refusals: &[&str]) -> Value {
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, _)| *status == 200);
    assert_eq!(won.len(), 1, "exactly one succeeds: {:?}", won.len());
    for (status, answer) in lost {
        let code = answer["code"].as_str().unwrap_or_default();
        assert!(
            (400..500).contains(&status) && refusals.contains(&code),
            "{status} {answer}"
        );
    }
    won.into_iter().next().unwrap().1
}

async fn a_nonce_is_used_once(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    for _ in 0..rounds() {
        let (session, nonce) = world.session(&keys).await;
        let url = world.api(&format!("/v1/sessions/{session}/steps"));
        let answers = all_at_once(&url, &World::sca(&keys, &nonce), AT_ONCE).await;
        let step = the_one(answers, &["invalid_nonce", "step_in_flight"]);
        assert!(step["data"]["url"].is_string(), "{step}");
    }
}

async fn a_temp_token_is_exchanged_once(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    for _ in 0..rounds() {
        let token = world.temp_token(&keys, "student").await;
        let body = json!({"client_id": keys.client_id, "client_secret": keys.client_secret, "temp_token": token});
        let answers = all_at_once(&world.api("/v1/token"), &body, AT_ONCE).await;
        let pair = the_one(answers, &["temp_token_used"]);
        let pair = (
            pair["credentials_id"].as_str().unwrap().to_owned(),
            pair["access_token"].as_str().unwrap().to_owned(),
        );
        // The winner's token still reads.
        let accounts = world
            .post_when_ready("/v1/accounts/get", keys.data(&pair).to_string())
            .await;
        assert_eq!(accounts.as_array().unwrap().len(), 1);
    }
}

/// An unknown token, another tenant's living one and another tenant's used one: one answer, to the byte but its id.
async fn a_refusal_tells_nothing_of_other_tenants_tokens(database: Database) {
    let world = World::shared(database).await;
    let (mine, theirs) = (world.tenant().await, world.tenant().await);
    let living = world.temp_token(&theirs, "student").await;
    let used = world.temp_token(&theirs, "student").await;
    let exchange = async |keys: &crate::world::Keys, token: &str| {
        let body = json!({"client_id": keys.client_id, "client_secret": keys.client_secret, "temp_token": token});
        let answer = crate::world::client()
            .post(world.api("/v1/token"))
            .json(&body);
        let answer = answer.send().await.unwrap();
        let (status, mut names) = (answer.status().as_u16(), Vec::new());
        names.extend(answer.headers().keys().map(|name| name.as_str().to_owned()));
        names.sort_unstable();
        let mut text: Value = answer.json().await.unwrap();
        text["id"] = Value::Null;
        (status, names, text.to_string())
    };
    assert_eq!(exchange(&theirs, &used).await.0, 200);
    let unknown = exchange(&mine, &"x".repeat(43)).await;
    assert_eq!(unknown.0, 401);
    for token in [&living, &used] {
        assert_eq!(exchange(&mine, token).await, unknown);
    }
    let (session, nonce) = world.session(&theirs).await;
    let path = format!("/v1/sessions/{session}/steps");
    let other = format!("/v1/sessions/{}/steps", uuid::Uuid::nil());
    let mut answers = Vec::new();
    for path in [path, other] {
        let (status, mut answer) = world.post(&path, &World::sca(&mine, &nonce)).await;
        answer["id"] = Value::Null;
        answers.push((status, answer.to_string()));
    }
    assert_eq!(
        answers[0], answers[1],
        "a foreign session is an unknown one"
    );
}
