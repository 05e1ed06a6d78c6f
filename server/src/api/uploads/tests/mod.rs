//! Files through the real router: sockets, forms as clients send them, and connections that end in the middle.

mod ends;
mod forms;
mod signed;

use std::net::SocketAddr;

use app::portal::requests::{RequestFilter, Requests as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::services::sessions::uploads::testing::{Accepted, CardDesk, SELFIE, png};
use crate::storage::Db;
use crate::storage::testing::on_both;

on_both!(
    a_file_is_sent_on_either_path_and_its_session_goes_on,
    sixteen_at_once_are_one_file,
    no_file_is_in_the_log
);

const BOUNDARY: &str = "----form-boundary-7d1f";
const MIB: usize = 1024 * 1024;

/// A desk with its API.
struct UploadApi {
    desk: CardDesk,
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Answer {
    fn code(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    fn says(&self, text: &str) -> bool {
        self.body["message"]
            .as_str()
            .unwrap_or_default()
            .contains(text)
    }
}

/// A form being put together.
#[derive(Clone)]
struct Form(Vec<u8>);

impl Form {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn field(mut self, name: &str, value: &str) -> Self {
        let part = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        self.0.extend_from_slice(part.as_bytes());
        self
    }

    fn file(mut self, content: &[u8]) -> Self {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"Jane Canary.png\"\r\nContent-Type: text/html\r\n\r\n"
        );
        self.0.extend_from_slice(head.as_bytes());
        self.0.extend_from_slice(content);
        self.0.extend_from_slice(b"\r\n");
        self
    }

    fn end(mut self) -> Vec<u8> {
        self.0
            .extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        self.0
    }
}

impl UploadApi {
    async fn new(db: Db) -> Self {
        let desk = CardDesk::new(db).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let router = crate::api::router(&desk.world.state);
        let run = crate::http::serve::run(desk.world.state.clone(), listener, router, stop.clone());
        Self {
            desk,
            address,
            stop,
            served: tokio::spawn(run),
        }
    }

    async fn close(self) {
        self.stop.cancel();
        self.served.await.unwrap();
    }

    fn form(&self, step: &Accepted, kind: &str) -> Form {
        Form::new()
            .field("client_id", &self.desk.world.client.tenant().to_string())
            .field("nonce", &step.nonce)
            .field("kind", kind)
    }

    /// Opens a connection and sends a head that announces so many bytes.
    async fn begin(&self, path: &str, headers: &str, length: usize) -> TcpStream {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n",
            self.address
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    async fn send(&self, path: &str, headers: &str, body: &[u8]) -> Answer {
        let headers = format!("{}{headers}", multipart());
        let mut stream = self.begin(path, &headers, body.len()).await;
        // A refusal may come, and the connection end, before everything is sent.
        stream.write_all(body).await.ok();
        answer(stream).await
    }

    async fn post(&self, step: &Accepted, body: &[u8]) -> Answer {
        self.send(&path(step), "", body).await
    }
}

fn path(step: &Accepted) -> String {
    format!("/v1/steps/{}/upload", step.step)
}

fn multipart() -> String {
    format!("Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n")
}

async fn answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.ok();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {text:?}"));
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_lowercase(),
        body: serde_json::from_str(body).unwrap_or(Value::Null),
    }
}

async fn a_file_is_sent_on_either_path_and_its_session_goes_on(db: Db) {
    let api = UploadApi::new(db).await;
    let step = api.desk.at_first().await;
    let file = png(300_000, 1);
    let sent = api
        .post(&step, &api.form(&step, "id_front").file(&file).end())
        .await;
    assert_eq!(sent.status, 200, "{}", sent.body);
    let id = sent.body["upload_id"].as_str().unwrap();
    let expected = json!({
        "upload_id": id, "kind": "id_front", "size": 300_000, "sha256": kernel::crypto::sha256_hex(&file),
        "status": "SESSION_IN_PROGRESS",
    });
    assert_eq!(sent.body, expected);
    for header in [
        "access-control-allow-origin: *",
        "cache-control: no-store",
        "ratelimit: ",
        "x-request-id: ",
    ] {
        assert!(sent.head.contains(header), "{header} in {}", sent.head);
    }
    let nested = format!("/v1/sessions/{}/steps/{}/upload", step.session, step.step);
    let app_key = api
        .form(&step, "id_front")
        .field("client_app_key", &api.desk.world.client.app_key)
        .field("tenant_user_id", "anybody: the session names nobody");
    let again = api.send(&nested, "", &app_key.file(&file).end()).await;
    assert_eq!(
        (again.status, &again.body),
        (200, &expected),
        "the same file is the same upload"
    );
    api.desk
        .submit(step.session, step.next_nonce.as_deref().unwrap(), "confirm")
        .await
        .unwrap();
    api.close().await;
}

async fn sixteen_at_once_are_one_file(db: Db) {
    let api = UploadApi::new(db).await;
    let step = api.desk.at_first().await;
    let body = api.form(&step, "id_front").file(&png(400_000, 1)).end();
    let sends = (0..16).map(|_| api.post(&step, &body));
    let answers = futures_util::future::join_all(sends).await;
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.body, answers[0].body);
    }
    api.desk.left((1, 4)).await;
    api.close().await;
}

async fn no_file_is_in_the_log(db: Db) {
    let api = UploadApi::new(db).await;
    let step = api.desk.at_first().await;
    let file = [
        b"%PDF-1.7 ".as_slice(),
        &b"canary-in-the-file ".repeat(5_000),
    ]
    .concat();
    api.post(&step, &api.form(&step, "id_front").file(&file).end())
        .await;
    api.post(&step, &api.form(&step, "passport").file(&file).end())
        .await;
    let state = api.desk.world.state.clone();
    let (world, session, nonce) = (&api.desk.world, step.session, step.nonce.clone());
    let rows = async || {
        for _ in 0..200 {
            state.request_log.flush(&state).await;
            let rows = world
                .services
                .requests(&world.owner, &RequestFilter::default())
                .await
                .unwrap();
            if rows.len() == 2 {
                return rows;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the calls are not in the log");
    };
    for row in rows().await {
        let row = world.services.request(&world.owner, row.id).await.unwrap();
        assert_eq!(row.row.operation, "/v1/steps/{step_id}/upload");
        if row.row.status == 200 {
            assert_eq!(row.session, Some(session));
        }
    }
    let mut tx = state.db.read().await.unwrap();
    let all: Vec<String> = crate::storage::run!(tx, |conn| sqlx::query_scalar(
        "SELECT path || ' ' || request_body || ' ' || response_body FROM requests"
    )
    .fetch_all(conn)
    .await)
    .unwrap();
    drop(tx);
    let all = all.join("\n");
    // Of the one that proved nothing only our answer is kept.
    assert!(
        all.contains("id_front") && !all.contains("passport"),
        "{all}"
    );
    for canary in ["canary-in-the-file", "Jane Canary", nonce.as_str()] {
        assert!(!all.contains(canary), "{canary} in {all}");
    }
    api.close().await;
}
