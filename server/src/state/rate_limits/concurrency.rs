//! Limits on the calls that are worked on at once: more would make all of them slow. What must not wait for a crowd of readers has
//! a fifth of the slots to itself.
//!
//! A slot is held while somebody else is waited for, a bank for example, so there are many of them; a queue for the
//! database, which only grows where this machine is what is slow, is kept short by itself ([`CoDelQueue`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Readings have so many fifths of the slots.
const READINGS: u32 = 4;
/// Of those, readings that wait for a bank have so many: a bank that hangs holds up no others.
const WAITING: u32 = 2;
const FIFTHS: u32 = 5;

/// Slots for calls.
pub struct CallSlots {
    all: Arc<Semaphore>,
    readings: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// One call's slot; given back when dropped.
pub struct CallSlot(
    #[expect(dead_code, reason = "held, not read")] [Option<OwnedSemaphorePermit>; 2],
);

impl CallSlots {
    pub fn new(most: u32) -> Self {
        let most = most.max(FIFTHS);
        let slots = |count: u32| Arc::new(Semaphore::new(count as usize));
        Self {
            all: slots(most),
            readings: slots(most / FIFTHS * READINGS),
            waiting: slots(most / FIFTHS * WAITING),
        }
    }

    /// Takes a slot, if one is free: nobody waits.
    pub fn take(&self, is_reading: bool) -> Option<CallSlot> {
        let reading = if is_reading {
            Some(self.readings.clone().try_acquire_owned().ok()?)
        } else {
            None
        };
        let slot = self.all.clone().try_acquire_owned().ok()?;
        Some(CallSlot([Some(slot), reading]))
    }

    /// Leave to wait for a bank while holding a slot, if not too many do.
    pub fn wait(&self) -> Option<OwnedSemaphorePermit> {
        self.waiting.clone().try_acquire_owned().ok()
    }
}

/// So many readings may wait for each connection of the database for longer than [`PATIENCE`].
const QUEUE: usize = 2;
/// How long a longer queue is taken for a burst that passes.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long after the last that was sent away the next burst is not waited out.
const CALM: Duration = Duration::from_secs(1);
/// How often the log tells how many were sent away.
const TELL: Duration = Duration::from_secs(1);

/// The queue for the database, which is kept short where it would stand (after `CoDel`, RFC 8289): what is let in is answered
/// about as fast as ever, what is not hears so at once.
pub struct CoDelQueue {
    begun: Instant,
    /// Since when the queue has been too long; none: 0. Times are milliseconds since `begun`, and at least 1.
    standing_since: AtomicU64,
    shedding_until: AtomicU64,
    shed: AtomicU64,
    told: AtomicU64,
}

impl Default for CoDelQueue {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            standing_since: AtomicU64::new(0),
            shedding_until: AtomicU64::new(0),
            shed: AtomicU64::new(0),
            told: AtomicU64::new(0),
        }
    }
}

impl CoDelQueue {
    /// Returns `true` if a reading should be sent away, with so many before it for each connection.
    pub fn is_too_large(&self, queue: usize) -> bool {
        if queue < QUEUE {
            self.standing_since.store(0, Ordering::Relaxed);
            return false;
        }
        self.stands_at(1 + millis(self.begun.elapsed()))
    }

    fn stands_at(&self, now: u64) -> bool {
        let since = self.standing_since.load(Ordering::Relaxed);
        let is_shedding = now < self.shedding_until.load(Ordering::Relaxed);
        if is_shedding || (since > 0 && now >= since + millis(PATIENCE)) {
            self.shedding_until
                .store(now + millis(CALM), Ordering::Relaxed);
            return true;
        }
        if since == 0 {
            self.standing_since.store(now, Ordering::Relaxed);
        }
        false
    }

    /// Counts one that was sent away. How many there were since this was last asked, if it is time to tell.
    pub fn count(&self) -> Option<u64> {
        self.shed.fetch_add(1, Ordering::Relaxed);
        let now = 1 + millis(self.begun.elapsed());
        let told = self.told.load(Ordering::Relaxed);
        let is_time = told == 0 || now >= told + millis(TELL);
        let ours = is_time
            && self
                .told
                .compare_exchange(told, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        ours.then(|| self.shed.swap(0, Ordering::Relaxed))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_waited_out_and_a_queue_that_stands_is_kept_short() {
        let crowd = CoDelQueue::default();
        assert!(!crowd.is_too_large(QUEUE - 1));
        assert!(!crowd.stands_at(1) && !crowd.stands_at(100));
        // It went away in between: that was a burst.
        assert!(!crowd.is_too_large(0));
        assert!(!crowd.stands_at(150) && !crowd.stands_at(249));
        assert!(crowd.stands_at(250), "it stands");
        // From then on every queue is too long, until none was for a while.
        assert!(!crowd.is_too_large(0));
        assert!(crowd.stands_at(1_200) && crowd.stands_at(2_100));
        assert!(!crowd.is_too_large(0));
        assert!(!crowd.stands_at(3_100), "calm again");
    }

    #[test]
    fn a_crowd_of_readers_leaves_a_fifth_to_those_who_go_on() {
        let turns = CallSlots::new(10);
        let readers: Vec<CallSlot> = (0..100).filter_map(|_| turns.take(true)).collect();
        let others: Vec<CallSlot> = (0..100).filter_map(|_| turns.take(false)).collect();
        assert_eq!((readers.len(), others.len()), (8, 2));
        drop(readers);
        let waiting: Vec<_> = (0..100).filter_map(|_| turns.wait()).collect();
        assert_eq!(waiting.len(), 4);
        assert!(turns.take(true).is_some() && turns.take(false).is_some());
    }
}
