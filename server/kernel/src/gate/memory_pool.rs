//! Memory that requests hold before anybody knows who sent them, and answers before anybody reads them: bounded in all,
//! and shared out fairly.
//!
//! Nobody can fill it for the others. A source holds a quarter of it at most; when all of it is taken, whoever holds the
//! most gives up its oldest for one who holds less, and for one that is alone and no larger than a documented body. Of
//! those whose bodies are no larger than that, the one who came first goes first: an honest body is whole in a moment, and
//! whoever fills the room with many small ones must not push out the larger one of somebody else.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use std::task::{Context, Poll};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use super::source::SourceAddress;

/// The largest JSON body that is documented, in bytes: one such finds room, whoever holds the rest.
pub const ALONE: usize = 256 * 1024;
/// The part of everything that one source may hold: one in so many.
const SHARE: usize = 4;
/// Bytes that a body takes first, and at least.
pub const FIRST: usize = 4 * 1024;
/// Bytes that a request holds besides its head and body as long as it waits for more of the body: the buffers of its
/// connection, and the state of the layers and the handler (24 KiB measured, and hyper's buffer of 8).
pub const UNFINISHED: usize = 32 * 1024;
/// The most that a request with the largest documented body holds.
const ALL_OF_ONE: usize = ALONE + FIRST + 2 * UNFINISHED;

/// Memory for many requests, bounded in all.
pub struct MemoryPool {
    most: usize,
    /// Holders of no more than this are alike: of them the one who came first gives up first, whatever it holds.
    alike: usize,
    next: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    held: usize,
    sources: HashMap<SourceAddress, Holder>,
}

/// Shares held by one source, the oldest first.
#[derive(Default)]
struct Holder {
    held: usize,
    taken: BTreeMap<u64, Taken>,
}

struct Taken {
    held: usize,
    gone: Arc<Gone>,
}

/// Notice that a share was taken away for another source.
struct Gone {
    is_gone: AtomicBool,
    told: Arc<Notify>,
}

/// Memory held by one request, given back when the last copy is dropped, or earlier by [`MemoryShare::release`].
#[derive(Clone, Default)]
pub struct MemoryShare(Option<Arc<Occupied>>);

struct Occupied {
    rooms: Arc<MemoryPool>,
    source: SourceAddress,
    id: u64,
    gone: Arc<Gone>,
    is_released: AtomicBool,
}

/// The pool has no room, or the share went to somebody else.
#[derive(Debug, PartialEq, Eq)]
pub struct NoRoom;

impl MemoryPool {
    /// Room for so many bytes.
    pub fn new(most: usize) -> Arc<Self> {
        Self::with(most, 0)
    }

    /// Memory for bodies: holders of no more than one documented body are alike.
    pub fn for_bodies(most: usize) -> Arc<Self> {
        Self::with(most, ALL_OF_ONE)
    }

    fn with(most: usize, alike: usize) -> Arc<Self> {
        Arc::new(Self {
            most: most.max(ALL_OF_ONE),
            alike,
            next: AtomicU64::new(0),
            inner: Mutex::default(),
        })
    }

    /// Returns an empty share for one request of a source.
    pub fn room(self: &Arc<Self>, source: SourceAddress) -> MemoryShare {
        self.room_of(source, Arc::new(Notify::new()))
    }

    /// Returns an empty share that notifies `told` when it is taken away for another source.
    pub fn room_of(self: &Arc<Self>, source: SourceAddress, told: Arc<Notify>) -> MemoryShare {
        MemoryShare(Some(Arc::new(Occupied {
            rooms: self.clone(),
            source,
            id: self.next.fetch_add(1, Ordering::Relaxed),
            gone: Arc::new(Gone {
                is_gone: AtomicBool::new(false),
                told,
            }),
            is_released: AtomicBool::new(false),
        })))
    }

    /// Returns the bytes held in all.
    pub fn held(&self) -> usize {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .held
    }
}

