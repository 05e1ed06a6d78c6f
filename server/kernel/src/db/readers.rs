//! Connections that read, lent out without a word to the database.
//!
//! A pool of sqlx asks a connection whether it lives each time it is given back, in a task of its own: for a short read
//! that is as much work again. Here a connection is asked when a second has passed since it was asked last. One that
//! died can fail what is read within that second, and nothing after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::pool::Pool;
use sqlx::{Connection as _, Database, Error};
use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use super::DbResult;

/// Time after its last check that a connection is taken to be alive.
const BELIEVED: Duration = Duration::from_secs(1);
/// Longest life of a connection: the memory it takes in the database is freed with it.
const LIFE: Duration = Duration::from_mins(30);
/// Time a request waits for a connection.
const WAIT: Duration = Duration::from_secs(5);

/// Lends connections. Cheap to clone.
pub struct ReadPool<DB: Database> {
    /// Makes the connections; knows when another attempt is due.
    maker: Pool<DB>,
    slots: Arc<[Slot<DB>]>,
    /// One permit for each slot, given in the order of asking: whoever has one finds a slot free.
    places: Arc<Semaphore>,
    /// Requests that wait for a place.
    waiting: Arc<AtomicUsize>,
}

/// The use of a pool at one moment.
#[derive(Clone, Copy, Debug)]
pub struct ReadQueue {
    /// Requests that wait for a connection.
    pub waiting: usize,
    /// Connections that are lent.
    pub lent: usize,
    /// Connections in all.
    pub connections: usize,
}

/// Somebody who waits for a place.
struct Waits<'w>(&'w AtomicUsize);

impl<'w> Waits<'w> {
    fn begin(waiting: &'w AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

type Slot<DB> = Arc<Mutex<Option<Kept<DB>>>>;

struct Kept<DB: Database> {
    connection: DB::Connection,
    made: Instant,
    asked: Instant,
}

/// A connection that is lent. Fields are dropped in this order: the slot is free before its place is.
pub struct ReadConnection<DB: Database> {
    lent: OwnedMappedMutexGuard<Option<Kept<DB>>, DB::Connection>,
    _place: OwnedSemaphorePermit,
}

impl<DB: Database> Clone for ReadPool<DB> {
    fn clone(&self) -> Self {
        Self {
            maker: self.maker.clone(),
            slots: self.slots.clone(),
            places: self.places.clone(),
            waiting: self.waiting.clone(),
        }
    }
}

impl<DB: Database> ReadPool<DB> {
    /// Lends as many connections as the pool may make.
    pub fn new(maker: Pool<DB>) -> Self {
        let count = maker.options().get_max_connections() as usize;
        Self {
            maker,
            slots: (0..count).map(|_| Slot::<DB>::default()).collect(),
            places: Arc::new(Semaphore::new(count)),
            waiting: Arc::default(),
        }
    }

    /// Returns the use of the pool at this moment.
    pub fn queue(&self) -> ReadQueue {
        let connections = self.slots.len();
        ReadQueue {
            waiting: self.waiting.load(Ordering::Relaxed),
            lent: connections.saturating_sub(self.places.available_permits()),
            connections,
        }
    }

    /// A connection that answers.
    pub async fn lend(&self) -> DbResult<ReadConnection<DB>> {
        let lent = tokio::time::timeout(WAIT, self.find()).await;
        lent.map_err(|_| Error::PoolTimedOut)?
    }

    async fn find(&self) -> DbResult<ReadConnection<DB>> {
        let waits = Waits::begin(&self.waiting);
        let place = self.places.clone().acquire_owned().await;
        drop(waits);
        let place = place.map_err(|_| Error::PoolClosed)?;
        // From the first on: what was used last is used again, and stays in the processor's memory.
        let free = self
            .slots
            .iter()
            .find_map(|slot| slot.clone().try_lock_owned().ok());
        let mut slot = free.ok_or(Error::PoolTimedOut)?;
        if let Some(kept) = &mut *slot
            && !kept.is_good().await
        {
            *slot = None;
        }
        if slot.is_none() {
            *slot = Some(Kept::new(self.maker.acquire().await?.detach()));
        }
        let lent =
            OwnedMutexGuard::try_map(slot, |slot| slot.as_mut().map(|kept| &mut kept.connection));
        Ok(ReadConnection {
            lent: lent.map_err(|_| Error::PoolClosed)?,
            _place: place,
        })
    }

    /// Closes every connection, once it is given back.
    pub async fn close(&self) {
        self.places.close();
        for slot in self.slots.iter() {
            if let Some(kept) = slot.lock().await.take() {
                // It is gone either way.
                let _ = kept.connection.close().await;
            }
        }
        self.maker.close().await;
    }
}

impl<DB: Database> Kept<DB> {
    fn new(connection: DB::Connection) -> Self {
        let made = Instant::now();
        Self {
            connection,
            made,
            asked: made,
        }
    }

    async fn is_good(&mut self) -> bool {
        if self.asked.elapsed() < BELIEVED {
            return true;
        }
        let good = self.made.elapsed() < LIFE && self.connection.ping().await.is_ok();
        self.asked = Instant::now();
        good
    }
}

impl<DB: Database> ReadConnection<DB> {
    pub fn connection(&mut self) -> &mut DB::Connection {
        &mut self.lent
    }
}
