//! Signals between processes: a transaction names what it changed, and whoever waits for that looks again.
//!
//! A signal says when to look, never what is there to be seen. It may come twice, and it may be lost; whoever waits also
//! looks by the clock. In the process that wrote it is heard as the commit returns. Others hear it through the database
//! while [`Db::hear_signals`] runs in them:
//!
//! * Postgres: by NOTIFY, sent just after the commit and on a connection that waits for no disk. A NOTIFY inside the
//!   transaction would hold a lock of the whole server while its commit waits for the disk, so that all who notify
//!   commit one by one. A pooler of transactions (`PgBouncer`) loses what LISTEN asks for: there the clock is left.
//! * SQLite: `PRAGMA data_version` on the connection of the writer changes when another process has written, and does
//!   not say what. Everyone looks.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::Postgres;
use sqlx::postgres::{PgListener, PgPool, PgPoolOptions};
use sqlx::sqlite::SqlitePool;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::readers::ReadPool;
use super::{Db, DbResult, Pools};
use crate::clock::Clock;

/// Name of the channel on Postgres.
const CHANNEL: &str = "signals";
/// Most signals that wait to be sent. Beyond it one signal for everyone takes their place.
const MOST_UNSENT: usize = 1_000;
/// Pause between two batches of signals, which bounds what they cost the database.
const GATHER: Duration = Duration::from_millis(10);
/// Longest time for sending a batch, or for an answer of the connection that listens.
const PATIENCE: Duration = Duration::from_secs(5);
/// Silence after which the connection that listens is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(15);

/// The name of something that changed, such as `jobs.mail`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(Cow<'static, str>);

impl Signal {
    /// Anything may have changed: everyone who waits looks again.
    const EVERYTHING: Self = Self::named("*");

    pub const fn named(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// A signal about one of many: a row, or a class of rows.
    pub fn about(name: &str, which: impl Display) -> Self {
        Self(Cow::Owned(format!("{name}.{which}")))
    }
}

/// The signals of one database, as this process sends and hears them. Cheap to clone.
#[derive(Clone)]
pub struct Signals(Arc<Shared>);

struct Shared {
    /// Tells this process's own signals from those of others.
    process: Uuid,
    waiting: Mutex<HashMap<Signal, watch::Sender<()>>>,
    /// The way to other processes; `None` on SQLite, which tells them by itself.
    outbox: Option<Outbox>,
}

struct Outbox {
    connections: ReadPool<Postgres>,
    unsent: Mutex<Unsent>,
}

#[derive(Default)]
struct Unsent {
    signals: BTreeSet<Signal>,
    /// `true` while a task sends them.
    sending: bool,
}

impl Signals {
    /// Signals through SQLite.
    pub(super) fn of_sqlite() -> Self {
        Self::new(None)
    }

    /// Signals through Postgres, sent on connections that wait for no disk.
    pub(super) fn of_postgres(connections: ReadPool<Postgres>) -> Self {
        Self::new(Some(Outbox {
            connections,
            unsent: Mutex::default(),
        }))
    }

    fn new(outbox: Option<Outbox>) -> Self {
        Self(Arc::new(Shared {
            process: Clock::system().id(),
            waiting: Mutex::default(),
            outbox,
        }))
    }

    /// Begins to listen: what is signalled from now on is heard by [`Subscription::heard`]. Subscribe before looking.
    pub fn subscribe(&self, signal: Signal) -> Subscription {
        let mut waiting = lock(&self.0.waiting);
        let sender = waiting.entry(signal.clone()).or_default();
        Subscription {
            receiver: Some(sender.subscribe()),
            signal,
            signals: self.clone(),
        }
    }

    /// Sends what a transaction that was just committed has changed.
    pub(super) fn send(&self, signals: Vec<Signal>) {
        if signals.is_empty() {
            return;
        }
        for signal in &signals {
            self.tell(signal);
        }
        let Some(outbox) = &self.0.outbox else {
            return;
        };
        if outbox.add(signals) {
            let this = self.clone();
            tokio::spawn(async move { this.send_unsent().await });
        }
    }

    /// Wakes those of this process who wait for a signal.
    fn tell(&self, signal: &Signal) {
        let waiting = lock(&self.0.waiting);
        if *signal == Signal::EVERYTHING {
            waiting.values().for_each(|one| one.send_replace(()));
        } else if let Some(one) = waiting.get(signal) {
            one.send_replace(());
        }
    }

    /// Sends batch after batch until nothing is left.
    async fn send_unsent(&self) {
        let Some(outbox) = &self.0.outbox else {
            return;
        };
        while let Some(batch) = outbox.take() {
            self.notify(&outbox.connections, batch).await;
            tokio::time::sleep(GATHER).await;
        }
    }

    /// Sends what is unsent at once: the database is about to be closed.
    pub(super) async fn flush(&self) {
        if let Some(outbox) = &self.0.outbox
            && let Some(batch) = outbox.take()
        {
            self.notify(&outbox.connections, batch).await;
        }
    }

