//! An open load: calls are sent when they are due, however long the answers to others take, so that a server that cannot
//! keep up is not spared by callers who wait for it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::http::Connection;
use super::load::{gather, percentile};

/// Callers who may wait for an answer at once: enough that one of them is always free.
const CALLERS: usize = 768;

/// Calls of one kind, so many a second.
#[derive(Clone, Copy)]
pub struct Offer<'a> {
    pub request: &'a [u8],
    pub per_second: f64,
    pub time: Duration,
}

/// One call.
#[derive(Clone, Copy)]
pub struct Call {
    pub took: Duration,
    /// 0 if there was no answer.
    pub status: u16,
    /// The answer said when to come back.
    pub waits: bool,
}

/// All calls of an offer.
pub struct Calls {
    all: Vec<Call>,
    time: Duration,
}

/// Sends the calls of an offer.
pub fn run(address: &str, offer: Offer<'_>) -> Result<Calls> {
    let next = AtomicU32::new(0);
    let begin = Instant::now();
    let all = gather(CALLERS, |_| {
        let mut connection = Connection::open(address)?;
        let mut calls = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let due = Duration::from_secs_f64(f64::from(number) / offer.per_second);
            if due >= offer.time {
                return Ok(calls);
            }
            std::thread::sleep(due.saturating_sub(begin.elapsed()));
            let sent = Instant::now();
            let answer = connection.call(offer.request);
            let took = sent.elapsed();
            if answer.is_err() {
                connection = Connection::open(address).context("the server takes no connection")?;
            }
            let (status, waits) = answer.map_or((0, false), |answer| {
                (answer.status, answer.header("retry-after").is_some())
            });
            calls.push(Call {
                took,
                status,
                waits,
            });
        }
    })?;
    Ok(Calls {
        all,
        time: offer.time,
    })
}

impl Calls {
    fn of(&self, pick: impl Fn(&Call) -> bool) -> impl Iterator<Item = &Call> {
        self.all.iter().filter(move |call| pick(call))
    }

    fn rate(&self, pick: impl Fn(&Call) -> bool) -> f64 {
        let count = u32::try_from(self.of(pick).count()).unwrap_or(u32::MAX);
        f64::from(count) / self.time.as_secs_f64()
    }

    pub fn seconds(&self) -> f64 {
        self.time.as_secs_f64()
    }

    /// Calls a second that were sent: fewer than were offered where all callers waited for answers.
    pub fn sent(&self) -> f64 {
        self.rate(|_| true)
    }

    /// Calls a second that were answered with what they asked for.
    pub fn good(&self) -> f64 {
        self.rate(Call::is_good)
    }

    /// Percentile of the time that good answers took.
    pub fn good_took(&self, percent: usize) -> Duration {
        sorted(self.of(Call::is_good), percent)
    }

    /// Percentile of the time that refusals took.
    pub fn refused_took(&self, percent: usize) -> Duration {
        sorted(self.of(Call::is_refusal), percent)
    }

    pub fn refused(&self) -> usize {
        self.of(Call::is_refusal).count()
    }

    /// Returns how many refusals there were of each status: ` (429: 7, 503: 2)`; nothing if there were none.
    pub fn refusals(&self) -> String {
        let mut counts = BTreeMap::<u16, usize>::new();
        for call in self.of(Call::is_refusal) {
            *counts.entry(call.status).or_default() += 1;
        }
        let counts: Vec<String> = counts
            .iter()
            .map(|(status, count)| format!("{status}: {count}"))
            .collect();
        if counts.is_empty() {
            return String::new();
        }
        format!(" ({})", counts.join(", "))
    }

    /// Calls that got neither what they asked for nor a refusal that says when to come back, by their status.
    pub fn other(&self) -> Vec<u16> {
        let other = self.of(|call| !call.is_good() && !call.is_refusal());
        other.map(|call| call.status).collect()
    }
}

impl Call {
    fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn is_refusal(&self) -> bool {
        matches!(self.status, 429 | 503) && self.waits
    }
}

fn sorted<'c>(calls: impl Iterator<Item = &'c Call>, percent: usize) -> Duration {
    let mut took: Vec<Duration> = calls.map(|call| call.took).collect();
    took.sort_unstable();
    percentile(&took, percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(status: u16, waits: bool) -> Call {
        Call {
            took: Duration::from_millis(u64::from(status)),
            status,
            waits,
        }
    }

    #[test]
    fn a_refusal_without_its_wait_is_none() {
        let all = vec![
            call(200, false),
            call(201, false),
            call(503, true),
            call(429, true),
            call(503, false),
            call(0, false),
        ];
        let calls = Calls {
            all,
            time: Duration::from_secs(2),
        };
        assert!((calls.good() - 1.0).abs() < 1e-9 && (calls.sent() - 3.0).abs() < 1e-9);
        assert_eq!((calls.refused(), calls.other()), (2, vec![503, 0]));
        assert_eq!(calls.refusals(), " (429: 1, 503: 1)");
        assert_eq!(calls.good_took(99), Duration::from_millis(201));
        assert_eq!(calls.refused_took(0), Duration::from_millis(429));
    }
}
