//! A closed load: so many connections, each sending its next request when the answer to the last has come.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::http::Connection;

/// What one run of one request showed.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    pub per_second: f64,
    pub p50: Duration,
    pub p99: Duration,
}

/// Sends the same request over `connections` connections for `time`. Any answer but a success fails the run.
pub fn run(address: &str, request: &[u8], connections: usize, time: Duration) -> Result<Rate> {
    let latencies = Mutex::new(Vec::new());
    let begin = Instant::now();
    std::thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..connections)
            .map(|_| {
                scope.spawn(|| -> Result<()> {
                    let own = one_connection(address, request, begin + time)?;
                    if let Ok(mut all) = latencies.lock() {
                        all.extend(own);
                    }
                    Ok(())
                })
            })
            .collect();
        for worker in workers {
            match worker.join() {
                Ok(done) => done?,
                Err(_) => bail!("a connection's thread failed"),
            }
        }
        Ok(())
    })?;
    let elapsed = begin.elapsed();
    let mut latencies = latencies.into_inner().unwrap_or_default();
    latencies.sort_unstable();
    Ok(Rate {
        per_second: f64::from(u32::try_from(latencies.len())?) / elapsed.as_secs_f64(),
        p50: percentile(&latencies, 50),
        p99: percentile(&latencies, 99),
    })
}

fn one_connection(address: &str, request: &[u8], end: Instant) -> Result<Vec<Duration>> {
    let mut connection = Connection::open(address)?;
    let mut latencies = Vec::new();
    loop {
        let begin = Instant::now();
        if begin >= end {
            return Ok(latencies);
        }
        let answer = connection.call(request)?;
        if answer.status != 200 {
            bail!(
                "answered {}: {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
        }
        latencies.push(begin.elapsed());
    }
}

/// The value below which `percent` of the sorted values lie.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

/// Median, lowest and highest of a few values.
pub fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    (
        at(values.len() / 2),
        at(0),
        at(values.len().saturating_sub(1)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_and_spreads_are_of_sorted_values() {
        let values: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(percentile(&values, 50), Duration::from_millis(51));
        assert_eq!(percentile(&values, 99), Duration::from_millis(100));
        assert_eq!(percentile(&[], 99), Duration::ZERO);
        assert_eq!(spread(vec![3.0, 1.0, 2.0]), (2.0, 1.0, 3.0));
    }
}
