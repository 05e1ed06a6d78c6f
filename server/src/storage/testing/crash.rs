//! Deaths of the process. At a chosen point between two statements: a death unwinds the work on this thread without a
//! word, so that what it held is dropped as it would be: transactions that were not committed never happened.
//! `kernel_testing::breaking` breaks work off wherever it waits.

use std::cell::Cell;

pub use kernel_testing::breaking::{Sweeps, break_off};

thread_local! {
    static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
}

/// The process dies when it has passed so many points.
pub fn after(points: Option<u32>) {
    LEFT.set(points);
}

/// Calls the death off; whether it had come before.
pub fn came(armed: bool) -> bool {
    armed && LEFT.take().is_none()
}

/// A point between two statements.
pub fn point() {
    match LEFT.get() {
        None => {}
        Some(0) => {
            LEFT.set(None);
            std::panic::resume_unwind(Box::new("the process died"));
        }
        Some(left) => LEFT.set(Some(left - 1)),
    }
}
