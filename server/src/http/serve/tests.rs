//! Over real sockets: slow heads, full houses, and stopping.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::routing::get;
use base64::Engine as _;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;
use crate::config::Config;
use crate::storage::testing::sqlite;
use crate::testing::World;

struct Server {
    address: SocketAddr,
    state: AppState,
    world: World,
    stop: CancellationToken,
    done: JoinHandle<()>,
    /// Told when a slow request was begun, and waited for by it.
    begun: Arc<Notify>,
    go_on: Arc<Notify>,
    _folder: TempDir,
}

async fn serve(change: impl FnOnce(&mut Config)) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    change(&mut config);
    let world = World::with(sqlite(&folder).await, config).await;
    let state = world.state.clone();
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (begun, go_on) = (begun.clone(), go_on.clone());
        get(async move || {
            begun.notify_one();
            go_on.notified().await;
            "slow but whole"
        })
    };
    let router = crate::router::router(&state).route("/slow", slow);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let done = tokio::spawn({
        let (state, stop) = (state.clone(), stop.clone());
        async move {
            let closed = CancellationToken::new();
            let log = state.request_log.run(
                &state.db,
                &state.heartbeats,
                Duration::from_millis(1),
                closed.clone(),
            );
            let serving = async {
                run(state.clone(), listener, router, stop).await;
                closed.cancel();
            };
            tokio::join!(serving, log);
        }
    });
    Server {
        address,
        state,
        world,
        stop,
        done,
        begun,
        go_on,
        _folder: folder,
    }
}

async fn send(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// Everything until the server closes.
async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await;
    read.expect("the server closes").ok();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_head_and_an_idle_connection_are_closed() {
    let server = serve(|config| config.http.header_timeout_seconds = 1).await;
    let half = send(server.address, "GET /livez HTTP/1.1\r\nHost: x\r\n").await;
    let silent = send(server.address, "").await;
    let idle = send(server.address, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let (half, silent, idle) = tokio::join!(rest(half), rest(silent), rest(idle));
    assert!(
        !half.contains("200 OK") && silent.is_empty(),
        "{half} {silent}"
    );
    assert!(idle.contains("200 OK"), "{idle}");
    server.stop.cancel();
    server.done.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_are_bounded() {
    let server = serve(|_| {}).await;
    let many = "X-A: b\r\n".repeat(150);
    let long = format!("X-A: {}\r\n", "b".repeat(40_000));
    let endless = format!("X-A: {}\r\n", "b".repeat(400_000));
    for (headers, ours) in [(many, true), (long, true), (endless, false)] {
        let stream = send(
            server.address,
            &format!("GET /livez HTTP/1.1\r\nHost: x\r\n{headers}\r\n"),
        )
        .await;
        let answer = rest(stream).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        assert_eq!(answer.contains("headers_too_large"), ours, "{answer}");
    }
    server.stop.cancel();
    server.done.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_place_serves_one_connection_at_a_time() {
    let server = serve(|config| config.http.max_connections = 1).await;
    let first = send(
        server.address,
        "GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    .await;
    server.begun.notified().await;
    let second = send(
        server.address,
        "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    .await;
    server.go_on.notify_one();
    let (first, second) = tokio::join!(rest(first), rest(second));
    assert!(first.contains("slow but whole") && second.contains("200 OK"));
    server.stop.cancel();
    server.done.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_finishes_what_was_begun_and_writes_the_log() {
    let server = serve(|_| {}).await;
    // A stranger's call leaves no row; a tenant's does.
    let ask = "GET /v1/catalog/skills HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    let keys = base64::engine::general_purpose::STANDARD.encode(format!(
        "{}:{}",
        server.world.client.tenant(),
        server.world.client.secret
    ));
    for line in [String::new(), format!("Authorization: Basic {keys}\r\n")] {
        let call = send(server.address, &format!("{ask}{line}\r\n")).await;
        assert!(rest(call).await.contains("200 OK"));
    }
    let slow = send(server.address, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    server.begun.notified().await;
    server.stop.cancel();
    // The door is closed once the listener is gone; the request in flight is still being served.
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(server.state.stopping.load(Ordering::Relaxed) && !server.done.is_finished());
    server.go_on.notify_one();
    assert!(rest(slow).await.contains("slow but whole"));
    server.done.await.unwrap();
    let mut tx = server.state.db.read().await.unwrap();
    let rows: i64 = crate::storage::run!(tx, |conn| sqlx::query_scalar(
        "SELECT COUNT(*) FROM requests"
    )
    .fetch_one(conn)
    .await)
    .unwrap();
    assert_eq!(rows, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_is_not_held_up_by_those_who_never_end() {
    let server = serve(|config| config.http.shutdown_seconds = 1).await;
    let stuck = send(server.address, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let half = send(server.address, "GET /livez HTTP/1.1\r\n").await;
    server.begun.notified().await;
    server.stop.cancel();
    tokio::time::timeout(Duration::from_secs(10), server.done)
        .await
        .expect("it stops")
        .unwrap();
    drop((stuck, half));
}
