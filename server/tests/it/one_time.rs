//! One-time things, under the worst timing: 64 connections that let go of their last byte together.

use serde_json::{Value, json};

use crate::world::race::all_at_once;
use crate::world::{Database, World, on_both};

const ROUNDS: usize = 200;
const AT_ONCE: usize = 64;

on_both!(a_nonce_is_used_once, a_temp_token_is_exchanged_once);

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
    for _ in 0..ROUNDS {
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
    for _ in 0..ROUNDS {
        let token = world.temp_token(&keys, "student").await;
        let body = json!({"client_id": keys.client_id, "client_secret": keys.client_secret, "temp_token": token});
        let answers = all_at_once(&world.api("/v1/token"), &body, AT_ONCE).await;
        let pair = the_one(answers, &["temp_token_used"]);
        let pair = (
            pair["credentials_id"].as_str().unwrap().to_owned(),
            pair["access_token"].as_str().unwrap().to_owned(),
        );
        let (status, accounts) = world.post("/v1/accounts/get", &keys.data(&pair)).await;
        assert_eq!(status, 200, "the winner's token still reads: {accounts}");
        assert_eq!(accounts.as_array().unwrap().len(), 1);
    }
}
