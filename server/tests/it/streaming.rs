//! 50,000 rows to a reader who takes their time: what the server keeps in memory does not grow with the answer.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::world::{Database, World, on_both};

on_both!(a_long_answer_does_not_fill_the_memory);

/// Growth that is allowed while the answer is on its way.
const MOST: u64 = 32 << 20;

/// Resident memory of a process, in bytes.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes << 10
}

/// Sends a request and reads its answer in pieces with a pause after each; answers size, and the most memory seen.
fn read(url: &str, body: &str, pid: u32, pause: Duration) -> (u64, u64) {
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let head = format!(
        "POST /v1/transactions/get HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let (mut piece, mut size, mut most, mut end) = (vec![0; 64 << 10], 0, 0, Vec::new());
    loop {
        let read = stream.read(&mut piece).unwrap();
        most = most.max(resident(pid));
        if read == 0 {
            assert!(end.ends_with(b"]\r\n0\r\n\r\n"), "the answer is whole");
            return (size, most);
        }
        size += read as u64;
        end.extend(&piece[..read]);
        end.drain(..end.len().saturating_sub(16));
        std::thread::sleep(pause);
    }
}

async fn a_long_answer_does_not_fill_the_memory(database: Database) {
    let world = World::own(database).await;
    let keys = world.tenant().await;
    let pair = world.pair(&keys, "business").await;
    let body = keys.data(&pair).to_string();
    let rows = world
        .post_when_ready("/v1/transactions/get", body.clone())
        .await;
    let rows = rows.as_array().unwrap().len();
    assert!(rows >= 50_000, "{rows} rows");
    let (pid, url) = (world.server.process(), world.server.url.clone());
    let (before, size, most) = tokio::task::spawn_blocking(move || {
        // Whatever the allocator keeps after a fast reader is there before the slow one comes.
        read(&url, &body, pid, Duration::ZERO);
        let before = resident(pid);
        let (size, most) = read(&url, &body, pid, Duration::from_millis(8));
        (before, size, most)
    })
    .await
    .unwrap();
    println!(
        "{database:?}: {rows} rows, {} KiB sent; resident before {} KiB, at most {} KiB meanwhile",
        size >> 10,
        before >> 10,
        most >> 10
    );
    assert!(size > 20 << 20, "{size}");
    assert!(most < before + MOST, "{before} before, {most} meanwhile");
}
