//! A thread of its own for each piece of work that keeps a core busy, which stands back for everything else.
//!
//! The runtime's blocking threads have the priority of those that answer calls. With two hashes at once on two cores, each
//! call then waited for its share of a core: five hundred guesses a second made the API several times slower.

use std::io;

use tokio::sync::oneshot;

/// The thread's priority (its `nice` value, getpriority(2)): it gets about a tenth of a core for which others compete, and all of
/// one that is idle.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Runs work on a thread of lower priority and returns its result.
///
/// # Errors
/// If the system has no thread left, or the work panicked.
pub(super) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    std::thread::Builder::new()
        .name("password".to_owned())
        .spawn(move || {
            stand_back();
            // Whoever asked may have left meanwhile.
            done.send(work()).ok();
        })?;
    result.await.map_err(io::Error::other)
}

/// Lowers the priority of the calling thread alone, which Linux allows and POSIX does not: elsewhere it stays as it is.
fn stand_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "a thread for a password keeps its priority");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_and_a_panic_is_an_error() {
        assert_eq!(run(|| 7).await.unwrap(), 7);
        assert!(run(|| -> u8 { panic!("made to fail") }).await.is_err());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_work_stands_back_and_nothing_else_does() {
        let own = || rustix::process::getpriority_process(None).unwrap();
        let before = own();
        let during = run(own).await.unwrap();
        assert_eq!(during, before.max(NICENESS));
        assert_eq!(own(), before);
    }
}
