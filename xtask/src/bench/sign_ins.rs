//! `cargo xtask bench --sign-ins`: five hundred guesses a second at the portal's sign-in, and what becomes of the API.
//!
//! Each guess is for another account and comes from another address of 127.0.0.0/8, so that no limit of either stops it
//! before its password would be hashed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use socket2::{Domain, Socket, Type};

use super::flow::Pair;
use super::http::{Connection, request};
use super::open::{self, Calls, Offer};
use super::subject::Subject;
use super::{load, process, reads, table};
use crate::report::PartsFailed;

/// Guesses a second.
const GUESSES: u32 = 500;
/// Guessers at work: enough that the pace is kept while each waits for its answer.
const GUESSERS: u32 = 200;
/// Calls at once by which the most that the server can do is measured, and how much of it is offered.
const BUSY: usize = 16;
const OFFERED: f64 = 0.2;
/// The 99th percentile of the API may be so many times that at peace (promise 28 of docs/PROMISES.md).
const SLOWER: f64 = 2.0;
/// Longest wait for an answer to a guess.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers to the guesses, by what they were.
#[derive(Default)]
struct Guesses {
    next: AtomicU32,
    checked: AtomicU32,
    told_to_wait: AtomicU32,
    lost: AtomicU32,
}

/// Measures reads of accounts alone and beside the guesses, prints both, and fails if the promise was broken.
pub fn run(subject: &Subject<'_>, pair: &Pair, time: Duration) -> Result<()> {
    let address = &subject.address();
    let read = reads::accounts(address, pair);
    Connection::open(address)?.call(&read)?.expect_success()?;
    let most = load::run(address, std::slice::from_ref(&read), BUSY, time / 4)?.per_second;
    let offer = Offer {
        request: &read,
        per_second: most * OFFERED,
        time,
    };
    process::rest(subject);
    let peace = open::run(address, offer)?;
    let guesses = Guesses::default();
    let stop = AtomicBool::new(false);
    let beside = thread::scope(|scope| {
        let begin = Instant::now();
        for _ in 0..GUESSERS {
            let (guesses, stop) = (&guesses, &stop);
            scope.spawn(move || guesses.go_on(address, begin, stop));
        }
        let calls = open::run(address, offer);
        stop.store(true, Ordering::Relaxed);
        calls
    })?;
    let (usual, slow) = (peace.good_took(99), beside.good_took(99));
    let kept = slow <= usual.mul_f64(SLOWER);
    print(subject, time, &guesses, [&peace, &beside], kept);
    if kept { Ok(()) } else { bail!(PartsFailed) }
}

impl Guesses {
    /// Guesses at the common pace until told to stop.
    fn go_on(&self, address: &str, begin: Instant, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let due = Duration::from_secs(1) * number / GUESSES;
            thread::sleep(due.saturating_sub(begin.elapsed()));
            let counted = match guess(address, number) {
                Ok(429 | 503) => &self.told_to_wait,
                Ok(_) => &self.checked,
                Err(_) => &self.lost,
            };
            counted.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// One guess; returns the status of its answer.
fn guess(address: &str, number: u32) -> Result<u16> {
    let [_, high, middle, low] = number.to_be_bytes();
    let from = IpAddr::V4(Ipv4Addr::new(127, 80 + high, middle, low.max(1)));
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    let target: SocketAddr = address.parse().context("the server's address")?;
    socket.connect_timeout(&target.into(), PATIENCE)?;
    let body = format!("email=nobody{number}%40example.com&password=a+guess+of+number+{number}");
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Sec-Fetch-Site", "same-origin"),
        ("Connection", "close"),
    ];
    let mut connection = Connection::over(socket.into())?;
    let answer = connection.call(&request("POST", address, "/signin", &headers, &body))?;
    Ok(answer.status)
}

fn print(
    subject: &Subject<'_>,
    time: Duration,
    guesses: &Guesses,
    [peace, beside]: [&Calls; 2],
    kept: bool,
) {
    let row = |name: &str, calls: &Calls| {
        vec![
            name.to_owned(),
            format!("{:.0}", calls.sent()),
            calls.refused().to_string(),
            format!("{:.1?}", calls.good_took(50)),
            format!("{:.1?}", calls.good_took(99)),
        ]
    };
    let rows = [row("alone", peace), row("beside the guesses", beside)];
    let title = format!("{}: POST /v1/accounts/get for {time:?}", subject.database);
    table::print(&title, &["", "a second", "refused", "p50", "p99"], &rows);
    let count = |of: &AtomicU32| of.load(Ordering::Relaxed);
    println!(
        "Guesses: {} checked, {} told to wait, {} without an answer. The 99th percentile is at most {SLOWER} times that \
         alone: {}.\n",
        count(&guesses.checked),
        count(&guesses.told_to_wait),
        count(&guesses.lost),
        if kept { "kept" } else { "BROKEN" },
    );
}
