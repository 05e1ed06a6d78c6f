//! Tests of [`kernel::db::Signals`]: two openings of one database stand for two processes.

use std::time::Duration;

use kernel::db::{Db, Signal, Subscription, Tenancy};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::databases;

/// Longest time that a signal is waited for on a machine with much to do.
const PATIENCE: Duration = Duration::from_secs(20);

const LETTERS: Signal = Signal::named("letters");

/// One database as two processes have it; the second one hears the first.
struct Processes {
    here: Db,
    there: Db,
    _hears: AbortOnDropHandle<()>,
    stop: CancellationToken,
    _folder: TempDir,
    postgres: Option<String>,
}

impl Processes {
    async fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("shared.db").display());
        let (here, there) = (Db::open(&url).await.unwrap(), Db::open(&url).await.unwrap());
        Self::of(here, there, folder, None).await
    }

    async fn on_postgres() -> Self {
        let (here, name) = databases::postgres("").await;
        let url = databases::postgres_url(&name);
        let there = Db::open_postgres(&url, Tenancy::Guest(2)).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self::of(here, there, folder, Some(name)).await
    }

    async fn of(here: Db, there: Db, folder: TempDir, postgres: Option<String>) -> Self {
        let mut tx = here.write().await.unwrap();
        execute(&mut tx, "CREATE TABLE letters (id INTEGER)").await;
        tx.commit().await.unwrap();
        let stop = CancellationToken::new();
        // Whoever begins to hear knows nothing of what was before, and looks.
        let mut begun = there.signals().subscribe(Signal::named("begun"));
        let hears = {
            let (there, stop) = (there.clone(), stop.clone());
            tokio::spawn(async move {
                let every = Duration::from_millis(20);
                there.hear_signals(every, &stop, || ()).await.unwrap();
            })
        };
        heard(&mut begun).await;
        Self {
            here,
            there,
            _hears: AbortOnDropHandle::new(hears),
            stop,
            _folder: folder,
            postgres,
        }
    }

    /// Writes a row, signals, and commits.
    async fn write(db: &Db, signal: Signal) {
        let mut tx = db.write().await.unwrap();
        execute(&mut tx, "INSERT INTO letters (id) VALUES (1)").await;
        tx.signal(signal);
        tx.commit().await.unwrap();
    }

    async fn end(self) {
        self.stop.cancel();
        self.here.close().await;
        self.there.close().await;
        if let Some(name) = &self.postgres {
            databases::drop_postgres(name).await;
        }
    }
}

async fn execute(tx: &mut kernel::db::Tx, sql: &'static str) {
    kernel::db::run!(tx, |conn| sqlx::query(sql).execute(conn).await.map(|_| ())).unwrap();
}

async fn heard(subscription: &mut Subscription) {
    let heard = tokio::time::timeout(PATIENCE, subscription.heard()).await;
    heard.expect("the signal is heard");
}

/// Returns `true` if a signal waits to be heard.
async fn is_signalled(subscription: &mut Subscription) -> bool {
    tokio::time::timeout(Duration::ZERO, subscription.heard())
        .await
        .is_ok()
}

async fn what_is_committed_is_heard_here_at_once_and_by_other_processes(processes: Processes) {
    let mut here = processes.here.signals().subscribe(LETTERS);
    let mut there = processes.there.signals().subscribe(LETTERS);
    Processes::write(&processes.here, LETTERS).await;
    assert!(is_signalled(&mut here).await, "the commit has told it");
    heard(&mut there).await;
    processes.end().await;
}

async fn what_is_taken_back_is_not_signalled(processes: Processes) {
    let mut here = processes.here.signals().subscribe(LETTERS);
    let mut tx = processes.here.write().await.unwrap();
    tx.signal(LETTERS);
    drop(tx);
    assert!(!is_signalled(&mut here).await);
    processes.end().await;
}

async fn signals_that_came_before_the_look_count_as_one(processes: Processes) {
    let mut here = processes.here.signals().subscribe(LETTERS);
    for _ in 0..3 {
        Processes::write(&processes.here, LETTERS).await;
    }
    assert!(is_signalled(&mut here).await);
    assert!(!is_signalled(&mut here).await);
    processes.end().await;
}

macro_rules! on_both_databases {
    ($($story:ident),+ $(,)?) => {
        mod on_sqlite {$(
            #[tokio::test]
            async fn $story() {
                super::$story(super::Processes::on_sqlite().await).await;
            }
        )+}
        mod on_postgres {$(
            #[tokio::test]
            async fn $story() {
                super::$story(super::Processes::on_postgres().await).await;
            }
        )+}
    };
}

on_both_databases!(
    what_is_committed_is_heard_here_at_once_and_by_other_processes,
    what_is_taken_back_is_not_signalled,
    signals_that_came_before_the_look_count_as_one,
);

#[tokio::test]
async fn on_postgres_a_signal_wakes_those_who_wait_for_it_alone() {
    let processes = Processes::on_postgres().await;
    let of = |which: u8| Signal::about("letters", which);
    let mut first = processes.there.signals().subscribe(of(1));
    let mut second = processes.there.signals().subscribe(of(2));
    Processes::write(&processes.here, of(1)).await;
    heard(&mut first).await;
    assert!(!is_signalled(&mut second).await);
    processes.end().await;
}

#[tokio::test]
async fn on_postgres_a_process_hears_its_own_signals_once() {
    let processes = Processes::on_postgres().await;
    let mut own = processes.there.signals().subscribe(LETTERS);
    let mut last = processes.there.signals().subscribe(Signal::named("last"));
    Processes::write(&processes.there, LETTERS).await;
    heard(&mut own).await;
    // Postgres delivers in order: the process's own signal would have come back before this one.
    Processes::write(&processes.here, Signal::named("last")).await;
    heard(&mut last).await;
    assert!(!is_signalled(&mut own).await);
    processes.end().await;
}

#[tokio::test]
async fn on_sqlite_a_processes_own_writes_are_not_taken_for_those_of_others() {
    let processes = Processes::on_sqlite().await;
    let mut there = processes.there.signals().subscribe(LETTERS);
    let mut other = processes.there.signals().subscribe(Signal::named("other"));
    for _ in 0..5 {
        Processes::write(&processes.there, LETTERS).await;
        heard(&mut there).await;
    }
    assert!(!is_signalled(&mut other).await, "nobody else has written");
    Processes::write(&processes.here, LETTERS).await;
    heard(&mut other).await;
    processes.end().await;
}

#[tokio::test]
async fn on_postgres_a_connection_that_is_cut_is_replaced_and_everyone_looks() {
    let processes = Processes::on_postgres().await;
    let mut there = processes.there.signals().subscribe(LETTERS);
    let mut tx = processes.here.write().await.unwrap();
    execute(
        &mut tx,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND query LIKE 'LISTEN%'",
    )
    .await;
    tx.commit().await.unwrap();
    heard(&mut there).await;
    Processes::write(&processes.here, LETTERS).await;
    heard(&mut there).await;
    processes.end().await;
}