impl Inner {
    /// Makes room for `bytes` more of a source, if it may have them.
    fn make(
        &mut self,
        (most, alike): (usize, usize),
        source: SourceAddress,
        bytes: usize,
    ) -> Result<(), NoRoom> {
        let mine = self.sources.get(&source).map_or(0, |holder| holder.held);
        let mine = mine.saturating_add(bytes);
        if mine > (most / SHARE).max(ALL_OF_ONE) {
            return Err(NoRoom);
        }
        while self.held.saturating_add(bytes) > most {
            let others = self.sources.iter().filter(|(other, _)| **other != source);
            let largest = others.max_by_key(|(_, holder)| {
                let oldest = holder.taken.keys().next().copied();
                (holder.held.max(alike), Reverse(oldest))
            });
            let (largest, held) = largest
                .map(|(it, holder)| (*it, holder.held))
                .ok_or(NoRoom)?;
            if held <= mine && mine > ALL_OF_ONE {
                return Err(NoRoom);
            }
            self.evict(largest);
        }
        Ok(())
    }

    /// Takes the oldest share of a source away.
    fn evict(&mut self, source: SourceAddress) {
        let oldest = self.sources.get(&source);
        let oldest = oldest.and_then(|holder| holder.taken.keys().next().copied());
        match oldest.and_then(|id| self.remove(source, id)) {
            Some(taken) => {
                taken.gone.is_gone.store(true, Ordering::Release);
                taken.gone.told.notify_one();
            }
            // Holds nothing: is not to be found again.
            None => drop(self.sources.remove(&source)),
        }
    }

    /// Makes a share smaller. One that holds nothing is not remembered: nothing could be taken from it.
    fn shrink(&mut self, source: SourceAddress, id: u64, bytes: usize) {
        let Some(holder) = self.sources.get_mut(&source) else {
            return;
        };
        let Some(taken) = holder.taken.get_mut(&id) else {
            return;
        };
        if taken.held <= bytes {
            self.remove(source, id);
            return;
        }
        taken.held -= bytes;
        holder.held = holder.held.saturating_sub(bytes);
        self.held = self.held.saturating_sub(bytes);
    }

    fn remove(&mut self, source: SourceAddress, id: u64) -> Option<Taken> {
        let holder = self.sources.get_mut(&source)?;
        let taken = holder.taken.remove(&id)?;
        holder.held = holder.held.saturating_sub(taken.held);
        self.held = self.held.saturating_sub(taken.held);
        if holder.taken.is_empty() {
            self.sources.remove(&source);
        }
        Some(taken)
    }
}

impl MemoryShare {
    /// Takes so many bytes more; nothing once the share was released.
    pub fn take(&self, bytes: usize) -> Result<(), NoRoom> {
        let Some(occupied) = &self.0 else {
            return Ok(());
        };
        if occupied.is_released.load(Ordering::Acquire) {
            return Ok(());
        }
        let rooms = &occupied.rooms;
        let mut inner = rooms.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if occupied.gone.is_gone.load(Ordering::Acquire) {
            return Err(NoRoom);
        }
        inner.make((rooms.most, rooms.alike), occupied.source, bytes)?;
        inner.held += bytes;
        let holder = inner.sources.entry(occupied.source).or_default();
        holder.held += bytes;
        let taken = holder.taken.entry(occupied.id).or_insert_with(|| Taken {
            held: 0,
            gone: occupied.gone.clone(),
        });
        taken.held += bytes;
        Ok(())
    }

    /// Gives everything back for good, because the sender is authenticated.
    pub fn release(&self) {
        if let Some(occupied) = &self.0 {
            occupied.is_released.store(true, Ordering::Release);
            occupied.release();
        }
    }

    /// Gives so many bytes back.
    pub fn give_back(&self, bytes: usize) {
        if let Some(occupied) = &self.0 {
            let mut inner = occupied
                .rooms
                .inner
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            inner.shrink(occupied.source, occupied.id, bytes);
        }
    }

    /// Ready once the share went to somebody else; never for who has nothing to lose. `waiting` is the place in the queue
    /// of those to be told, `None` at first.
    pub fn poll_gone(
        &self,
        waiting: &mut Option<Pin<Box<OwnedNotified>>>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        let Some(occupied) = &self.0 else {
            return Poll::Pending;
        };
        let told =
            waiting.get_or_insert_with(|| Box::pin(occupied.gone.told.clone().notified_owned()));
        if occupied.gone.is_gone.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        told.as_mut().poll(context)
    }
}

