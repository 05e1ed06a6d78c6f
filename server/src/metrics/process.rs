//! Memory, open files and age of this process, as Linux tells them.

use std::sync::LazyLock;
use std::time::Instant;

/// The size of a page of memory on the machines that this runs on.
const PAGE: u64 = 4096;

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Resources that the process holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Resources {
    /// Memory in RAM, in bytes; 0 where it cannot be told.
    pub resident: u64,
    /// Open file descriptors; 0 where it cannot be told.
    pub files: u64,
    /// Seconds since the process began to count.
    pub age: f64,
}

/// Begins to count the age of the process.
pub(super) fn begin() {
    LazyLock::force(&STARTED);
}

impl Resources {
    pub(super) fn now() -> Self {
        Self {
            resident: resident().unwrap_or_default(),
            files: files().unwrap_or_default(),
            age: STARTED.elapsed().as_secs_f64(),
        }
    }
}

/// The second number of `/proc/self/statm` (proc(5)), in pages.
fn resident() -> Option<u64> {
    let numbers = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = numbers.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(PAGE))
}

fn files() -> Option<u64> {
    let count = std::fs::read_dir("/proc/self/fd").ok()?.count();
    u64::try_from(count).ok()
}
