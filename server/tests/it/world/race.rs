//! Many requests at the same instant: each connection has sent all but its last byte before any sends that.

use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Barrier;

/// Sends the same JSON body `times` times at once; answers every status and body.
pub async fn all_at_once(url: &str, body: &Value, times: usize) -> Vec<(u16, Value)> {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap());
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let barrier = Arc::new(Barrier::new(times));
    let tasks: Vec<_> = (0..times)
        .map(|_| {
            tokio::spawn(one(
                host.to_owned(),
                request.clone().into_bytes(),
                barrier.clone(),
            ))
        })
        .collect();
    let mut answers = Vec::with_capacity(times);
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

async fn one(host: String, request: Vec<u8>, barrier: Arc<Barrier>) -> (u16, Value) {
    let mut stream = TcpStream::connect(&host).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (last, first) = request.split_last().unwrap();
    stream.write_all(first).await.unwrap();
    barrier.wait().await;
    stream.write_all(&[*last]).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let text = String::from_utf8(answer).unwrap();
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let json = body
        .find('{')
        .map(|at| &body[at..=body.rfind('}').unwrap()]);
    (
        status,
        json.map_or(Value::Null, |json| serde_json::from_str(json).unwrap()),
    )
}
