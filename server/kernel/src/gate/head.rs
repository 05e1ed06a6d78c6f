//! The head of a request while it arrives.
//!
//! hyper keeps what it has of a head, and a head may be sixty kilobytes long before it is refused. Four thousand heads that
//! never end would fill the memory; whatever a head has beyond one buffer is counted.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::memory_pool::{MemoryShare, NoRoom};

/// Bytes of a head that are not counted: every connection has a buffer of this size.
const FREE: usize = 8 * 1024;

/// Bytes read of the head that a connection waits for.
pub struct Head {
    share: MemoryShare,
    is_awaited: AtomicBool,
    read: AtomicUsize,
}

impl Head {
    /// `share` is what the connection may hold of its heads.
    pub fn new(share: MemoryShare) -> Self {
        Self {
            share,
            is_awaited: AtomicBool::new(true),
            read: AtomicUsize::new(0),
        }
    }

    /// Counts bytes that were read from the connection.
    ///
    /// # Errors
    /// If they belong to a head, and heads hold as much as they may.
    pub fn read(&self, bytes: usize) -> Result<(), NoRoom> {
        if !self.is_awaited.load(Ordering::Relaxed) {
            return Ok(());
        }
        let before = self.read.fetch_add(bytes, Ordering::Relaxed);
        let counted = |read: usize| read.saturating_sub(FREE);
        match counted(before + bytes) - counted(before) {
            0 => Ok(()),
            more => self.share.take(more),
        }
    }

    /// The head is complete: what is read from now on is not part of one.
    pub fn complete(&self) {
        self.is_awaited.store(false, Ordering::Relaxed);
        let counted = self.read.swap(0, Ordering::Relaxed).saturating_sub(FREE);
        if counted > 0 {
            self.share.give_back(counted);
        }
    }

    /// The request is answered: what is read from now on belongs to the next head.
    pub fn begin(&self) {
        self.is_awaited.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::super::memory_pool::MemoryPool;
    use super::super::source::SourceAddress;
    use super::*;

    fn head(pool: &std::sync::Arc<MemoryPool>, n: u8) -> Head {
        Head::new(pool.room(SourceAddress::from(IpAddr::from([192, 0, 2, n]))))
    }

    #[test]
    fn what_a_head_has_beyond_its_buffer_is_counted_until_it_is_complete() {
        let pool = MemoryPool::new(2 << 20);
        let head = head(&pool, 1);
        head.read(5_000).unwrap();
        assert_eq!(pool.held(), 0);
        head.read(5_000).unwrap();
        assert_eq!(pool.held(), 10_000 - FREE);
        head.read(5_000).unwrap();
        assert_eq!(pool.held(), 15_000 - FREE);
        head.complete();
        head.read(100_000).unwrap();
        assert_eq!(pool.held(), 0, "that was a body");
        head.begin();
        head.read(FREE + 1).unwrap();
        assert_eq!(pool.held(), 1);
        drop(head);
        assert_eq!(pool.held(), 0);
    }

    #[test]
    fn of_many_long_heads_the_oldest_make_room() {
        let pool = MemoryPool::new(1 << 20);
        let crowd: Vec<Head> = (0..40).map(|n| head(&pool, n)).collect();
        for one in &crowd {
            one.read(FREE + 50_000).unwrap();
        }
        assert!(pool.held() <= 1 << 20);
        assert_eq!(crowd[0].read(1), Err(NoRoom));
        assert_eq!(crowd[39].read(1), Ok(()));
    }
}
