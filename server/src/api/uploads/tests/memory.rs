//! How much memory a server needs for files: as much for forty of them as for eight. The server is a process of its
//! own, this very binary started again, so that nobody else's memory is counted.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};

use super::*;
use crate::services::uploads::testing::CARD;
use crate::storage::testing::{TempFolder, postgres, sqlite};

const FILES: usize = 40;
const TOGETHER: usize = 8;
const MOST_GROWTH: u64 = 64 * 1024;
/// Which database the server of its own stands on; also says that it was started by a test.
const DATABASE: &str = "TESSERA_TEST_UPLOADS_DATABASE";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the tests below, as a process of its own"]
async fn a_server_of_its_own() {
    let Ok(database) = std::env::var(DATABASE) else {
        return;
    };
    let folder = TempFolder::new();
    let db = match database.as_str() {
        "sqlite" => sqlite(&folder).await,
        _ => postgres().await,
    };
    let door = Door::new(db.clone()).await;
    let says = json!({ "address": door.address, "client_id": door.desk.world.tenant, "client_app_key": door.desk.world.client_app_key });
    println!("\n{says}");
    let until_the_test_is_over = || std::io::stdin().read_to_end(&mut Vec::new());
    tokio::task::spawn_blocking(until_the_test_is_over)
        .await
        .unwrap()
        .unwrap();
    door.close().await;
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_do_not_stay_in_memory_on_sqlite() {
    forty_files("sqlite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_do_not_stay_in_memory_on_postgres() {
    forty_files("postgres").await;
}

/// The server and what it said of itself; it ends when its standard input does.
struct Server {
    child: Child,
    _words: BufReader<ChildStdout>,
    _until: ChildStdin,
    said: Value,
}

impl Server {
    fn start(database: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "api::uploads::tests::memory::a_server_of_its_own",
            ])
            .args(["--ignored", "--nocapture"])
            .env(DATABASE, database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut words = BufReader::new(child.stdout.take().unwrap());
        let said = words
            .by_ref()
            .lines()
            .find_map(|line| serde_json::from_str(&line.unwrap()).ok());
        Self {
            _until: child.stdin.take().unwrap(),
            _words: words,
            child,
            said: said.expect("the server ended before it said where it is"),
        }
    }

    /// Resident memory in KiB.
    fn resident(&self) -> u64 {
        resident(self.child.id())
    }

    fn text(&self, name: &str) -> &str {
        self.said[name].as_str().unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("http://{}{path}", self.text("address"));
        let answer = reqwest::Client::new()
            .post(url)
            .json(body)
            .send()
            .await
            .unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// A step that takes files: its id and nonce.
    async fn step(&self) -> (String, String) {
        let client = self.text("client_id");
        let open = json!({ "client_id": client, "client_app_key": self.text("client_app_key"), "skill": CARD });
        let opened = self.post("/v1/sessions", &open).await;
        let nonce = opened["nonce"].as_str().unwrap().to_owned();
        let submit = json!({ "client_id": client, "nonce": nonce, "skill": CARD, "step": "personal", "data": {} });
        let path = format!(
            "/v1/sessions/{}/steps",
            opened["session_id"].as_str().unwrap()
        );
        let taken = self.post(&path, &submit).await;
        (taken["step_id"].as_str().unwrap().to_owned(), nonce)
    }

    /// Sends a file of ten mebibytes, different for each number.
    async fn send(&self, step: &(String, String), number: u64, rest: &[u8]) {
        let form = Form::new()
            .field("client_id", self.text("client_id"))
            .field("nonce", &step.1)
            .field("kind", "id_front");
        let (start, end) = (form.file(&png(64, number)).0, Form::new().end());
        let start = &start[..start.len() - 2];
        let length = start.len() + rest.len() + 2 + end.len();
        let head = format!(
            "POST /v1/steps/{}/upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{}\r\n",
            step.0,
            multipart()
        );
        let mut stream = TcpStream::connect(self.text("address")).await.unwrap();
        for bytes in [head.as_bytes(), start, rest, b"\r\n", &end] {
            // A refusal says more than the reset that may follow it.
            if stream.write_all(bytes).await.is_err() {
                break;
            }
        }
        let kept = answer(stream).await;
        assert_eq!(
            (kept.status, &kept.body["size"]),
            (200, &json!(10 * MIB)),
            "{}",
            kept.body
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

async fn forty_files(database: &str) {
    let server = Server::start(database);
    let mut steps = Vec::new();
    for _ in 0..FILES / 5 {
        steps.push(server.step().await);
    }
    let before = server.resident();
    assert!(before > 0, "the server's memory can be read");
    let (most, over) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let watch = {
        let (most, over, process) = (most.clone(), over.clone(), server.child.id());
        tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                most.fetch_max(resident(process), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    };
    let rest = png(10 * MIB - 64, 1);
    let begun = std::time::Instant::now();
    let (server, steps, rest) = (&server, &steps, &rest);
    stream::iter(0..FILES)
        .map(|number| async move {
            server
                .send(&steps[number % steps.len()], number as u64, rest)
                .await;
        })
        .buffer_unordered(TOGETHER)
        .collect::<Vec<()>>()
        .await;
    let took = begun.elapsed();
    over.store(true, Ordering::Relaxed);
    watch.await.unwrap();
    let most = most.load(Ordering::Relaxed);
    let growth = most.saturating_sub(before);
    println!(
        "{database}: {FILES} files of 10 MiB, {TOGETHER} at a time, in {:.1} s: resident {} MiB before, {} MiB at most, growth {} MiB",
        took.as_secs_f64(),
        before / 1024,
        most / 1024,
        growth / 1024
    );
    assert!(growth < MOST_GROWTH, "resident memory grew by {growth} KiB");
}
