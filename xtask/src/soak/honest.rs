//! The honest callers: users who consent at the bank, an app's backend that reads, and people on the portal.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Verdict;
use crate::bench::flow::{self, Errand, Pair};
use crate::bench::http::{Connection, request};
use crate::bench::subject::Subject;
use crate::bench::{portal, reads};

/// The test user of the sandbox bank with the fewest transactions, so that the database grows slowly.
const USER: &str = "student";
/// The time from one onboarding to the next.
const ONBOARDING: Duration = Duration::from_secs(5);
/// The time from one read to the next, for each reader.
const READ: Duration = Duration::from_millis(100);
const READERS: usize = 2;
/// The time from one page to the next.
const PAGE: Duration = Duration::from_millis(250);

/// Honest callers, what they were told, and how it went.
pub struct Honest {
    address: String,
    keys: Value,
    cookie: String,
    /// Consents that the server acknowledged: they have to be there afterwards.
    pairs: Mutex<Vec<Pair>>,
    calls: AtomicU64,
    failures: Mutex<Vec<String>>,
    slowest: Mutex<Duration>,
}

impl Honest {
    /// Callers with a tenant's keys and a signed-in person; the first consent is given at once.
    pub fn new(subject: &Subject<'_>, keys: Value) -> Result<Self> {
        let address = subject.address();
        let cookie = portal::sign_in(&address, &subject.login()?)?;
        let first = flow::onboard(&address, &keys, USER, &Errand::accounts())?;
        Ok(Self {
            address,
            keys,
            cookie,
            pairs: Mutex::new(vec![first]),
            calls: AtomicU64::new(0),
            failures: Mutex::default(),
            slowest: Mutex::default(),
        })
    }

    /// Starts all callers; they end soon after `stop` is set.
    pub fn start<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, stop: &'scope AtomicBool) {
        scope.spawn(move || self.every(ONBOARDING, stop, || self.onboard()));
        for reader in 0..READERS {
            let mut turn = reader;
            scope.spawn(move || {
                let mut connection = None;
                self.every(READ, stop, || {
                    turn += 1;
                    self.read(&mut connection, turn)
                });
            });
        }
        scope.spawn(move || {
            let mut turn = 0;
            self.every(PAGE, stop, || {
                turn += 1;
                self.page(turn)
            });
        });
    }

    fn every(&self, pace: Duration, stop: &AtomicBool, mut call: impl FnMut() -> Result<()>) {
        while !stop.load(Ordering::Relaxed) {
            let begin = Instant::now();
            let outcome = call();
            let took = begin.elapsed();
            self.calls.fetch_add(1, Ordering::Relaxed);
            let mut slowest = lock(&self.slowest);
            *slowest = took.max(*slowest);
            drop(slowest);
            if let Err(error) = outcome {
                lock(&self.failures).push(format!("{error:#}"));
            }
            thread::sleep(pace.saturating_sub(took));
        }
    }

    fn onboard(&self) -> Result<()> {
        let pair = flow::onboard(&self.address, &self.keys, USER, &Errand::accounts())
            .context("an onboarding")?;
        lock(&self.pairs).push(pair);
        Ok(())
    }

    fn read(&self, connection: &mut Option<Connection>, turn: usize) -> Result<()> {
        let path = if turn.is_multiple_of(2) {
            "/v1/accounts"
        } else {
            "/v1/transactions?limit=100"
        };
        let asked = {
            let pairs = lock(&self.pairs);
            let pair = pairs.get(turn % pairs.len().max(1)).context("no consent")?;
            reads::rest(&self.address, pair, path)
        };
        self.ask(connection, &asked)
            .with_context(|| path.to_owned())
    }

    fn page(&self, turn: usize) -> Result<()> {
        let (path, cookie) = match turn % 4 {
            0 => ("/", ""),
            1 => ("/docs", ""),
            2 => ("/requests", self.cookie.as_str()),
            _ => ("/overview", self.cookie.as_str()),
        };
        let asked = request("GET", &self.address, path, &[("Cookie", cookie)], "");
        self.ask(&mut None, &asked).with_context(|| path.to_owned())
    }

    /// Calls on the kept connection, opened anew if the server closed it while it was idle.
    fn ask(&self, kept: &mut Option<Connection>, asked: &[u8]) -> Result<()> {
        if let Some(connection) = kept
            && let Ok(answer) = connection.call(asked)
        {
            return answer.expect_success();
        }
        let mut connection = Connection::open(&self.address)?;
        let answer = connection.call(asked)?;
        *kept = Some(connection);
        answer.expect_success()
    }

    /// A line on how it is going.
    pub fn progress(&self) -> String {
        let failures = lock(&self.failures);
        let last = failures.last().map_or(String::new(), |last| {
            format!(", the last: {}", last.chars().take(120).collect::<String>())
        });
        format!(
            "{} honest calls, {} failed{last}",
            self.calls.load(Ordering::Relaxed),
            failures.len()
        )
    }

    /// Counts the consents that were acknowledged.
    pub fn acknowledged(&self) -> usize {
        lock(&self.pairs).len()
    }

    /// Counts the acknowledged consents that cannot be read any more.
    pub fn lost(&self, address: &str) -> Result<usize> {
        let pairs = lock(&self.pairs);
        let mut connection = Connection::open(address)?;
        let mut lost = 0;
        for pair in pairs.iter() {
            let answer = connection.call(&reads::rest(address, pair, "/v1/accounts"))?;
            if answer.expect_success().is_err() {
                lost += 1;
            }
        }
        Ok(lost)
    }

    /// All calls of all honest callers have to succeed.
    pub fn verdict(&self) -> Verdict {
        let failures = lock(&self.failures);
        let calls = self.calls.load(Ordering::Relaxed);
        let example = failures.first().map_or(String::new(), |first| {
            format!(
                "; the first: {}",
                first.chars().take(160).collect::<String>()
            )
        });
        Verdict {
            promise: "every honest call succeeds",
            seen: format!(
                "{} of {calls} failed, the slowest took {:.1} s{example}",
                failures.len(),
                lock(&self.slowest).as_secs_f64()
            ),
            kept: failures.is_empty() && calls > 0,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