    async fn notify(&self, connections: &ReadPool<Postgres>, batch: BTreeSet<Signal>) {
        let process = self.0.process;
        let payloads: Vec<String> = batch
            .iter()
            .map(|signal| format!("{process} {}", signal.0))
            .collect();
        let sent = tokio::time::timeout(PATIENCE, async {
            let mut reader = connections.lend().await?;
            sqlx::query("SELECT pg_notify($1, payload) FROM unnest($2::TEXT[]) AS payload")
                .bind(CHANNEL)
                .bind(payloads)
                .execute(reader.connection())
                .await
        });
        match sent.await {
            Ok(Ok(_)) => {}
            // Others find it by the clock.
            Ok(Err(error)) => tracing::debug!(%error, "signals to other processes were not sent"),
            Err(_) => tracing::debug!("signals to other processes were not sent in time"),
        }
    }

    /// Tells what Postgres delivered. This process has heard its own signals already.
    fn receive(&self, payload: &str) {
        let Some((process, name)) = payload.split_once(' ') else {
            return;
        };
        if process.parse() != Ok(self.0.process) {
            self.tell(&Signal(Cow::Owned(name.to_owned())));
        }
    }
}

impl Outbox {
    /// Returns `true` if no task is sending, so that the caller has to begin one.
    fn add(&self, signals: Vec<Signal>) -> bool {
        let mut unsent = lock(&self.unsent);
        unsent.signals.extend(signals);
        if unsent.signals.len() > MOST_UNSENT {
            unsent.signals = BTreeSet::from([Signal::EVERYTHING]);
        }
        !std::mem::replace(&mut unsent.sending, true)
    }

    /// Takes all that is unsent; `None` if there is nothing, which ends the task that sends.
    fn take(&self) -> Option<BTreeSet<Signal>> {
        let mut unsent = lock(&self.unsent);
        let batch = std::mem::take(&mut unsent.signals);
        unsent.sending = !batch.is_empty();
        unsent.sending.then_some(batch)
    }
}

/// Somebody who waits for a signal.
pub struct Subscription {
    /// There until it is dropped.
    receiver: Option<watch::Receiver<()>>,
    signal: Signal,
    signals: Signals,
}

impl Subscription {
    /// Waits until the signal was sent since the last call, or since the subscription. Several count as one. Cancel safe.
    pub async fn heard(&mut self) {
        let heard = match &mut self.receiver {
            Some(receiver) => receiver.changed().await,
            None => return,
        };
        if heard.is_err() {
            // The sender lives as long as its subscriptions.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut waiting = lock(&self.signals.0.waiting);
        self.receiver = None;
        if waiting
            .get(&self.signal)
            .is_some_and(|sender| sender.receiver_count() == 0)
        {
            waiting.remove(&self.signal);
        }
    }
}

impl Db {
    /// Returns the signals of this database.
    pub fn signals(&self) -> &Signals {
        &self.1
    }

    /// Hears what other processes signal until told to stop, and calls `alive` at least this often. Ends with an error of
    /// the database; whoever waits looks by the clock until it is called again.
    pub async fn hear_signals(
        &self,
        every: Duration,
        stop: &CancellationToken,
        alive: impl Fn(),
    ) -> DbResult<()> {
        match &self.0 {
            Pools::Sqlite { writer, .. } => {
                watch_version(&self.1, writer, every, stop, alive).await
            }
            Pools::Postgres { writer, .. } => listen(&self.1, writer, every, stop, alive).await,
        }
    }
}

/// Asks SQLite whether another process has written, whenever nobody writes here.
async fn watch_version(
    signals: &Signals,
    writer: &SqlitePool,
    every: Duration,
    stop: &CancellationToken,
    alive: impl Fn(),
) -> DbResult<()> {
    let mut last = None;
    loop {
        alive();
        // On the writer's own connection only the writes of others count, and a busy one is not waited for.
        if let Some(mut connection) = writer.try_acquire() {
            let version: i64 = sqlx::query_scalar("PRAGMA data_version")
                .fetch_one(&mut *connection)
                .await?;
            if last.replace(version) != Some(version) {
                signals.tell(&Signal::EVERYTHING);
            }
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(every) => {}
        }
    }
}

/// Listens on a connection of its own.
async fn listen(
    signals: &Signals,
    writer: &PgPool,
    every: Duration,
    stop: &CancellationToken,
    alive: impl Fn(),
) -> DbResult<()> {
    let own = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(PATIENCE)
        .connect_lazy_with((*writer.connect_options()).clone());
    let mut listener = PgListener::connect_with(&own).await?;
    listener.ignore_pool_close_event(true);
    listener.listen(CHANNEL).await?;
    // Postgres delivers nothing that was signalled before the LISTEN.
    signals.tell(&Signal::EVERYTHING);
    loop {
        let delivered = {
            let next = listener.try_recv();
            tokio::pin!(next);
            let until = Instant::now() + SILENCE;
            // Waited for in one piece, as it may have to connect again.
            loop {
                alive();
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    delivered = &mut next => break Some(delivered?),
                    () = tokio::time::sleep(every) => {}
                }
                if Instant::now() > until {
                    break None;
                }
            }
        };
        match delivered {
            Some(Some(notification)) => signals.receive(notification.payload()),
            // The connection was lost, and with it what was signalled meanwhile. There is another one now.
            Some(None) => signals.tell(&Signal::EVERYTHING),
            None => {
                let asked = sqlx::query("SELECT 1").execute(&mut listener);
                let answered = tokio::time::timeout(PATIENCE, asked).await;
                answered.map_err(|_| sqlx::Error::PoolTimedOut)??;
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
