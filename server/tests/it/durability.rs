//! What was acknowledged is there after the process was killed in the middle of writing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Mutex;

use crate::world::sql::Sql;
use crate::world::{Database, Keys, SKILL, World, on_both};

/// Number of times the server is killed; `TESSERA_TEST_KILLS=200` makes a long run of it.
const KILLS: usize = 10;
const WRITERS: usize = 8;
const ACKNOWLEDGED_BEFORE_KILL: usize = 40;

on_both!(no_acknowledged_write_is_lost);

/// Opens sessions one after another until the server is gone; keeps those that were acknowledged.
pub async fn write(url: String, keys: Keys, acknowledged: Arc<Mutex<Vec<String>>>) {
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
    let kills = std::env::var("TESSERA_TEST_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let mut slowest = Duration::ZERO;
    for _ in 0..kills {
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
        let killed = Instant::now();
        world.kill_and_restart().await;
        slowest = slowest.max(killed.elapsed());
        whole(&world).await;
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
    println!("{kills} kills, ready again after at most {slowest:?}");
}

/// Asserts that the SQLite database is intact and has no dangling foreign keys. PostgreSQL checks itself.
async fn whole(world: &World) {
    let sql = world.sql().await;
    if matches!(sql, Sql::Sqlite(_)) {
        assert_eq!(sql.texts("PRAGMA integrity_check").await, ["ok"]);
        let dangling = "SELECT \"table\" FROM pragma_foreign_key_check";
        assert_eq!(sql.texts(dangling).await, Vec::<String>::new());
    }
}

/// Number of answers that are traced; `TESSERA_TEST_TRACED=1000` makes a long run of it.
const TRACED: usize = 100;

/// The calls that wait for the disk.
const SYNCS: [&str; 2] = ["fdatasync(", "fsync("];

/// Between two answers to one client there is a write of the log and, after it, a sync of it: no answer leaves before
/// what it says is on the disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_leaves_after_the_sync_of_what_it_says() {
    let count = std::env::var("TESSERA_TEST_TRACED").map_or(TRACED, |text| text.parse().unwrap());
    let mut world = World::own(Database::Sqlite).await;
    let keys = world.tenant().await;
    let trace = world
        .restart_traced("pwrite64,fdatasync,fsync,write,writev,sendto")
        .await;
    let body =
        json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": SKILL});
    for _ in 0..count {
        let (status, answer) = world.post("/v1/sessions", &body).await;
        assert_eq!(status, 200, "{answer}");
    }
    world.kill_and_restart().await;
    let text = std::fs::read_to_string(&trace).unwrap();
    assert_eq!(unsynced(&text, count), Ok(0));
    // Without its syncs the same trace is found wanting: the check can fail.
    let without: Vec<_> = text.lines().filter(|line| !line.contains("sync")).collect();
    assert_eq!(unsynced(&without.join("\n"), count), Ok(count));
}

/// Counts, among the last `count` answers of a trace (`strace -f -y`), those that left without a write and a sync of
/// the log since the answer before. Fails with a description if the trace holds fewer answers.
fn unsynced(trace: &str, count: usize) -> Result<usize, String> {
    let (mut written, mut synced) = (false, false);
    // Per thread: whether it is in a sync of the log that has not come back.
    let mut syncing = std::collections::HashSet::new();
    let mut answers = Vec::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else {
            continue;
        };
        let call = call.trim_start();
        let log = call.contains("tessera.db-wal");
        if call.starts_with("pwrite64(") && log {
            (written, synced) = (true, false);
        } else if SYNCS.iter().any(|sync| call.starts_with(sync)) && log {
            if call.contains("<unfinished") {
                syncing.insert(thread.to_owned());
            } else {
                synced |= written;
            }
        } else if call.starts_with("<... f")
            && call.contains("sync resumed")
            && syncing.remove(thread)
        {
            synced |= written;
        } else if call.contains("HTTP/1.1 200") {
            answers.push(synced);
            (written, synced) = (false, false);
        }
    }
    let from = answers
        .len()
        .checked_sub(count)
        .ok_or_else(|| format!("only {} answers were traced", answers.len()))?;
    Ok(answers[from..].iter().filter(|synced| !**synced).count())
}
