//! What a hostile network does to a server: connections from many addresses, heads and bodies that never end, answers that
//! nobody reads. 127.0.0.0/8 has an address for everybody.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// Addresses that a hostile network has at least.
const NETWORK: u32 = 127 << 24 | 1 << 16;

/// The `n`th address of a hostile network; nobody honest comes from there.
pub fn address(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(NETWORK + n / 200 * 256 + n % 200 + 1)
}

/// The socket behind a URL.
pub fn socket(url: &str) -> SocketAddr {
    let rest = url.split_once("://").unwrap().1;
    rest.split('/').next().unwrap().parse().unwrap()
}

/// A connection from one of this machine's addresses.
pub async fn connect(server: SocketAddr, from: Ipv4Addr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::V4(SocketAddrV4::new(from, 0)))?;
    socket.connect(server).await
}

/// A connection that has sent this much and goes on with nothing.
pub async fn holding(server: SocketAddr, from: Ipv4Addr, text: &[u8]) -> TcpStream {
    let mut stream = connect(server, from).await.unwrap();
    // Whoever is cut off while sending has sent enough.
    tokio::time::timeout(Duration::from_secs(5), stream.write_all(text))
        .await
        .ok();
    stream
}

/// A head without its end.
pub const HALF_A_HEAD: &[u8] = b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: ";

/// A request that announces a body and sends so many bytes of it: always fewer than it announces.
pub fn half_a_body(path: &str, media: &str, sent: usize) -> Vec<u8> {
    let mut text = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nOrigin: http://x\r\nSec-Fetch-Site: same-origin\r\nContent-Type: {media}\r\nContent-Length: {}\r\n\r\n",
        sent + 100
    )
    .into_bytes();
    text.extend(std::iter::repeat_n(b' ', sent));
    text
}

/// So many requests for a large answer, one behind the other.
pub fn many_answers(path: &str, times: usize) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
        .repeat(times)
        .into_bytes()
}

/// Everything the server says until it closes, and how long that took; nobody waits longer than `most`.
pub async fn rest(stream: &mut TcpStream, most: Duration) -> (String, Duration) {
    let begun = Instant::now();
    let mut bytes = Vec::new();
    tokio::time::timeout(most, stream.read_to_end(&mut bytes))
        .await
        .ok();
    (
        String::from_utf8_lossy(&bytes).into_owned(),
        begun.elapsed(),
    )
}

/// Sends a whole request and answers what came back up to the close.
pub async fn ask(server: SocketAddr, from: Ipv4Addr, text: &str) -> String {
    let mut stream = holding(server, from, text.as_bytes()).await;
    rest(&mut stream, Duration::from_secs(20)).await.0
}

/// Returns the time until the server has ended a connection that is not read from, at least `most` if it does not.
pub async fn until_cut(stream: &TcpStream, most: Duration) -> Duration {
    let begun = Instant::now();
    while begun.elapsed() < most {
        // One more byte is refused once the connection is reset.
        match stream.try_write(b"x") {
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => break,
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    begun.elapsed()
}

/// Resident memory of a process, in bytes.
pub fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes << 10
}
