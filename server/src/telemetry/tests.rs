//! Lines carry the ids of what they were written in, and spans reach a collector, or nobody.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tracing::field::Empty;

use super::*;

/// What the log wrote, kept by the test.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Panics as they happen: with a text, with a value that is unwrapped, with bytes that were indexed. The place is told.
#[test]
fn a_panic_tells_its_place_and_nothing_of_what_it_holds() {
    const CANARY: &str = "RO49AAAA1B31007593840000 of Canarina Quill, secret tsr_sbx_cs_x";
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone());
    let kept = tracing::subscriber::set_default(subscriber.finish());
    let here = std::thread::current().id();
    let before = std::panic::take_hook();
    // Tests that run beside this one tell their own panics.
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() == here {
            tell_panic(panic);
        } else {
            before(panic);
        }
    }));
    let failed: Result<Vec<u8>, String> = Err(CANARY.to_owned());
    let panics: [Box<dyn Fn() + std::panic::UnwindSafe>; 3] = [
        Box::new(|| panic!("{CANARY}")),
        Box::new(move || drop(failed.clone().unwrap())),
        Box::new(|| std::panic::panic_any(CANARY.to_owned())),
    ];
    let count = panics.len();
    for panic in panics {
        assert!(std::panic::catch_unwind(panic).is_err());
    }
    drop(kept);
    let said = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert_eq!(said.matches("telemetry/tests.rs:").count(), count, "{said}");
    for part in ["RO49", "Canarina", "tsr_sbx"] {
        assert!(!said.contains(part), "{said}");
    }
}

#[test]
fn no_value_begins_a_line_of_its_own() {
    let mut written = Vec::new();
    let forged =
        "WARN name=\"x\r\n2026-01-01T00:00:00Z ERROR forged\x1b[2K\u{85}\u{2028}\u{202e}y\0\"\n";
    let taken = OneLine(&mut written).write(forged.as_bytes()).unwrap();
    assert_eq!(taken, forged.len());
    let text = String::from_utf8(written).unwrap();
    let controls = text.chars().filter(|letter| letter.is_control());
    assert_eq!(controls.collect::<String>(), "\n", "{text}");
    assert!(text.ends_with('\n') && text.contains("\\r\\n2026"));
    assert!(!text.contains(['\u{2028}', '\u{202e}']));
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Returns what a piece of work writes, in a format and with a filter.
fn written(format: &str, filter: &str, work: impl FnOnce()) -> String {
    let lines = Lines::default();
    let log = Log {
        format: format.to_owned(),
        ..Log::default()
    };
    let writer = lines.clone();
    let subscriber = subscriber(&log, filter, None, move || OneLine(writer.clone()));
    tracing::subscriber::with_default(subscriber, work);
    lines.text()
}

/// Writes lines in and beside a request, and in a job.
fn work() {
    // As sqlx asks before a statement: an answer of no is of no account to what comes next.
    let _ = tracing::enabled!(target: "sqlx::query", Level::DEBUG);
    let request = tracing::error_span!(
        target: "request", "request",
        request_id = "r-1", tenant = Empty, session = Empty, http.route = "/v1/sessions",
    );
    request.in_scope(|| {
        tracing::warn!("first");
        request.record("tenant", "t-1");
        request.record("tenant", "t-2");
        tracing::debug_span!(target: "statement", "statement", db.query.summary = "a.b")
            .in_scope(|| tracing::warn!(tenant = "own", "second"));
    });
    let _ = tracing::enabled!(target: "sqlx::query", Level::DEBUG);
    tracing::error_span!(target: "job", "job", job = "j-1", kind = "send_mail", tenant = Empty)
        .in_scope(|| tracing::warn!("third"));
    tracing::warn!("beside");
}

#[test]
fn each_line_carries_the_ids_of_its_request_or_job() {
    for filter in ["info", "warn", "trace"] {
        let text = written("json", filter, work);
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let told = lines.iter().map(|line| {
            let value = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
            let names = ["message", "request_id", "tenant", "job", "kind"];
            names.map(value).join(" ")
        });
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                "first r-1 - - -",
                "second r-1 own - -",
                "third - - j-1 send_mail",
                "beside - - - -"
            ],
            "{filter}: {text}"
        );
        assert!(
            !text.contains("/v1/sessions") && !text.contains("a.b"),
            "{text}"
        );
    }
    let text = written("text", "info", work);
    let ends: Vec<_> = text
        .lines()
        .map(|line| line.split_once("WARN ").unwrap().1)
        .collect();
    assert_eq!(
        ends,
        [
            "first request_id=r-1",
            "second tenant=\"own\" request_id=r-1",
            "third job=j-1 kind=send_mail",
            "beside",
        ]
    );
}

/// A collector that keeps what it is sent, and its URL.
async fn collector() -> (Arc<Mutex<Vec<u8>>>, String) {
    let kept = Arc::<Mutex<Vec<u8>>>::default();
    let keep = {
        let kept = kept.clone();
        post(async move |body: Bytes| {
            kept.lock().unwrap().extend_from_slice(&body);
            Bytes::new()
        })
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/traces", keep);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (kept, url)
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_reach_the_collector_with_their_attributes() {
    let (kept, url) = collector().await;
    let export = Export::begin(&url).unwrap();
    let log = Log::default();
    let subscriber = subscriber(&log, "off", Some(&export), std::io::sink);
    tracing::subscriber::with_default(subscriber, || {
        work();
        // A line, and a span of a library, go to no collector.
        tracing::error_span!("of a library").in_scope(|| tracing::error!("a line"));
    });
    export.end().await;
    let sent = kept.lock().unwrap().clone();
    for text in [
        "tessera",
        "request_id",
        "r-1",
        "http.route",
        "/v1/sessions",
        "t-2",
        "db.query.summary",
        "a.b",
        "send_mail",
    ] {
        assert!(contains(&sent, text), "{text}");
    }
    assert!(!contains(&sent, "of a library"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_hangs_or_is_not_there_holds_nobody_up() {
    let hangs = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let urls = [&hangs, &gone].map(|it| format!("http://{}", it.local_addr().unwrap()));
    drop(gone);
    for url in urls {
        let export = Export::begin(&url).unwrap();
        let subscriber = subscriber(&Log::default(), "off", Some(&export), std::io::sink);
        // Many more than may wait.
        let spans = tokio::task::spawn_blocking(move || {
            tracing::subscriber::with_default(subscriber, || (0..20_000).for_each(|_| work()));
        });
        let done = async {
            spans.await.unwrap();
            export.end().await;
        };
        tokio::time::timeout(Duration::from_secs(30), done)
            .await
            .expect("nobody waits for the collector");
    }
    drop(hangs);
}

#[tokio::test]
async fn nothing_is_exported_unless_it_is_set() {
    let telemetry = start(&Config::default()).unwrap();
    assert!(telemetry.0.is_none());
    telemetry.end().await;
}
