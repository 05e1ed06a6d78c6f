//! Work that ends wherever it waits, for a database or for somebody else's answer, as it would if its process died there.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use tokio::sync::Notify;

/// The fewest places to die in that anything worth breaking off can have: calls to a bank always take a while.
const FEWEST: usize = 2;

/// Counts sweeps over all the places to die in. How many places there are differs from run to run: on a machine with
/// much to do an answer may be there before it is waited for. It is swept until one run had enough of them.
pub struct Sweeps {
    least: usize,
    done: usize,
    deepest: usize,
}

impl Sweeps {
    /// The most sweeps until one has to have had places enough.
    const MOST: usize = 200;

    /// Makes a count that asks for at least `least` sweeps.
    pub fn of(least: usize) -> Self {
        Self {
            least,
            done: 0,
            deepest: 0,
        }
    }

    /// Notes a sweep that was done before it waited `times` times. Returns whether it may end here.
    pub fn end_with(&mut self, times: usize) -> bool {
        self.done += 1;
        self.deepest = self.deepest.max(times);
        let deep = self.deepest > FEWEST;
        assert!(
            deep || self.done < Self::MOST,
            "it was broken off {} places deep",
            self.deepest
        );
        deep && self.done >= self.least
    }
}

/// Rings when what waits may go on.
#[derive(Default)]
struct Bell(Notify);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

/// Runs a future until it has waited `times` times, then drops it where it stands, as a crash would; what it answered
/// if it was done before.
pub async fn break_off<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(bell.clone());
    let mut future = pin!(future);
    for _ in 0..times {
        if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(done);
        }
        bell.0.notified().await;
    }
    None
}
