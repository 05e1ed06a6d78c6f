//! A secret is rotated under load, through two server processes on one database, without one failed call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::{RwLock, Semaphore};

use crate::world::{Database, World, post};

const CALLS_PER_SECOND: u64 = 200;
const IN_HAND: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_rotate_without_a_failed_call() {
    let world = World::own(Database::Postgres).await;
    let second = world.another_server().await;
    let keys = world.tenant().await;
    let pair = world.pair(&keys, "student").await;
    // What is told is what happens to readers of data that are there; the first reads would wait for the bank.
    let first = keys.data(&pair).to_string();
    world.post_when_ready("/v1/accounts/get", first).await;
    let urls = [
        world.api("/v1/accounts/get"),
        format!("{}/v1/accounts/get", second.url),
    ];
    let secret = Arc::new(RwLock::new(keys.client_secret.clone()));
    let (stop, calls) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );

    // A call every 5 ms, whether or not the ones before it have been answered; but never more in hand than two servers answer
    // at once: what becomes of those that a busy machine cannot answer is told elsewhere.
    let load = {
        let (secret, stop, calls, urls, keys, pair) = (
            secret.clone(),
            stop.clone(),
            calls.clone(),
            urls.clone(),
            keys.clone(),
            pair.clone(),
        );
        tokio::spawn(async move {
            let client = reqwest::Client::new();
            let mut ticks = tokio::time::interval(Duration::from_millis(1000 / CALLS_PER_SECOND));
            let mut running = Vec::new();
            let places = Arc::new(Semaphore::new(IN_HAND));
            while !stop.load(Ordering::Relaxed) {
                ticks.tick().await;
                let place = places.clone().acquire_owned().await.unwrap();
                let mut body = keys.data(&pair);
                body["client_secret"] = json!(*secret.read().await);
                let n = calls.fetch_add(1, Ordering::Relaxed);
                let request = client
                    .post(&urls[usize::try_from(n % 2).unwrap()])
                    .json(&body);
                running.push(tokio::spawn(async move {
                    let _place = place;
                    let answer = request.send().await.unwrap();
                    (answer.status().as_u16(), answer.text().await.unwrap())
                }));
            }
            let mut failed = Vec::new();
            for call in running {
                let (status, text) = call.await.unwrap();
                if status != 200 {
                    failed.push((status, text));
                }
            }
            failed
        })
    };

    let loaded = Instant::now();
    let wait_for = async |wanted: u64| {
        while calls.load(Ordering::Relaxed) < wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    wait_for(CALLS_PER_SECOND).await;
    let rotated = world
        .operator(&["tenant", "rotate-secret", &keys.client_id])
        .await;
    // The old secret goes on for a while, as in an app that is being deployed; then the new one is used.
    wait_for(2 * CALLS_PER_SECOND).await;
    let new_secret = rotated["client_secret"].as_str().unwrap().to_owned();
    secret.write().await.clone_from(&new_secret);
    wait_for(3 * CALLS_PER_SECOND).await;
    stop.store(true, Ordering::Relaxed);
    let took = loaded.elapsed();
    println!("{} calls in {took:.1?}", calls.load(Ordering::Relaxed));
    let failed = load.await.unwrap();
    assert!(
        failed.is_empty(),
        "{} of {} calls failed: {:?}",
        failed.len(),
        calls.load(Ordering::Relaxed),
        failed.first()
    );

    // "Stop now" is felt by both within a second.
    world
        .operator(&["tenant", "revoke-secret", &keys.client_id])
        .await;
    let begin = Instant::now();
    let mut old = keys.data(&pair);
    for candidate in [keys.client_secret.clone(), new_secret] {
        old["client_secret"] = json!(candidate);
        for url in &urls {
            while post(url, &old).await.0 != 401 {
                assert!(
                    begin.elapsed() < Duration::from_secs(1),
                    "a stopped secret still works at {url}"
                );
            }
        }
    }
}
