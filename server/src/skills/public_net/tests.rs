//! Whoever names a URL reaches nothing inside with it: sixty ways to write an address, against listeners that count who
//! knocks.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

#[test]
fn only_public_addresses_are_public() {
    for address in [
        "1.1.1.1",
        "93.184.216.34",
        "2606:4700::1111",
        "64:ff9b::101:101",
        "::ffff:8.8.8.8",
    ] {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
    for address in [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.31.255.255",
        "192.168.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
        "fe80::1",
        "fc00::1",
        "fd12::1",
        "ff02::1",
        "2001:db8::1",
    ] {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn urls_that_lead_inwards_are_refused() {
    for url in [
        "http://keys.example.com/",
        "ftp://keys.example.com/",
        "https://user:pw@keys.example.com/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://localhost/",
        "https://keys.localhost/",
        "https://metadata/",
    ] {
        assert!(
            check(&Url::parse(url).unwrap(), &Reach::new(false, &[])).is_err(),
            "{url}"
        );
    }
    assert!(
        check(
            &Url::parse("https://keys.example.com/jwks.json").unwrap(),
            &Reach::new(false, &[])
        )
        .is_ok()
    );
    assert!(
        check(
            &Url::parse("http://127.0.0.1:8080/jwks.json").unwrap(),
            &Reach::new(true, &[])
        )
        .is_ok()
    );
}

/// A listener on this machine that should never be knocked at.
struct Canary {
    port: u16,
    knocks: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<()>>,
}

impl Canary {
    /// On one port of both families.
    async fn new() -> Self {
        let four = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = four.local_addr().unwrap().port();
        let mut listeners = vec![four];
        listeners.extend(TcpListener::bind(("::1", port)).await.ok());
        let knocks = Arc::new(AtomicUsize::new(0));
        let tasks = listeners.into_iter().map(|listener| {
            let knocks = knocks.clone();
            tokio::spawn(async move {
                while listener.accept().await.is_ok() {
                    knocks.fetch_add(1, SeqCst);
                }
            })
        });
        let tasks = tasks.collect();
        Self {
            port,
            knocks,
            tasks,
        }
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Hosts that are this machine or something else inside, however they are written.
const INSIDE: &[&str] = &[
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0x7F.0x0.0x0.0x1",
    "017700000001",
    "0177.0.0.1",
    "0177.0x0.0.1",
    "127.0.0.1.",
    "127。0。0。1",
    "１２７.0.0.1",
    "①②⑦.0.0.1",
    "%31%32%37.0.0.1",
    "0",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "167772161",
    "100.64.0.1",
    "100.127.255.255",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.257",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:10.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::a00:1]",
    "[64:ff9b:1::a00:1]",
    "[2002:7f00:1::]",
    "[2002:a00:1::1]",
    "[2001:0:7f00:1::]",
    "[2001:db8::1]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[100::1]",
    "[5f00::1]",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "a.localhost",
    "a.localhost.",
    "metadata",
    "metadata.google.internal",
    "printer.local",
    "ⓛocalhost",
];

#[tokio::test]
async fn no_way_to_write_an_address_reaches_a_listener_inside() {
    assert!(INSIDE.len() >= 60, "{}", INSIDE.len());
    let canary = Canary::new().await;
    let reach = Reach::new(false, &[canary.port]);
    for host in INSIDE {
        for url in [
            format!("https://{host}:{}/jwks.json", canary.port),
            format!("http://{host}:{}/jwks.json", canary.port),
            format!("https://keys.example.com@{host}:{}/", canary.port),
            format!("https:\\\\{host}:{}\\jwks.json", canary.port),
        ] {
            let error = get(&url, &reach, 1_000).await.unwrap_err();
            assert!(!error.contains("reached"), "{url} was asked: {error}");
        }
    }
    assert_eq!(canary.knocks.load(SeqCst), 0);
    // The canary hears who knocks.
    let private = Reach::new(true, &[]);
    let url = format!("http://127.0.0.1:{}/", canary.port);
    get(&url, &private, 1_000).await.unwrap_err();
    assert!(canary.knocks.load(SeqCst) >= 1);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_reaches_nothing_inside() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let canary = Canary::new().await;
    let stub: fn(String) -> Found = |_| {
        Box::pin(async {
            // Public at first, and private as soon as somebody has looked.
            let first = ASKED.fetch_add(1, SeqCst) == 0;
            let inside = "127.0.0.1:0".parse().unwrap();
            let public = "192.88.98.1:0".parse().unwrap();
            Ok(if first {
                vec![inside, public]
            } else {
                vec![inside, inside]
            })
        })
    };
    let reach = Reach {
        names: Names(stub),
        ..Reach::new(false, &[canary.port])
    };
    let url = format!("https://keys.example.com:{}/jwks.json", canary.port);
    for _ in 0..3 {
        assert!(get(&url, &reach, 1_000).await.is_err());
    }
    assert_eq!(ASKED.load(SeqCst), 3);
    assert_eq!(canary.knocks.load(SeqCst), 0);
    // Which address was refused, and why a connection failed, is nobody's business.
    let inside: fn(String) -> Found =
        |_| Box::pin(async { Ok(vec!["127.0.0.1:0".parse().unwrap()]) });
    let closed = Reach {
        names: Names(inside),
        ..reach
    };
    let error = get(&url, &closed, 1_000).await.unwrap_err();
    assert!(error.starts_with("the URL cannot be reached"), "{error}");
}

#[test]
fn ports_are_those_of_https_and_the_configured_ones() {
    let reach = Reach::new(false, &[8443]);
    let judged = |url: &str| check(&Url::parse(url).unwrap(), &reach);
    for url in [
        "https://keys.example.com/",
        "https://keys.example.com:443/",
        "https://keys.example.com:8443/",
    ] {
        assert_eq!(judged(url), Ok(()), "{url}");
    }
    for port in [0, 22, 25, 80, 444, 3306, 5432, 6379, 8080, 65535] {
        let error = judged(&format!("https://keys.example.com:{port}/")).unwrap_err();
        assert!(error.contains("443"), "{port}: {error}");
    }
}
