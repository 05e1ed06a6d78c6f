//! Tasks that run beside the requests: each is started again when it panics, and says that it is alive.
//!
//! `supervise` runs a task until the server stops. The task gives a sign of life to the [`Heartbeats`] each time it goes
//! round; `/readyz` names those that have been silent for too long.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Time a task may give no sign of life before `/readyz` says that the server is not ready.
pub const SILENCE: Duration = Duration::from_mins(1);

/// Times of the last sign of life of each background task. Cheap to clone.
#[derive(Clone, Default)]
pub struct Heartbeats(Arc<Mutex<BTreeMap<&'static str, Instant>>>);

impl Heartbeats {
    /// Records a sign of life of a task, now; the first one makes the task known.
    pub fn beat(&self, task: &'static str) {
        self.beat_at(task, Instant::now());
    }

    /// Records a sign of life of a task at a given time.
    pub fn beat_at(&self, task: &'static str, at: Instant) {
        let mut beats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        beats.insert(task, at);
    }

    /// Forgets a task that has ended because the server stops.
    pub fn end(&self, task: &'static str) {
        let mut beats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        beats.remove(task);
    }

    /// The tasks that were silent for longer than [`SILENCE`], each with how long.
    pub fn silent(&self, now: Instant) -> Vec<(&'static str, Duration)> {
        let beats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let silences = beats
            .iter()
            .map(|(task, last)| (*task, now.saturating_duration_since(*last)));
        silences.filter(|(_, silence)| *silence > SILENCE).collect()
    }
}

/// Bounds of the wait between two starts of a task that does not stay up. The wait doubles each time.
#[derive(Clone, Copy, Debug)]
pub struct Restarts {
    pub first: Duration,
    pub longest: Duration,
}

impl Default for Restarts {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(30),
        }
    }
}

/// Runs a task, in a task of its own, until the server stops; one that panics or ends by itself is started again.
/// The task itself is told to stop by `stop` and is then waited for.
pub async fn supervise<Task>(
    name: &'static str,
    heartbeats: &Heartbeats,
    stop: &CancellationToken,
    restarts: Restarts,
    make: impl Fn() -> Task + Send,
) where
    Task: Future<Output = ()> + Send + 'static,
{
    let mut wait = restarts.first;
    heartbeats.beat(name);
    loop {
        let began = Instant::now();
        let ended = AbortOnDropHandle::new(tokio::spawn(make())).await;
        if stop.is_cancelled() {
            break;
        }
        let panicked = ended.is_err_and(|error| error.is_panic());
        tracing::error!(
            task = name,
            panicked,
            "a background task ended; it is started again"
        );
        // One that stayed up for a while is not in a circle of falling over.
        if began.elapsed() > restarts.longest {
            wait = restarts.first;
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(wait) => {}
        }
        wait = (wait * 2).min(restarts.longest);
    }
    heartbeats.end(name);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const AT_ONCE: Restarts = Restarts {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(4),
    };

    #[tokio::test]
    async fn a_task_that_panics_or_ends_is_started_again_until_the_server_stops() {
        let (heartbeats, stop) = (Heartbeats::default(), CancellationToken::new());
        let starts = Arc::new(AtomicUsize::new(0));
        let make = || {
            let (starts, stop) = (starts.clone(), stop.clone());
            async move {
                match starts.fetch_add(1, Ordering::SeqCst) {
                    0 => panic!("the first time"),
                    1 => {}
                    _ => stop.cancel(),
                }
            }
        };
        supervise("test", &heartbeats, &stop, AT_ONCE, make).await;
        assert_eq!(starts.load(Ordering::SeqCst), 3);
        let later = Instant::now() + SILENCE * 2;
        assert!(
            heartbeats.silent(later).is_empty(),
            "a stopped task is not missed"
        );
    }

    #[test]
    fn a_task_that_is_silent_for_too_long_is_named() {
        let (heartbeats, now) = (Heartbeats::default(), Instant::now());
        heartbeats.beat_at("mail", now);
        heartbeats.beat_at("data", now + Duration::from_secs(30));
        assert!(heartbeats.silent(now + SILENCE).is_empty());
        let late = now + SILENCE + Duration::from_secs(1);
        assert_eq!(
            heartbeats.silent(late),
            [("mail", SILENCE + Duration::from_secs(1))]
        );
        heartbeats.beat_at("mail", late);
        assert!(heartbeats.silent(late).is_empty());
    }
}