impl Occupied {
    fn release(&self) {
        let mut inner = self
            .rooms
            .inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        inner.remove(self.source, self.id);
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const MIB: usize = 1 << 20;

    fn source(n: u8) -> SourceAddress {
        SourceAddress::from(IpAddr::from([192, 0, 2, n]))
    }

    #[test]
    fn what_is_taken_is_bounded_and_given_back() {
        let rooms = MemoryPool::new(4 * MIB);
        let one = rooms.room(source(1));
        one.take(MIB).unwrap();
        assert_eq!(
            one.take(1),
            Err(NoRoom),
            "a quarter is all that one source gets"
        );
        assert_eq!(rooms.room(source(1)).take(1), Err(NoRoom));
        one.release();
        assert_eq!(rooms.held(), 0);
        let again = rooms.room(source(1));
        again.take(MIB).unwrap();
        again.give_back(MIB / 4);
        assert_eq!(rooms.held(), MIB * 3 / 4);
        drop((one, again));
        assert_eq!(rooms.held(), 0);
    }

    #[test]
    fn whoever_is_authenticated_is_not_counted_any_more() {
        let rooms = MemoryPool::new(4 * MIB);
        let one = rooms.room(source(1));
        one.take(MIB / 2).unwrap();
        one.release();
        one.take(2 * MIB).unwrap();
        one.give_back(MIB);
        assert_eq!(rooms.held(), 0);
    }

    #[test]
    fn the_one_who_holds_most_makes_room_for_one_who_holds_less() {
        let rooms = MemoryPool::new(4 * MIB);
        let greedy: Vec<MemoryShare> = (0..16).map(|n| rooms.room(source(n / 4))).collect();
        for room in &greedy {
            room.take(MIB / 4).unwrap();
        }
        assert_eq!(rooms.held(), 4 * MIB);
        let modest = rooms.room(source(9));
        modest.take(ALONE).unwrap();
        assert_eq!(rooms.held(), 4 * MIB, "no more than there is");
        let lost = greedy.iter().filter(|room| room.take(0).is_err()).count();
        assert_eq!(lost, 1);
        // Who holds as much as anybody takes nothing from anybody.
        let rooms = MemoryPool::new(4 * MIB);
        let equal: Vec<MemoryShare> = (0..8).map(|n| rooms.room(source(n))).collect();
        for room in &equal {
            room.take(MIB / 2).unwrap();
        }
        assert_eq!(rooms.room(source(9)).take(MIB / 2), Err(NoRoom));
        assert_eq!(rooms.room(source(9)).take(MIB / 3), Ok(()));
    }

    #[test]
    fn a_body_alone_finds_room_among_a_crowd_of_the_same_size() {
        let rooms = MemoryPool::new(4 * MIB);
        let crowd: Vec<MemoryShare> = (0..16).map(|n| rooms.room(source(n))).collect();
        for room in &crowd {
            room.take(MIB / 4).unwrap();
        }
        rooms.room(source(200)).take(ALONE).unwrap();
        let lost: Vec<usize> = (0..16).filter(|n| crowd[*n].take(0).is_err()).collect();
        assert_eq!(lost.len(), 1);
    }

    #[test]
    fn a_crowd_of_small_ones_pushes_out_its_own_before_a_larger_one() {
        let rooms = MemoryPool::for_bodies(4 * MIB);
        let crowd: Vec<MemoryShare> = (0..32).map(|n| rooms.room(source(n))).collect();
        for room in &crowd {
            room.take(MIB / 8).unwrap();
        }
        let honest = rooms.room(source(200));
        honest.take(ALONE / 2).unwrap();
        let more: Vec<MemoryShare> = (32..52).map(|n| rooms.room(source(n))).collect();
        for room in &more[..10] {
            room.take(MIB / 8).unwrap();
        }
        honest.take(ALONE / 2).unwrap();
        for room in &more[10..] {
            room.take(MIB / 8).unwrap();
        }
        assert_eq!(honest.take(0), Ok(()));
        let lost =
            |rooms: &[MemoryShare]| rooms.iter().filter(|room| room.take(0).is_err()).count();
        assert_eq!((lost(&crowd), lost(&more)), (22, 0), "the oldest went");
    }
}
