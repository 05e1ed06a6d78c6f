//! How many calls are worked on at once: more would make all of them slow. What must not wait for a crowd of readers has
//! a fifth of the places to itself.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Readings have so many fifths of the places.
const READINGS: u32 = 4;
const FIFTHS: u32 = 5;

/// Places for calls.
pub struct Turns {
    all: Arc<Semaphore>,
    readings: Arc<Semaphore>,
}

/// One call's place; given back when dropped.
pub struct Turn(#[expect(dead_code, reason = "held, not read")] [Option<OwnedSemaphorePermit>; 2]);

impl Turns {
    pub fn new(most: u32) -> Self {
        let most = most.max(FIFTHS);
        let places = |count: u32| Arc::new(Semaphore::new(count as usize));
        Self {
            all: places(most),
            readings: places(most / FIFTHS * READINGS),
        }
    }

    /// A place, if one is free: nobody waits.
    pub fn take(&self, is_reading: bool) -> Option<Turn> {
        let reading = if is_reading {
            Some(self.readings.clone().try_acquire_owned().ok()?)
        } else {
            None
        };
        let place = self.all.clone().try_acquire_owned().ok()?;
        Some(Turn([Some(place), reading]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_of_readers_leaves_a_fifth_to_those_who_go_on() {
        let turns = Turns::new(10);
        let readers: Vec<Turn> = (0..100).filter_map(|_| turns.take(true)).collect();
        let others: Vec<Turn> = (0..100).filter_map(|_| turns.take(false)).collect();
        assert_eq!((readers.len(), others.len()), (8, 2));
        drop(readers);
        assert!(turns.take(true).is_some() && turns.take(false).is_some());
    }
}
