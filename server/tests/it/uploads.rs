//! Files through a real server: power cuts in the middle of one, and how much memory forty of them need.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::{Database, Keys, Server, World, on_both};

const CARD: &str = "xyz_card_sbx_#1.0";
const BOUNDARY: &str = "form-boundary";
const MIB: usize = 1024 * 1024;

on_both!(
    a_power_cut_leaves_half_a_file_to_nobody,
    files_do_not_stay_in_memory
);

/// A step that was accepted: its id, the nonce of its files, and the answer.
struct Step {
    id: String,
    nonce: String,
    answer: Value,
}

async fn submit(world: &World, keys: &Keys, session: &str, nonce: &str, step: &str) -> Step {
    let data = match step {
        "card_form" => json!({"limit": "5000", "currency": "RON"}),
        _ => {
            json!({"first_name": "Ana", "last_name": "Example", "date_of_birth": "1990-05-17", "accept": true})
        }
    };
    let body = json!({"client_id": keys.client_id, "nonce": nonce, "skill": CARD, "step": step, "data": data});
    let (status, answer) = world
        .post(&format!("/v1/sessions/{session}/steps"), &body)
        .await;
    assert_eq!(status, 200, "{answer}");
    Step {
        id: answer["step_id"].as_str().unwrap().to_owned(),
        nonce: nonce.to_owned(),
        answer,
    }
}

/// A session whose first step was accepted.
async fn begun(world: &World, keys: &Keys) -> (String, Step) {
    let open =
        json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": CARD});
    let (status, opened) = world.post("/v1/sessions", &open).await;
    assert_eq!(status, 200, "{opened}");
    let session = opened["session_id"].as_str().unwrap().to_owned();
    let step = submit(
        world,
        keys,
        &session,
        opened["nonce"].as_str().unwrap(),
        "card_form",
    )
    .await;
    (session, step)
}

/// Everything of a form that comes before its file.
fn before_the_file(keys: &Keys, step: &Step, kind: &str) -> String {
    let field = |name: &str, value: &str| {
        format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        )
    };
    let file = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n"
    );
    field("client_id", &keys.client_id)
        + &field("nonce", &step.nonce)
        + &field("kind", kind)
        + &file
}

/// Connects and sends all but the file.
async fn connect(server: &Server, keys: &Keys, step: &Step, kind: &str, bytes: usize) -> TcpStream {
    let (before, after) = (before_the_file(keys, step, kind), after_the_file());
    let host = server.url.strip_prefix("http://").unwrap();
    let head = format!(
        "POST /v1/steps/{}/upload HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n{before}",
        step.id,
        before.len() + bytes + after.len()
    );
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

fn after_the_file() -> String {
    format!("\r\n--{BOUNDARY}--\r\n")
}

async fn send(
    server: &Server,
    keys: &Keys,
    step: &Step,
    kind: &str,
    file: &[&[u8]],
) -> (u16, Value) {
    let bytes = file.iter().map(|part| part.len()).sum();
    let mut stream = connect(server, keys, step, kind, bytes).await;
    for part in file {
        // A refusal says more than the reset that may follow it.
        if stream.write_all(part).await.is_err() {
            break;
        }
    }
    stream.write_all(after_the_file().as_bytes()).await.ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    let text = String::from_utf8(answer).unwrap();
    let status = text
        .split(' ')
        .nth(1)
        .unwrap_or_else(|| panic!("no answer: {text:?}"));
    let body = text.split_once("\r\n\r\n").unwrap().1;
    (status.parse().unwrap(), serde_json::from_str(body).unwrap())
}

/// A file of so many bytes, different for each number.
fn pdf(bytes: usize, number: usize) -> Vec<u8> {
    let mut file = format!("%PDF-1.7 number {number} ").into_bytes();
    file.resize(bytes, b'.');
    file
}

async fn a_power_cut_leaves_half_a_file_to_nobody(database: Database) {
    let mut world = World::own(database).await;
    let keys = world.tenant_with(&[CARD]).await;
    let (session, step) = begun(&world, &keys).await;
    let file = pdf(4 * MIB, 1);
    // As many half files as the step takes whole ones.
    for _ in 0..5 {
        let mut stream = connect(&world.server, &keys, &step, "payslip", file.len()).await;
        stream.write_all(&file[..3 * MIB]).await.unwrap();
        world.kill_and_restart().await;
    }
    let next = step.answer["nonce"].as_str().unwrap();
    let body = json!({"client_id": keys.client_id, "nonce": next, "skill": CARD, "step": "kyc",
        "data": {"first_name": "Ana", "last_name": "Example", "date_of_birth": "1990-05-17", "accept": true}});
    let (_, refused) = world
        .post(&format!("/v1/sessions/{session}/steps"), &body)
        .await;
    assert_eq!(refused["code"], "uploads_missing", "half a file is none");
    // The file goes to one process, the step to another.
    let other = world.another_server().await;
    for number in 0..5 {
        let (status, kept) = send(&other, &keys, &step, "payslip", &[&pdf(MIB, number)]).await;
        assert_eq!(status, 200, "{kept}");
    }
    let (status, answer) = world
        .post(&format!("/v1/sessions/{session}/steps"), &body)
        .await;
    assert_eq!(status, 200, "{answer}");
}

/// Resident memory of a process, in KiB.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

async fn files_do_not_stay_in_memory(database: Database) {
    const FILES: usize = 20;
    const TOGETHER: usize = 8;
    const MOST_GROWTH: u64 = 64 * 1024;
    let world = World::own(database).await;
    let keys = world.tenant_with(&[CARD]).await;
    let mut steps = Vec::new();
    for _ in 0..FILES / 5 {
        steps.push(begun(&world, &keys).await.1);
    }
    let process = world.server.process();
    let before = resident(process);
    assert!(before > 0, "the server's memory can be read");
    let (most, over) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let watch = {
        let (most, over) = (most.clone(), over.clone());
        tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                most.fetch_max(resident(process), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    };
    let rest = vec![b'.'; 10 * MIB - 64];
    let began = Instant::now();
    let (world, keys, steps, rest) = (&world, &keys, &steps, &rest);
    stream::iter(0..FILES)
        .map(|number| async move {
            let step = &steps[number % steps.len()];
            let (status, kept) = send(
                &world.server,
                keys,
                step,
                "payslip",
                &[&pdf(64, number), rest],
            )
            .await;
            assert_eq!((status, &kept["size"]), (200, &json!(10 * MIB)), "{kept}");
        })
        .buffer_unordered(TOGETHER)
        .collect::<Vec<()>>()
        .await;
    let seconds = began.elapsed().as_secs_f64();
    over.store(true, Ordering::Relaxed);
    watch.await.unwrap();
    let most = most.load(Ordering::Relaxed);
    let growth = most.saturating_sub(before);
    println!(
        "{database:?}: {FILES} files of 10 MiB, {TOGETHER} at a time, in {seconds:.1} s: resident {} MiB before, {} MiB at most, grown by {} MiB",
        before / 1024,
        most / 1024,
        growth / 1024
    );
    assert!(growth < MOST_GROWTH, "resident memory grew by {growth} KiB");
}
