//! A closed load: so many connections, each sending its next request when the answer to the last has come.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};

use super::http::Connection;

/// Result of one run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rate {
    pub count: u32,
    pub per_second: f64,
    pub p50: Duration,
    pub p99: Duration,
    /// 95th percentile of the time to the first byte.
    pub first_byte: Duration,
}

/// Time that one request took: to the first byte of its answer, and to the last.
#[derive(Clone, Copy)]
pub struct Took {
    pub first: Duration,
    pub whole: Duration,
}

/// Sends requests over `connections` connections for `time`: each connection its own one of them, or the same as another
/// if there are fewer. Any answer but a success fails the run.
pub fn run(
    address: &str,
    requests: &[Vec<u8>],
    connections: usize,
    time: Duration,
) -> Result<Rate> {
    let end = Instant::now() + time;
    workers(connections, |at| {
        let request = requests.iter().cycle().nth(at);
        let request = request.context("nothing to send")?;
        let mut connection = Connection::open(address)?;
        let mut took = Vec::new();
        while Instant::now() < end {
            took.push(call(&mut connection, request)?);
        }
        Ok(took)
    })
}

/// Sends each of these requests once, over `connections` connections.
pub fn each(address: &str, requests: &[Vec<u8>], connections: usize) -> Result<Rate> {
    let next = AtomicUsize::new(0);
    workers(connections, |_| {
        let mut connection = Connection::open(address)?;
        let mut took = Vec::new();
        while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
            took.push(call(&mut connection, request)?);
        }
        Ok(took)
    })
}

/// Runs `work` on so many threads at once and puts together what each of them measured.
pub fn workers(count: usize, work: impl Fn(usize) -> Result<Vec<Took>> + Sync) -> Result<Rate> {
    let begin = Instant::now();
    let took = gather(count, work)?;
    Ok(rate(&took, begin.elapsed()))
}

/// Runs `work` on so many threads at once; all their results.
pub fn gather<T: Send>(
    count: usize,
    work: impl Fn(usize) -> Result<Vec<T>> + Sync,
) -> Result<Vec<T>> {
    let all = Mutex::new(Vec::new());
    std::thread::scope(|scope| -> Result<()> {
        let work = &work;
        let threads: Vec<_> = (0..count).map(|at| scope.spawn(move || work(at))).collect();
        for thread in threads {
            let own = thread
                .join()
                .map_err(|_| anyhow!("a connection's thread failed"))??;
            if let Ok(mut all) = all.lock() {
                all.extend(own);
            }
        }
        Ok(())
    })?;
    Ok(all.into_inner().unwrap_or_default())
}

fn call(connection: &mut Connection, request: &[u8]) -> Result<Took> {
    let begin = Instant::now();
    let answer = connection.call(request)?;
    let whole = begin.elapsed();
    answer.expect_success()?;
    Ok(Took {
        first: answer.begun - begin,
        whole,
    })
}

fn rate(took: &[Took], elapsed: Duration) -> Rate {
    let sorted = |pick: fn(&Took) -> Duration| {
        let mut values: Vec<Duration> = took.iter().map(pick).collect();
        values.sort_unstable();
        values
    };
    let (first, whole) = (sorted(|took| took.first), sorted(|took| took.whole));
    let count = u32::try_from(took.len()).unwrap_or(u32::MAX);
    Rate {
        count,
        per_second: f64::from(count) / elapsed.as_secs_f64(),
        p50: percentile(&whole, 50),
        p99: percentile(&whole, 99),
        first_byte: percentile(&first, 95),
    }
}

/// The value below which `percent` of the sorted values lie.
pub fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_sorted_values() {
        let values: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(percentile(&values, 50), Duration::from_millis(51));
        assert_eq!(percentile(&values, 99), Duration::from_millis(100));
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }

    #[test]
    fn a_rate_counts_all_and_sorts_what_they_took() {
        let millis = Duration::from_millis;
        let took = [3, 1, 2].map(|n| Took {
            first: millis(n),
            whole: millis(n * 10),
        });
        let rate = rate(&took, millis(500));
        assert!((rate.per_second - 6.0).abs() < 1e-9);
        assert_eq!((rate.p50, rate.first_byte), (millis(20), millis(3)));
    }

    #[test]
    fn one_failing_thread_fails_the_run_and_none_is_lost() {
        let all = gather(3, |at| Ok(vec![at, at])).unwrap();
        assert_eq!(all.len(), 6);
        assert!(
            gather::<()>(2, |at| if at == 1 {
                Err(anyhow!("broken"))
            } else {
                Ok(vec![])
            })
            .is_err()
        );
    }
}
