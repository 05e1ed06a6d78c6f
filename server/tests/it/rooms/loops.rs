//! What runs by the clock is in one table, `worker/schedule.rs`. Whatever else waits for time to pass says here why; a
//! file that is not listed may not sleep, tick or be supervised.

use std::collections::BTreeSet;
use std::path::Path;

use super::graph::Sources;
use super::paths::tokens;
use super::report;

/// Files that wait for time to pass, by the path of their module, and why that is no entry of the schedule.
const WAITING: &[(&str, &str)] = &[
    // Runs entries of the schedule, with the period that the table gives.
    ("server worker::schedule", "starts the tasks of the table"),
    (
        "server worker::schedule::turns",
        "the entry that takes turns",
    ),
    (
        "server worker",
        "entries that run jobs; and pauses before what failed is tried again",
    ),
    (
        "server worker::watch",
        "the limit and the lease of one try of a job, while it runs",
    ),
    (
        "server services::background",
        "the entry that writes uses of keys",
    ),
    (
        "server services::portal::secrets::watch",
        "the entry that follows the key file",
    ),
    (
        "server state::request_log",
        "the entry that writes the request log",
    ),
    // Ends with what it waits for.
    (
        "server services::sessions::transition",
        "a claim that could not be released, for as long as it is held",
    ),
    (
        "server services::portal::secrets::rewrap",
        "a pause between two batches of a command's work",
    ),
    (
        "server http::serve",
        "the time that load balancers get to see a stop",
    ),
    ("kernel form::body", "the pace of one body"),
    (
        "kernel db::signals",
        "the entry that hears other processes, and a pause between two batches of signals",
    ),
    ("kernel gate", "a pause after a failed accept"),
    ("kernel gate::pace", "the pace of one body or answer"),
    ("kernel gate::stream", "the last moment of one connection"),
    (
        "kernel partial_file",
        "a moment before files that a stopped command left are looked for again",
    ),
    // Runs as long as the process, and does no work of the product.
    ("kernel background", "starts again what fell"),
    (
        "bank listen",
        "signs of life of another company's accept loop",
    ),
];

/// Functions that make a periodic loop, or any loop that waits.
const WAITS: [&str; 6] = [
    "interval",
    "interval_at",
    "sleep",
    "sleep_until",
    "park_timeout",
    "supervise",
];

/// Returns `true` if code calls one of these functions; one that is declared or imported is no call.
fn waits(code: &str) -> bool {
    let tokens = tokens(code);
    tokens.windows(3).any(|three| match three {
        [before, name, after] => {
            WAITS.contains(name) && matches!(*after, "(" | "::") && !matches!(*before, "fn" | ".")
        }
        _ => false,
    })
}

#[test]
fn only_the_schedule_runs_by_the_clock() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    for (krate, src) in [
        ("server", "src"),
        ("kernel", "kernel/src"),
        ("bank", "bank/src"),
    ] {
        let sources = Sources::read(&here.join(src));
        let waiting = sources.code().filter(|(_, code)| waits(code));
        found.extend(waiting.map(|(module, _)| format!("{krate} {}", module.join("::"))));
    }
    let listed: BTreeSet<String> = WAITING.iter().map(|(file, _)| (*file).to_owned()).collect();
    let mut wrong: Vec<String> = found
        .difference(&listed)
        .map(|file| {
            format!(
                "{file} waits for time to pass: put it into worker/schedule.rs, or say here why not"
            )
        })
        .collect();
    let gone = listed.difference(&found);
    wrong.extend(gone.map(|file| format!("{file} waits for nothing any more: mend this list")));
    report(&wrong);
}

#[test]
fn loops_are_found_however_they_are_called() {
    for code in [
        "async fn f() { tokio::time::sleep(EVERY).await }",
        "use tokio::time::interval; fn f() { let mut t = interval(EVERY); }",
        "fn f() { std::thread::sleep(EVERY) }",
        "fn f() { supervise::<T>(name) }",
    ] {
        assert!(waits(code), "{code}");
    }
    for code in [
        "async fn sleep(&self) {}",
        "fn f() { self.sleep(class) }",
        "use tokio::time::sleep;",
        "fn f() { let interval = Interval { every }; }",
    ] {
        assert!(!waits(code), "{code}");
    }
}
