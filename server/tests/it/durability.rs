//! What was acknowledged is there after the process was killed in the middle of writing.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Mutex;

use crate::world::{Database, Keys, SKILL, World, on_both};

const KILLS: usize = 5;
const WRITERS: usize = 8;
const ACKNOWLEDGED_BEFORE_KILL: usize = 40;

on_both!(no_acknowledged_write_is_lost);

/// Opens sessions one after another until the server is gone; keeps those that were acknowledged.
async fn write(url: String, keys: Keys, acknowledged: Arc<Mutex<Vec<String>>>) {
    let client = reqwest::Client::new();
    let body =
        json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": SKILL});
    loop {
        let Ok(answer) = client
            .post(format!("{url}/v1/sessions"))
            .json(&body)
            .send()
            .await
        else {
            return;
        };
        let Ok(answer) = answer.json::<serde_json::Value>().await else {
            return;
        };
        if let Some(session) = answer["session_id"].as_str() {
            acknowledged.lock().await.push(session.to_owned());
        }
    }
}

async fn no_acknowledged_write_is_lost(database: Database) {
    let mut world = World::own(database).await;
    let keys = world.tenant().await;
    for _ in 0..KILLS {
        let acknowledged = Arc::new(Mutex::new(Vec::new()));
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                tokio::spawn(write(
                    world.server.url.clone(),
                    keys.clone(),
                    acknowledged.clone(),
                ))
            })
            .collect();
        while acknowledged.lock().await.len() < ACKNOWLEDGED_BEFORE_KILL {
            tokio::task::yield_now().await;
        }
        world.kill_and_restart().await;
        for writer in writers {
            writer.await.unwrap();
        }
        for session in acknowledged.lock().await.iter() {
            let proof = json!({"client_id": keys.client_id, "client_secret": keys.client_secret});
            let (status, answer) = world
                .post(&format!("/v1/sessions/{session}/get"), &proof)
                .await;
            assert_eq!(
                (status, &answer["status"]),
                (200, &json!("SESSION_CREATED")),
                "{session} was acknowledged: {answer}"
            );
        }
    }
}
