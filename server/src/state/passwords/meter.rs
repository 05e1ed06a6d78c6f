//! Counts hashes for tests: how many there were, and how many at most at the same time.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// What was counted so far.
#[derive(Debug, Default)]
pub struct Meter {
    all: AtomicUsize,
    now: AtomicUsize,
    most: AtomicUsize,
}

/// One hash being made; over when dropped.
pub struct HashInProgress<'a>(&'a Meter);

impl Meter {
    /// Counts a hash that begins.
    pub fn count(&self) -> HashInProgress<'_> {
        self.all.fetch_add(1, SeqCst);
        let now = self.now.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(now, SeqCst);
        HashInProgress(self)
    }

    /// Returns how many hashes there were since this was asked before.
    pub fn take(&self) -> usize {
        self.all.swap(0, SeqCst)
    }

    /// Returns how many there were at once, at most.
    pub fn most(&self) -> usize {
        self.most.load(SeqCst)
    }
}

impl Drop for HashInProgress<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, SeqCst);
    }
}
