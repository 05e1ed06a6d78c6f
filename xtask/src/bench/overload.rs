//! `cargo xtask bench --overload`: five times as many calls as the server can answer, and what becomes of those it can.
//!
//! The server has one core to itself where there are two, and the callers the others: a generator that takes the server's
//! time measures itself.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use super::flow::{self, Errand, Pair};
use super::http::Connection;
use super::open::{self, Calls, Offer};
use super::subject::Subject;
use super::{load, process, reads, table};
use crate::report::PartsFailed;

/// Calls at once by which the most that the server can do is measured.
const BUSY: usize = 16;
/// How much is offered of what the server can do: at peace, and then.
const PEACE: f64 = 0.2;
const OVERLOAD: f64 = 5.0;
/// The part of what it can do that is kept for those who go on: steps, sessions and tokens.
const KEPT: f64 = 0.2;
/// What is promised (promise 14 of docs/PROMISES.md).
const GOODPUT: f64 = 0.8;
const SLOWER: f64 = 3.0;
const REFUSED_WITHIN: Duration = Duration::from_millis(50);
const MEMORY: f64 = 256.0;
const RECOVERED_WITHIN: Duration = Duration::from_secs(5);
/// Microseconds in a tick of the processor's clock (`USER_HZ`).
const TICK: f64 = 10_000.0;
/// As good as at peace: a window of a second whose 99th percentile is no more than so many times as slow.
const AS_BEFORE: f64 = 1.5;

/// One line of the table: what is promised, what was seen, whether that is within the promise.
type Line = (&'static str, String, bool);

/// Measures, prints the table, and fails if a promise was broken.
pub fn run(subject: &Subject<'_>, pair: &Pair, keys: &Value, time: Duration) -> Result<()> {
    apart(subject);
    let address = &subject.address();
    let read = reads::hundred(address, pair);
    Connection::open(address)?.call(&read)?.expect_success()?;
    let open = flow::session(address, keys, &Errand::accounts())?;
    load::run(address, std::slice::from_ref(&read), BUSY, time / 4)?;
    let before = process::ticks(subject);
    let busy = load::run(address, std::slice::from_ref(&read), BUSY, time / 2)?;
    let one = cost(subject, before, busy.count);
    let most = busy.per_second;
    let most_opened = load::run(address, std::slice::from_ref(&open), BUSY, time / 2)?.per_second;
    process::rest(subject);
    let offer = |part: f64, time: Duration| Offer {
        request: &read,
        per_second: most * part,
        time,
    };
    let peace = open::run(address, offer(PEACE, time))?;
    eprintln!("    at most {most:.0} readings a second, {most_opened:.0} sessions opened");
    let memory = Peak::default();
    let before = process::ticks(subject);
    let (calls, opened) = std::thread::scope(|scope| -> Result<(Calls, Calls)> {
        let watching = scope.spawn(|| memory.watch(subject));
        let opening = scope.spawn(|| {
            let offer = Offer {
                request: &open,
                per_second: most_opened * KEPT,
                time,
            };
            open::run(address, offer)
        });
        let calls = open::run(address, offer(OVERLOAD, time));
        let opened = opening.join();
        memory.stop();
        watching.join().ok();
        let Ok(opened) = opened else {
            bail!("the thread that opens sessions failed");
        };
        Ok((calls?, opened?))
    })?;
    let all = cost(subject, before, 1);
    let usual = peace.good_took(99);
    let recovered = recovered(address, &offer, usual)?;
    let goodput = calls.good() / most + opened.good() / most_opened;
    let lines = lines(goodput, &peace, &calls, &opened, memory.most(), recovered);
    print(subject, time, most * OVERLOAD, &calls, &lines);
    print_costs(one, all, &calls);
    if lines.iter().all(|(_, _, kept)| *kept) {
        Ok(())
    } else {
        bail!(PartsFailed)
    }
}

/// Gives the server the first core, and us the others.
fn apart(subject: &Subject<'_>) {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let Some(server) = process::id(subject).filter(|_| cores > 1) else {
        return;
    };
    let others = format!("1-{}", cores - 1);
    for (cores, process) in [("0", server), (others.as_str(), std::process::id())] {
        let mut taskset = Command::new("taskset");
        taskset.args(["-a", "-c", "-p", cores, &process.to_string()]);
        let done = taskset.output().is_ok_and(|ended| ended.status.success());
        if !done {
            eprintln!("    `taskset` gave nobody a core: the figures hold less");
        }
    }
}

