//! Memory and disk of the server while it is soaked.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Verdict;
use crate::bench::process;
use crate::bench::subject::Subject;

/// The time between two samples.
pub const EVERY: Duration = Duration::from_secs(5);
/// Factor by which the disk may fill faster than with honest callers alone, for honest reasons (the write-ahead log,
/// pages half full).
const SLACK: f64 = 2.0;

/// One look at the server.
#[derive(Clone, Copy)]
struct Sample {
    at: Instant,
    /// MiB.
    memory: f64,
    /// Bytes.
    disk: u64,
}

/// All samples, and when the attacks began.
pub struct Watch {
    folder: PathBuf,
    samples: Vec<Sample>,
    attacked_from: Option<usize>,
    told: Instant,
}

impl Watch {
    /// Watches the server and the folder that holds its database.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            samples: Vec::new(),
            attacked_from: None,
            told: Instant::now(),
        }
    }

    /// Notes that what follows happens under attack.
    pub fn attacks_begin(&mut self) {
        self.attacked_from = Some(self.samples.len());
    }

    /// Takes a sample; once a minute it is printed with `progress`.
    pub fn sample(&mut self, subject: &Subject<'_>, progress: &str) {
        let memory = process::memory(subject).map_or(0.0, |memory| memory.now);
        let disk = size(&self.folder);
        self.samples.push(Sample {
            at: Instant::now(),
            memory,
            disk,
        });
        if self.samples.len() == 1 || self.told.elapsed() >= Duration::from_mins(1) {
            self.told = Instant::now();
            eprintln!(
                "    {memory:.0} MiB of memory, {:.1} MB on disk; {progress}",
                mega(disk)
            );
        }
    }

    /// The most memory seen, against a bound in MiB.
    pub fn memory(&self, most: f64) -> Verdict {
        let peak = self
            .samples
            .iter()
            .map(|one| one.memory)
            .fold(0.0, f64::max);
        Verdict {
            promise: "memory stays within 256 MiB",
            seen: format!("{peak:.0} MiB at most"),
            kept: peak > 0.0 && peak <= most,
        }
    }

    /// The memory after the attacks, against what it was before them.
    pub fn memory_afterwards(&self, after: f64, left_over: f64) -> Verdict {
        let from = self.attacked_from.unwrap_or(self.samples.len());
        let before = self
            .samples
            .get(..from)
            .into_iter()
            .flatten()
            .map(|one| one.memory)
            .fold(0.0, f64::max);
        Verdict {
            promise: "memory comes back after the attacks",
            seen: format!("{before:.0} MiB before, {after:.0} MiB after"),
            kept: after > 0.0 && after <= before + left_over,
        }
    }

    /// Compares the growth of the disk under attack with that before: it may be no faster, but for the factor `SLACK`
    /// and the bytes that the attackers sent.
    pub fn disk(&self, sent: u64) -> Verdict {
        let from = self.attacked_from.unwrap_or(self.samples.len());
        let alone = growth(self.samples.get(..from).unwrap_or_default());
        let attacked = self.samples.get(from..).unwrap_or_default();
        let (grew, seconds) = (growth(attacked), seconds(attacked));
        let allowed = alone * SLACK * seconds + as_f64(sent);
        Verdict {
            promise: "attackers cost less disk than they send",
            seen: format!(
                "{:.1} MB an hour alone, {:.1} MB an hour attacked, {:.1} MB sent by attackers",
                alone * 3600.0 / 1e6,
                grew * 3600.0 / 1e6,
                mega(sent)
            ),
            kept: attacked.len() > 1 && grew * seconds <= allowed,
        }
    }
}

fn seconds(samples: &[Sample]) -> f64 {
    match (samples.first(), samples.last()) {
        (Some(first), Some(last)) => (last.at - first.at).as_secs_f64(),
        _ => 0.0,
    }
}

/// Bytes a second.
fn growth(samples: &[Sample]) -> f64 {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
        return 0.0;
    };
    let seconds = seconds(samples);
    if seconds > 0.0 {
        as_f64(last.disk.saturating_sub(first.disk)) / seconds
    } else {
        0.0
    }
}

fn mega(bytes: u64) -> f64 {
    as_f64(bytes) / 1e6
}

/// Exact up to 2^53 bytes.
#[expect(clippy::cast_precision_loss, reason = "folders of less than 9 PB")]
fn as_f64(bytes: u64) -> f64 {
    bytes as f64
}

/// The bytes of all files below a folder; files that vanish meanwhile count nothing.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => size(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(samples: &[(u64, f64, u64)], attacked_from: usize) -> Watch {
        let begin = Instant::now();
        let mut watch = Watch::new(PathBuf::new());
        watch.samples = samples
            .iter()
            .map(|&(second, memory, disk)| Sample {
                at: begin + Duration::from_secs(second),
                memory,
                disk,
            })
            .collect();
        watch.attacked_from = Some(attacked_from);
        watch
    }

    #[test]
    fn disk_that_attackers_fill_beyond_what_they_send_is_found() {
        let bounded = watch(
            &[(0, 1.0, 0), (10, 1.0, 100), (20, 1.0, 200), (30, 1.0, 300)],
            2,
        );
        assert!(bounded.disk(0).kept);
        let filled = watch(
            &[
                (0, 1.0, 0),
                (10, 1.0, 100),
                (20, 1.0, 200),
                (30, 1.0, 9_000),
            ],
            2,
        );
        assert!(!filled.disk(5_000).kept);
        assert!(filled.disk(10_000).kept);
    }

    #[test]
    fn memory_is_judged_at_its_peak_and_afterwards() {
        let seen = watch(&[(0, 40.0, 0), (10, 50.0, 0), (20, 300.0, 0)], 2);
        assert!(!seen.memory(256.0).kept);
        assert!(seen.memory(300.0).kept);
        assert!(seen.memory_afterwards(90.0, 48.0).kept);
        assert!(!seen.memory_afterwards(99.0, 48.0).kept);
        assert!(
            !watch(&[], 0).memory(256.0).kept,
            "nothing seen is no proof"
        );
    }
}
