//! Limits on the calls that are worked on at once: more would make all of them slow. What must not wait for a crowd of readers has
//! a fifth of the slots to itself.
//!
//! A slot is held while somebody else is waited for, a bank for example, so there are many of them; a queue for the
//! database, which only grows where this machine is what is slow, is kept short by itself ([`CoDelQueue`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kernel::db::ReadQueue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Readings have so many fifths of the slots.
const READINGS: u32 = 4;
/// Of those, readings that wait for a bank have so many: a bank that hangs holds up no others.
const WAITING: u32 = 2;
const FIFTHS: u32 = 5;

/// Slots for calls.
pub struct CallSlots {
    most: usize,
    most_readings: usize,
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
        let readings = most / FIFTHS * READINGS;
        Self {
            most: most as usize,
            most_readings: readings as usize,
            all: slots(most),
            readings: slots(readings),
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

    /// Returns how many calls are worked on.
    pub fn in_use(&self) -> usize {
        self.most - self.all.available_permits()
    }

    /// Returns how many calls are worked on that are no readings.
    pub fn others(&self) -> usize {
        let readings = self.most_readings - self.readings.available_permits();
        let all = self.most - self.all.available_permits();
        // Taken one after the other: the two counts may be of two moments.
        all.saturating_sub(readings)
    }

    /// Leave to wait for a bank while holding a slot, if not too many do.
    pub fn wait(&self) -> Option<OwnedSemaphorePermit> {
        self.waiting.clone().try_acquire_owned().ok()
    }
}

/// So many readings may wait for each connection of the database for longer than [`PATIENCE`].
const QUEUE: usize = 2;
/// So many may wait in all, for however short a time: as many as one source has connections.
const BURST: usize = 64;
/// Once the queue stood, readings are let in one at a time while so many other calls are worked on: they come first.
const OTHERS: usize = 16;
/// How long a queue of [`QUEUE`] is taken for a burst that passes.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long after the last that were sent away one after the other the next burst is not waited out.
const CALM: Duration = Duration::from_secs(1);
/// Those sent away follow each other this closely where more come than can be answered. A single one, of a machine that
/// has much to do, does not make the calm later.
const THICK: Duration = Duration::from_millis(20);
/// How often the log tells how many were sent away.
const TELL: Duration = Duration::from_secs(1);

/// The queue for the database, which is kept short where it would stand (after `CoDel`, RFC 8289): what is let in is answered
/// about as fast as ever, what is not hears so at once. Once it stood, no reading is let in that would have to wait, so that
/// sessions, steps and tokens, which are never sent away here, find the processor free.
pub struct CoDelQueue {
    begun: Instant,
    /// Since when the queue has been too long; none: 0. Times are milliseconds since `begun`, and at least 1.
    standing_since: AtomicU64,
    shedding_until: AtomicU64,
    last_shed: AtomicU64,
    shed: AtomicU64,
    told: AtomicU64,
}

impl Default for CoDelQueue {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            standing_since: AtomicU64::new(0),
            shedding_until: AtomicU64::new(0),
            last_shed: AtomicU64::new(0),
            shed: AtomicU64::new(0),
            told: AtomicU64::new(0),
        }
    }
}

impl CoDelQueue {
    /// Returns `true` if a reading should be sent away, with these before it and so many other calls beside it.
    pub fn is_too_large(&self, queue: ReadQueue, others: usize) -> bool {
        let now = 1 + millis(self.begun.elapsed());
        let others_first = others >= OTHERS && queue.lent > 0;
        if queue.waiting == 0 && !(others_first && self.is_shedding(now)) {
            self.standing_since.store(0, Ordering::Relaxed);
            return false;
        }
        self.stands_at(now, queue.waiting / queue.connections.max(1)) || queue.waiting >= BURST
    }

    fn is_shedding(&self, now: u64) -> bool {
        now < self.shedding_until.load(Ordering::Relaxed)
    }

    /// Decides at a time, with so many waiting for each connection, rounded down.
    fn stands_at(&self, now: u64, waiting: usize) -> bool {
        let stands = waiting >= QUEUE;
        let since = match self.standing_since.load(Ordering::Relaxed) {
            0 => now,
            since => since,
        };
        self.standing_since
            .store(if stands { since } else { 0 }, Ordering::Relaxed);
        let is_long = stands && now >= since + millis(PATIENCE);
        let is_shedding = self.is_shedding(now);
        if !is_long && !is_shedding {
            return false;
        }
        let last = self.last_shed.swap(now, Ordering::Relaxed);
        if is_long || now <= last + millis(THICK) {
            self.shedding_until
                .store(now + millis(CALM), Ordering::Relaxed);
        }
        true
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
        let queue = |waiting| ReadQueue {
            waiting,
            lent: 4,
            connections: 4,
        };
        assert!(!crowd.is_too_large(queue(4 * QUEUE - 1), 0));
        assert!(!crowd.stands_at(1, QUEUE) && !crowd.stands_at(100, QUEUE));
        // It became shorter in between: that was a burst.
        assert!(!crowd.stands_at(101, QUEUE - 1));
        assert!(!crowd.stands_at(150, QUEUE) && !crowd.stands_at(249, QUEUE));
        assert!(crowd.stands_at(250, QUEUE), "it stands");
        // From then on nobody waits, as long as many come one after the other.
        assert!(!crowd.is_too_large(queue(0), OTHERS - 1));
        assert!(crowd.stands_at(1_239, 0) && crowd.stands_at(1_240, 0));
        assert!(crowd.stands_at(2_230, 0), "a single one");
        assert!(!crowd.stands_at(2_241, 0), "calm again");
        assert!(!crowd.stands_at(2_242, QUEUE) && !crowd.stands_at(2_341, QUEUE));
        assert!(crowd.stands_at(2_342, QUEUE));
        // Whatever is before it, a burst has an end.
        let crowd = CoDelQueue::default();
        assert!(!crowd.is_too_large(queue(BURST - 1), OTHERS));
        assert!(crowd.is_too_large(queue(BURST), 0));
    }

    #[test]
    fn a_crowd_of_readers_leaves_a_fifth_to_those_who_go_on() {
        let turns = CallSlots::new(10);
        let readers: Vec<CallSlot> = (0..100).filter_map(|_| turns.take(true)).collect();
        let others: Vec<CallSlot> = (0..100).filter_map(|_| turns.take(false)).collect();
        assert_eq!((readers.len(), others.len()), (8, 2));
        assert_eq!(turns.others(), 2);
        drop(readers);
        assert_eq!(turns.others(), 2);
        let waiting: Vec<_> = (0..100).filter_map(|_| turns.wait()).collect();
        assert_eq!(waiting.len(), 4);
        assert!(turns.take(true).is_some() && turns.take(false).is_some());
    }
}
