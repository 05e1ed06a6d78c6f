//! Partial files: each is removed with the value that stands for it unless it was finished, and also when a signal ends the
//! process, which runs no destructor.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

static ALL: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A file that is not finished.
pub struct PartialFile(PathBuf);

impl PartialFile {
    /// Stands for a file that this process is about to make, or has just made.
    pub fn new(path: &Path) -> Self {
        all(|paths| paths.insert(path.to_owned()));
        Self(path.to_owned())
    }

    /// Leaves the file where it is.
    pub fn finish(self) {
        all(|paths| paths.remove(&self.0));
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if all(|paths| paths.remove(&self.0)) {
            remove(&self.0);
        }
    }
}

/// Time after which files are removed once more: a thread of SQLite's may have been about to open one, which makes it anew.
const GRACE: Duration = Duration::from_millis(50);

/// Removes every file that is not finished: the process is about to end.
pub fn remove_all() {
    let paths = all(std::mem::take);
    for path in &paths {
        remove(path);
    }
    if !paths.is_empty() {
        std::thread::sleep(GRACE);
    }
    for path in &paths {
        remove(path);
    }
}

fn all<T>(change: impl FnOnce(&mut BTreeSet<PathBuf>) -> T) -> T {
    change(&mut ALL.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Removes a file, and what SQLite keeps beside one of its own.
fn remove(path: &Path) {
    std::fs::remove_file(path).ok();
    for end in ["-wal", "-shm", "-journal"] {
        std::fs::remove_file(format!("{}{end}", path.display())).ok();
    }
}
