//! Memory that a hostile network may make the server hold: 4,000 connections, each of which sends a part of something or
//! reads nothing of what it asked for.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use crate::world::hostile::{
    self, HALF_A_HEAD, address, ask, half_a_body, holding, many_answers, resident, rest, socket,
};
use crate::world::{Database, Keys, SKILL, World, client};

const CONNECTIONS: u32 = 4000;
/// The most that the server may have at any time (promise 14), in bytes.
const MOST: u64 = 256 << 20;
/// How far above its memory before the attack it may stay, in bytes.
const LEFT_OVER: u64 = 48 << 20;
const LIVE: &str = "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const UPLOAD: &str = "/v1/steps/018f3c1e-8a44-7d2b-9d59-2b7a3f1c0a11/upload";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_thousand_unfinished_requests_do_not_fill_the_memory() {
    let upload = half_a_body(UPLOAD, "multipart/form-data; boundary=x", 200_000);
    attack(&[
        half_a_body("/v1/sessions", JSON, 200_000),
        half_a_body("/v1/token", JSON, 200_000),
        half_a_body("/signin", FORM, 60_000),
        upload,
        HALF_A_HEAD.to_vec(),
    ])
    .await;
}

/// Much of what a request costs is there before its body is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_thousand_bodies_that_hardly_begin_do_not_fill_the_memory() {
    attack(&[
        half_a_body("/v1/sessions", JSON, 0),
        half_a_body("/v1/token", JSON, 1),
        half_a_body("/v1/accounts/get", JSON, 4_000),
        half_a_body("/signin", FORM, 1),
        half_a_body("/v1/events", JSON, 1),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_thousand_long_heads_do_not_fill_the_memory() {
    let head = |bytes: usize| {
        let lines = (0..bytes / 1000).map(|n| format!("X-{n:03}: {}\r\n", "x".repeat(991)));
        format!(
            "GET /livez HTTP/1.1\r\nHost: x\r\n{}",
            lines.collect::<String>()
        )
        .into_bytes()
    };
    let body = String::from_utf8(half_a_body("/v1/token", JSON, 0)).unwrap();
    let long = format!("X-Long: {}\r\n\r\n", "x".repeat(12_000));
    let body = body.replacen("\r\n\r\n", &format!("\r\n{long}"), 1);
    attack(&[head(60_000), head(15_000), head(60_000), body.into_bytes()]).await;
}

/// A form is read field by field: what has come of it is held, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_thousand_unfinished_forms_do_not_fill_the_memory() {
    let field = b"--x\r\nContent-Disposition: form-data; name=\"client_id\"\r\n\r\n";
    let head = half_a_body(UPLOAD, "multipart/form-data; boundary=x", 0);
    let head = String::from_utf8(head)
        .unwrap()
        .replace("Content-Length: 100\r\n", "Content-Length: 100000\r\n");
    let form = [head.as_bytes(), field, &vec![b'x'; 60_000]].concat();
    attack(&[form]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_thousand_unread_answers_do_not_fill_the_memory() {
    attack(&[
        many_answers("/v1/openapi.json", 16),
        packed("/v1/openapi.json", "br", 40),
        packed("/v1/openapi.json", "gzip", 40),
        packed("/docs", "br", 4),
        many_answers("/docs/api", 4),
        many_answers("/pkg/large.wasm", 4),
        many_answers("/large.png", 4),
        many_answers("/", 40),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_thousand_readers_of_files_do_not_fill_the_memory() {
    attack(&[many_answers("/pkg/large.wasm", 4)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_of_strangers_share_what_there_is_and_leave_room_for_one() {
    let world = World::with(
        Database::Sqlite,
        &[("TESSERA_HTTP__UNPROVED_BODIES_MIB", "4")],
    )
    .await;
    let server = socket(&world.server.url);
    let keys = world.tenant().await;
    let mut answers: FuturesUnordered<_> = (0..60)
        .map(|n| async move {
            let (path, media, sent) = match n % 4 {
                0 => ("/signin", FORM, 60_000),
                _ => ("/v1/sessions", JSON, 200_000),
            };
            let half = half_a_body(path, media, sent);
            let mut stream = holding(server, address(n), &half).await;
            rest(&mut stream, Duration::from_mins(1)).await.0
        })
        .collect();
    // Sixteen of the larger ones fill the room: for each that comes the oldest is sent away. When 33 were, at most twelve
    // are still to come, too few to send away everybody who was there before the next one.
    for told in 0..33 {
        let answer = answers.next().await;
        let answer = answer.unwrap_or_else(|| panic!("{told} of 60 were told, then nobody"));
        assert_full(&answer);
    }
    // The largest body that is documented, from somebody who holds nothing yet.
    let open =
        json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": SKILL})
            .to_string();
    let body = format!("{open}{}", " ".repeat(256 * 1024 - open.len()));
    for _ in 0..5 {
        let answer = client()
            .post(world.api("/v1/sessions"))
            .header("content-type", JSON)
            .body(body.clone());
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    }
}

fn assert_full(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    // A page asks for a little more time than the API.
    let head = answer.to_lowercase();
    let told = ["retry-after: 1\r", "retry-after: 5\r"];
    assert!(told.iter().any(|told| head.contains(told)), "{answer}");
}

/// Requests for an answer in such a coding.
fn packed(path: &str, coding: &str, times: usize) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {coding}\r\n\r\n")
        .repeat(times)
        .into_bytes()
}

/// Opens connections that send these in turn, and looks at the memory while they are held and when they are gone. The server
/// serves meanwhile.
async fn attack(kinds: &[Vec<u8>]) {
    // One crowd at a time: two of them on two cores measure each other.
    static CROWD: Mutex<()> = Mutex::const_new(());
    let _alone = CROWD.lock().await;
    let site = Site::new();
    let folder = site.0.display().to_string();
    let world = World::with(Database::Sqlite, &[("TESSERA_HTTP__SITE_DIR", &folder)]).await;
    let (server, pid) = (socket(&world.server.url), world.server.process());
    let keys = world.tenant().await;
    open_session(&world, &keys).await;
    let before = resident(pid);
    let held = crowd(server, kinds).await;
    let mut most = resident(pid);
    for _ in 0..10 {
        open_session(&world, &keys).await;
        let answer = ask(server, Ipv4Addr::LOCALHOST, LIVE).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        most = most.max(resident(pid));
    }
    drop(held);
    let back = async {
        loop {
            let now = resident(pid);
            if now < before + LEFT_OVER {
                return now;
            }
            open_session(&world, &keys).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let after = tokio::time::timeout(Duration::from_secs(30), back).await;
    println!(
        "{} MiB before, {} at most, {:?} after",
        before >> 20,
        most >> 20,
        after.as_ref().map(|it| it >> 20)
    );
    assert!(most < MOST, "{} MiB at most", most >> 20);
    assert!(after.is_ok(), "still {} MiB", resident(pid) >> 20);
}

/// Opens a session as an app does: told to come back later, it comes back when it was told to, for a minute.
async fn open_session(world: &World, keys: &Keys) {
    let body =
        json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": SKILL});
    let begun = Instant::now();
    loop {
        let call = client().post(world.api("/v1/sessions")).json(&body);
        let answer = call.send().await.unwrap();
        if answer.status() == 200 {
            return;
        }
        assert_eq!(answer.status(), 503);
        let wait = answer.headers()["retry-after"].to_str().unwrap();
        let wait = Duration::from_secs(wait.parse().unwrap());
        assert!(begun.elapsed() < Duration::from_mins(1), "nobody is served");
        tokio::time::sleep(wait).await;
    }
}

/// Opens the connections, sixty an address.
async fn crowd(server: std::net::SocketAddr, kinds: &[Vec<u8>]) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for (n, text) in (0..CONNECTIONS).zip(kinds.iter().cycle()) {
        let stream = hostile::connect(server, address(n / 60)).await.unwrap();
        // As much as is taken without waiting; the rest when everybody is there.
        let sent = stream.try_write(text).unwrap_or(0);
        held.push((stream, text.get(sent..).unwrap_or_default()));
    }
    for (stream, rest) in &mut held {
        while !rest.is_empty() {
            let wait = tokio::time::timeout(Duration::from_millis(20), stream.writable()).await;
            match wait.is_ok().then(|| stream.try_write(rest)) {
                Some(Ok(sent)) => *rest = rest.get(sent..).unwrap_or_default(),
                _ => break,
            }
        }
    }
    held.into_iter().map(|(stream, _)| stream).collect()
}

/// A folder of built files, two of them large.
struct Site(PathBuf);

impl Site {
    fn new() -> Self {
        let name = format!("tessera_site_{:016x}", rand::random::<u64>());
        let site = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(site.0.join("pkg")).unwrap();
        for name in ["pkg/large.wasm", "large.png"] {
            std::fs::write(site.0.join(name), vec![b'x'; 2 << 20]).unwrap();
        }
        site
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}
