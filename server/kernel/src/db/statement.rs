//! A statement as it is seen from outside: a span with its name, never with values, and its time and number summed up for
//! whoever asked and for the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracing::Span;

/// Number of things that were done, and the time they took together.
#[derive(Debug, Default)]
pub struct Tally {
    count: AtomicU64,
    nanos: AtomicU64,
}

/// Statements of this process, whoever asked.
pub static STATEMENTS: Tally = Tally::new();
/// Waits for a transaction that writes.
pub static WRITER_WAITS: Tally = Tally::new();

tokio::task_local! {
    static CURRENT: Arc<Tally>;
}

impl Tally {
    const fn new() -> Self {
        Self {
            count: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
        }
    }

    /// Adds one that took this long.
    pub fn add(&self, time: Duration) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Returns how many there were.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Returns the time they took together.
    pub fn time(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }
}

/// Does some work; its statements are added to a tally, beside the process's.
pub async fn tallied<F: Future>(tally: Arc<Tally>, work: F) -> F::Output {
    CURRENT.scope(tally, work).await
}

/// Does what [`tallied`] does, for work that does not wait.
pub fn tallied_now<R>(tally: Arc<Tally>, work: impl FnOnce() -> R) -> R {
    CURRENT.sync_scope(tally, work)
}

/// A statement under way: counted when it is dropped, however it ended.
pub struct Statement {
    began: Instant,
    _span: Span,
}

impl Statement {
    /// Begins a statement of the function at this place, a path as `type_name_of_val` gives it.
    pub fn begin(system: &'static str, place: &'static str) -> Self {
        let span = tracing::debug_span!(
            target: "statement",
            "statement",
            otel.name = name(place),
            otel.kind = "client",
            db.system.name = system,
            db.query.summary = name(place),
        );
        Self {
            began: Instant::now(),
            _span: span,
        }
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        let time = self.began.elapsed();
        STATEMENTS.add(time);
        CURRENT.try_with(|tally| tally.add(time)).ok();
    }
}

/// Returns the file and the function of a place: `jobs.claim_job` for
/// `server::storage::jobs::<impl server::storage::db::Tx>::claim_job::{{closure}}::here`.
fn name(place: &str) -> String {
    let mut path = place.strip_suffix("::here").unwrap_or(place);
    while let Some(outer) = path.strip_suffix("::{{closure}}") {
        path = outer;
    }
    let (rest, function) = path.rsplit_once("::").unwrap_or(("", path));
    let module = rest.split("::<").next().unwrap_or_default();
    let file = module.rsplit("::").next().unwrap_or_default();
    format!("{file}.{function}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_named_by_file_and_function() {
        for (place, expected) in [
            (
                "server::storage::jobs::<impl server::storage::db::Tx>::claim_job::{{closure}}::here",
                "jobs.claim_job",
            ),
            ("server::storage::copy::sum::{{closure}}::here", "copy.sum"),
            (
                "bank::storage::books::load::{{closure}}::{{closure}}::here",
                "books.load",
            ),
        ] {
            assert_eq!(name(place), expected);
        }
    }

    #[tokio::test]
    async fn statements_are_counted_for_whoever_asked() {
        let (mine, before) = (Arc::<Tally>::default(), STATEMENTS.count());
        let ask = async {
            for _ in 0..3 {
                drop(Statement::begin("sqlite", "a::b::here"));
            }
        };
        tallied(mine.clone(), ask).await;
        drop(Statement::begin("sqlite", "a::b::here"));
        assert_eq!(mine.count(), 3);
        assert!(STATEMENTS.count() >= before + 4);
    }
}
