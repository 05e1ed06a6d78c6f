//! The server is told to stop and started again, over and over, under load: nothing that was taken on fails, and nothing
//! that was acknowledged is lost.

use std::io::Write as _;
use std::sync::Arc;

use serde_json::json;
use tokio::sync::Mutex;

use crate::world::{Database, Keys, SKILL, World, client, on_both};

on_both!(restarts_under_load_lose_nothing);

/// Number of restarts; `TESSERA_TEST_RESTARTS=100` makes a long run of it.
const RESTARTS: usize = 5;
const WRITERS: usize = 6;

/// Opens sessions as a client behind a load balancer does: each on a connection of its own, as long as the server says that
/// it is ready. Whatever was sent must be answered.
async fn write(url: String, keys: Keys, acknowledged: Arc<Mutex<Vec<String>>>) {
    let body =
        json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": SKILL});
    loop {
        // A closed door is no call in flight: nothing was sent.
        match client().get(format!("{url}/readyz")).send().await {
            Ok(answer) if answer.status() == 200 => {}
            Ok(answer) => {
                assert_eq!(answer.status(), 503);
                return;
            }
            Err(error) if error.is_connect() => return,
            Err(error) => panic!("a call in flight failed: {error:?}"),
        }
        let call = client().post(format!("{url}/v1/sessions")).json(&body);
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => return,
            Err(error) => panic!("a call in flight failed: {error:?}"),
        };
        assert_eq!(answer.status(), 200);
        let answer: serde_json::Value = answer.json().await.unwrap();
        let session = answer["session_id"].as_str().unwrap().to_owned();
        acknowledged.lock().await.push(session);
    }
}

async fn restarts_under_load_lose_nothing(database: Database) {
    let restarts =
        std::env::var("TESSERA_TEST_RESTARTS").map_or(RESTARTS, |text| text.parse().unwrap());
    let mut world = World::with(
        database,
        &[
            ("TESSERA_HTTP__DRAIN_SECONDS", "1"),
            ("TESSERA_HTTP__SHUTDOWN_SECONDS", "2"),
        ],
    )
    .await;
    let keys = world.tenant().await;
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..restarts {
        let before = acknowledged.lock().await.len();
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                let url = world.server.url.clone();
                tokio::spawn(write(url, keys.clone(), acknowledged.clone()))
            })
            .collect();
        while acknowledged.lock().await.len() < before + 30 {
            tokio::task::yield_now().await;
        }
        // Somebody who never finishes the head of a request keeps nobody from stopping.
        let address = world.server.url.trim_start_matches("http://").to_owned();
        let mut slow = std::net::TcpStream::connect(address).unwrap();
        slow.write_all(b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\n")
            .unwrap();
        world.stop().await;
        for writer in writers {
            writer.await.unwrap();
        }
        drop(slow);
        world.serve().await;
    }
    let proof = json!({"client_id": keys.client_id, "client_secret": keys.client_secret});
    for session in acknowledged.lock().await.iter() {
        let (status, answer) = world
            .post(&format!("/v1/sessions/{session}/get"), &proof)
            .await;
        assert_eq!(status, 200, "{session} was acknowledged: {answer}");
    }
    println!(
        "{restarts} restarts, {} calls, none lost",
        acknowledged.lock().await.len()
    );
}