/// How long after the overload the first second is as good as before it; none if that took too long.
fn recovered<'a>(
    address: &str,
    offer: &impl Fn(f64, Duration) -> Offer<'a>,
    usual: Duration,
) -> Result<Option<Duration>> {
    let begin = Instant::now();
    while begin.elapsed() < RECOVERED_WITHIN {
        let since = begin.elapsed();
        let calls = open::run(address, offer(PEACE, Duration::from_secs(1)))?;
        let as_before = calls.good_took(99) <= usual.mul_f64(AS_BEFORE);
        if as_before && calls.refused() == 0 && calls.other().is_empty() {
            return Ok(Some(since));
        }
    }
    Ok(None)
}

/// `goodput` is what is answered of readings and of sessions together, each as a part of the most of it alone.
fn lines(
    goodput: f64,
    peace: &Calls,
    calls: &Calls,
    opened: &Calls,
    memory: f64,
    recovered: Option<Duration>,
) -> Vec<Line> {
    let (usual, slow) = (peace.good_took(99), calls.good_took(99));
    let refused = calls.refused_took(99);
    let other = [calls.other(), opened.other()].concat();
    let within = recovered.map_or("not within 5 s".to_owned(), |time| format!("{time:.1?}"));
    vec![
        (
            "goodput, readings and sessions together, is at least 80 % of the most",
            format!("{:.0} %", goodput * 100.0),
            goodput >= GOODPUT,
        ),
        (
            "99th percentile of what is accepted is at most 3 times that at peace",
            format!("{slow:.1?}, {usual:.1?} at peace"),
            slow <= usual.mul_f64(SLOWER),
        ),
        (
            "refusals are 429 or 503 with Retry-After",
            format!("{} others", other.len()),
            other.is_empty(),
        ),
        (
            "refusals come within 50 ms",
            format!("99th percentile {refused:.1?}"),
            refused <= REFUSED_WITHIN,
        ),
        (
            "a fifth is kept for sessions, steps and tokens",
            format!(
                "{} of {:.0} refused{}, 99th percentile {:.1?}",
                opened.refused(),
                opened.sent() * opened.seconds(),
                opened.refusals(),
                opened.good_took(99)
            ),
            opened.refused() == 0,
        ),
        (
            "memory stays within 256 MiB",
            format!("{memory:.0} MiB at most"),
            memory > 0.0 && memory <= MEMORY,
        ),
        (
            "within 5 s after it all is as before",
            within,
            recovered.is_some(),
        ),
    ]
}

fn print(subject: &Subject<'_>, time: Duration, wanted: f64, calls: &Calls, lines: &[Line]) {
    let rows: Vec<_> = lines
        .iter()
        .map(|(promise, seen, kept)| {
            let kept = if *kept { "kept" } else { "BROKEN" };
            vec![(*promise).to_owned(), seen.clone(), kept.to_owned()]
        })
        .collect();
    let title = format!(
        "{}: {:.0} pages of 100 a second sent of {wanted:.0} offered for {time:?}, {:.0} answered, half of them within {:.1?}",
        subject.database,
        calls.sent(),
        calls.good(),
        calls.good_took(50)
    );
    table::print(&title, &["promise", "seen", "result"], &rows);
}

/// Processor time for each of so many calls, in microseconds.
fn cost(subject: &Subject<'_>, before: Option<u64>, calls: u32) -> Option<f64> {
    let used = process::ticks(subject)?.checked_sub(before?)?;
    Some(f64::from(u32::try_from(used).ok()?) * TICK / f64::from(calls.max(1)))
}

/// Prints what a refusal takes beside what an answer takes: with five times the load, a refusal that takes a twentieth
/// of an answer leaves four fifths of the answers. These hold on a busy machine, too.
fn print_costs(one: Option<f64>, all: Option<f64>, calls: &Calls) {
    let (Some(one), Some(all)) = (one, all) else {
        return;
    };
    let good = calls.good() * calls.seconds();
    let refused = u32::try_from(calls.refused()).unwrap_or(u32::MAX);
    // What opening sessions took is among it: what is printed is at most too much.
    let refusal = (all - good * one).max(0.0) / f64::from(refused.max(1));
    println!("Processor time: {one:.0} µs an answer, at most {refusal:.0} µs a refusal.\n");
}

/// The most memory that was seen.
#[derive(Default)]
struct Peak {
    stop: AtomicBool,
    mib: Mutex<f64>,
}

impl Peak {
    fn watch(&self, subject: &Subject<'_>) {
        while !self.stop.load(Ordering::Relaxed) {
            let now = process::memory(subject).map_or(0.0, |memory| memory.now);
            let mut most = self.mib.lock().unwrap_or_else(PoisonError::into_inner);
            *most = most.max(now);
            drop(most);
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn most(&self) -> f64 {
        *self.mib.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
