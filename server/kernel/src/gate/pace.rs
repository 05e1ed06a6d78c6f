//! How slow is too slow, for what comes and for what goes.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Slowest rate at which the other side may send or read. Only the time that is spent waiting for it counts.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The longest wait for the next bytes, and what all waits together may exceed the rate by.
    pub patience: Duration,
    /// Bytes per second, on average.
    pub rate: u32,
}

impl Pace {
    /// A body's: fifteen seconds, and the speed of a poor mobile connection.
    pub const BODY: Self = Self {
        patience: Duration::from_secs(15),
        rate: 16 * 1024,
    };

    /// An answer's: whoever reads 4 KiB a second gets 26 MB whole.
    pub const ANSWER: Self = Self {
        patience: Duration::from_secs(20),
        rate: 4 * 1024,
    };

    /// Returns the same rate with another patience.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Returns the time the next bytes may take, after `moved` bytes and a total wait of `waited`.
    pub fn left(self, moved: u64, waited: Duration) -> Duration {
        let earned =
            Duration::from_millis(moved.saturating_mul(1000) / u64::from(self.rate.max(1)));
        let budget = self.patience.saturating_add(earned);
        budget.saturating_sub(waited).min(self.patience)
    }
}

/// Progress of the other side of a transfer, measured against a [`Pace`].
pub struct Waiting {
    pace: Pace,
    moved: u64,
    waited: Duration,
    since: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Waiting {
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            moved: 0,
            waited: Duration::ZERO,
            since: None,
        }
    }

    /// While nothing moves: ready once that has gone on for too long.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let left = self.pace.left(self.moved, self.waited);
        let (_, sleep) = self
            .since
            .get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(left))));
        sleep.as_mut().poll(context)
    }

    /// Bytes moved: whoever was waited for is on their way again.
    pub fn moved(&mut self, bytes: usize) {
        self.moved = self.moved.saturating_add(bytes as u64);
        if let Some((since, _)) = self.since.take() {
            self.waited += since.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_bounded_by_patience_and_by_what_was_moved() {
        let pace = Pace {
            patience: Duration::from_secs(10),
            rate: 1000,
        };
        let seconds = Duration::from_secs;
        assert_eq!(pace.left(0, Duration::ZERO), seconds(10));
        assert_eq!(pace.left(0, seconds(9)), seconds(1));
        assert_eq!(pace.left(5_000, seconds(12)), seconds(3));
        assert_eq!(pace.left(1 << 40, seconds(12)), seconds(10), "never longer");
        assert_eq!(pace.left(1_000, seconds(11)), Duration::ZERO);
    }

    #[test]
    fn an_honest_reader_of_20_kb_a_second_gets_26_mb() {
        // Whole pieces of 64 KiB at a time, each waited for as long as it takes.
        let (mut moved, mut waited) = (0_u64, Duration::ZERO);
        let piece = Duration::from_millis(64 * 1024 / 20);
        while moved < 26_000_000 {
            assert!(Pace::ANSWER.left(moved, waited) > piece, "{moved}");
            moved += 64 * 1024;
            waited += piece;
        }
    }
}
