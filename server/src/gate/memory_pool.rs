//! Memory that requests hold before anybody knows who sent them, and answers before anybody reads them: bounded in all,
//! and shared out fairly.
//!
//! Nobody can fill it for the others. A source holds a quarter of it at most; when all of it is taken, whoever holds the
//! most gives up its oldest for one who holds less, and for one that is alone and no larger than a documented body. Of
//! those whose bodies are no larger than that, the one who came first goes first: an honest body is whole in a moment, and
//! whoever fills the room with many small ones must not push out the larger one of somebody else.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::sync::Notify;

use super::body::is_slow;
use super::source::SourceAddress;

/// The largest JSON body that is documented, in bytes: one such finds room, whoever holds the rest.
const ALONE: usize = 256 * 1024;
/// The part of everything that one source may hold: one in so many.
const SHARE: usize = 4;
/// Bytes that a body takes first, and at least.
const FIRST: usize = 4 * 1024;

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
}

/// The pool has no room, or the share went to somebody else.
#[derive(Debug, PartialEq, Eq)]
pub struct NoRoom;

/// Reason a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyReadError {
    TooLarge,
    TooSlow,
    /// It broke off before its end.
    Broken,
    /// Too many bodies are being read.
    Full,
}

impl MemoryPool {
    /// Room for so many bytes.
    pub fn new(most: usize) -> Arc<Self> {
        Self::with(most, 0)
    }

    /// Memory for bodies: holders of no more than one documented body are alike.
    pub fn for_bodies(most: usize) -> Arc<Self> {
        Self::with(most, ALONE + FIRST)
    }

    fn with(most: usize, alike: usize) -> Arc<Self> {
        Arc::new(Self {
            most: most.max(ALONE + FIRST),
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
        })))
    }

    /// Bytes held in all.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.inner.lock().unwrap().held
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
        if mine > (most / SHARE).max(ALONE + FIRST) {
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
            if held <= mine && mine > ALONE + FIRST {
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
        match oldest.and_then(|id| self.give_back(source, id)) {
            Some(taken) => {
                taken.gone.is_gone.store(true, Ordering::Release);
                taken.gone.told.notify_one();
            }
            // Holds nothing: is not to be found again.
            None => drop(self.sources.remove(&source)),
        }
    }

    fn give_back(&mut self, source: SourceAddress, id: u64) -> Option<Taken> {
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
    /// Takes so many bytes more.
    pub fn take(&self, bytes: usize) -> Result<(), NoRoom> {
        let Some(occupied) = &self.0 else {
            return Ok(());
        };
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

    /// Gives everything back, because the sender is authenticated.
    pub fn release(&self) {
        if let Some(occupied) = &self.0 {
            occupied.release();
        }
    }

    /// Reads a body whole, within `most` bytes and what room there is.
    pub async fn whole(&self, mut body: Body, most: usize) -> Result<Bytes, BodyReadError> {
        // Copied out of the frames: a frame of one byte can hold on to a buffer of thousands.
        let mut bytes: Vec<u8> = Vec::new();
        loop {
            let frame = tokio::select! {
                biased;
                () = self.gone() => return Err(BodyReadError::Full),
                frame = body.frame() => frame,
            };
            let Some(frame) = frame else {
                return Ok(bytes.into());
            };
            let frame = frame.map_err(|error| {
                if is_slow(&error) {
                    BodyReadError::TooSlow
                } else {
                    BodyReadError::Broken
                }
            })?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let needed = bytes.len() + data.len();
            if needed > most {
                return Err(BodyReadError::TooLarge);
            }
            if needed > bytes.capacity() {
                let grown = needed
                    .max(bytes.capacity() * 2)
                    .clamp(FIRST, most.max(FIRST));
                self.take(grown - bytes.capacity())
                    .map_err(|NoRoom| BodyReadError::Full)?;
                bytes.reserve_exact(grown - bytes.len());
            }
            bytes.extend_from_slice(&data);
        }
    }

    /// Ends when the share went to somebody else; never for who has nothing to lose.
    async fn gone(&self) {
        match &self.0 {
            Some(occupied) => occupied.gone.told.notified().await,
            None => std::future::pending().await,
        }
    }
}

impl Occupied {
    fn release(&self) {
        let mut inner = self
            .rooms
            .inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        inner.give_back(self.source, self.id);
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
        drop((one, again));
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

    #[tokio::test]
    async fn whoever_loses_the_room_is_told_while_reading() {
        let rooms = MemoryPool::new(2 * MIB);
        let slow = rooms.room(source(1));
        let begun = futures_util::stream::iter([Ok::<_, std::io::Error>(vec![b'x'; 300_000])]);
        let body = futures_util::StreamExt::chain(begun, futures_util::stream::pending());
        let reading = tokio::spawn({
            let slow = slow.clone();
            async move { slow.whole(Body::from_stream(body), MIB).await }
        });
        while rooms.held() == 0 {
            tokio::task::yield_now().await;
        }
        let others: Vec<MemoryShare> = (2..10).map(|n| rooms.room(source(n))).collect();
        for room in &others {
            room.take(ALONE).unwrap();
        }
        assert_eq!(reading.await.unwrap(), Err(BodyReadError::Full));
    }

    #[tokio::test]
    async fn a_body_of_single_bytes_costs_no_more_than_it_holds() {
        let rooms = MemoryPool::new(2 * MIB);
        let room = rooms.room(source(1));
        let bytes = (0..100_000).map(|_| Ok::<_, std::io::Error>(vec![b'x']));
        let body = Body::from_stream(futures_util::stream::iter(bytes));
        assert_eq!(room.whole(body, ALONE).await.unwrap().len(), 100_000);
        assert!(rooms.held() <= 128 * 1024, "{}", rooms.held());
        let large = Body::from(vec![b'x'; ALONE + 1]);
        assert_eq!(room.whole(large, ALONE).await, Err(BodyReadError::TooLarge));
    }
}
