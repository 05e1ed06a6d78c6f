//! What a connection still holds of answers that have been handed over to it.

use std::sync::{Mutex, PoisonError};

use super::memory_pool::MemoryShare;

/// The memory shares of answers whose last bytes wait in the connection.
///
/// hyper takes the last tens of kilobytes of an answer before the kernel does. Were they free to be forgotten then, four
/// thousand connections that read nothing would hold hundreds of megabytes that nobody counts.
#[derive(Default)]
pub struct Unsent(Mutex<Vec<MemoryShare>>);

impl Unsent {
    /// Keeps the room of an answer until everything before now is sent.
    pub fn keep(&self, room: MemoryShare) {
        self.rooms().push(room);
    }

    /// Gives everything back: the kernel has taken it.
    pub fn sent(&self) {
        self.rooms().clear();
    }

    fn rooms(&self) -> std::sync::MutexGuard<'_, Vec<MemoryShare>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
