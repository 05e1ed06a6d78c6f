//! The log's writer: calls are handed over without waiting, redacted and stored in batches within a second.

pub mod redact;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use app::domain::ids::{KeyId, RequestId, SessionId, TenantId};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use kernel::background::Heartbeats;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use crate::storage::request_log::RequestLogRow;
use crate::storage::{Db, DbError};

/// The name of the writer's task, as `/readyz` gives it.
pub const TASK: &str = "request log";
/// Calls that may wait to be written; more are dropped and counted, so that a slow disk never slows a call.
const WAITING: usize = 4096;
/// Bytes of bodies that may wait.
const WAITING_BYTES: usize = 16 << 20;
/// Characters kept of a path.
const PATH: usize = 512;
/// Rows written in one transaction.
const BATCH: usize = 250;
/// Longest time the writer waits for a call before it reports that it is alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// One finished call, unredacted: lives in memory only.
pub struct LogEntry {
    pub id: RequestId,
    pub at: DateTime<Utc>,
    pub tenant: Option<TenantId>,
    pub session: Option<SessionId>,
    pub key: Option<KeyId>,
    pub console: bool,
    /// `true` if the caller proved keys, or went on with a nonce. Other calls are stored only as long as there is room,
    /// and only if their tenant exists.
    pub proved: bool,
    pub method: String,
    pub path: String,
    pub operation: String,
    pub status: u16,
    pub error_code: Option<&'static str>,
    pub latency: Duration,
    pub user_agent: String,
    pub ip: String,
    pub client_request_id: Option<String>,
    pub request_body: Bytes,
    pub response_body: Bytes,
    /// `true` if `response_body` is the complete body.
    pub response_whole: bool,
}

/// Hands calls to the writer. Cheap to clone.
#[derive(Clone)]
pub struct RequestLog(Arc<Inner>);

impl LogEntry {
    /// Bytes that it holds besides itself.
    fn size(&self) -> usize {
        self.request_body.len() + self.response_body.len()
    }
}

struct Inner {
    sender: mpsc::Sender<LogEntry>,
    /// Held by the writer while it runs; a writer that is started again finds what waits.
    receiver: Mutex<mpsc::Receiver<LogEntry>>,
    /// Bytes of bodies that wait to be written.
    waiting: AtomicUsize,
    dropped: AtomicU64,
    /// Calls that proved nothing, beyond what the tenant they named gives room for.
    passed_over: AtomicU64,
}

impl Default for RequestLog {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let receiver = Mutex::new(receiver);
        Self(Arc::new(Inner {
            sender,
            receiver,
            waiting: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            passed_over: AtomicU64::new(0),
        }))
    }
}

impl RequestLog {
    /// Hands a call over; never waits. When much waits to be written, calls that proved nothing are left out, and then
    /// the bodies of the others.
    pub fn add(&self, mut entry: LogEntry) {
        if !entry.proved && self.0.sender.capacity() < WAITING / 2 {
            self.pass_over();
            return;
        }
        let size = entry.size();
        if self.0.waiting.fetch_add(size, Ordering::Relaxed) > WAITING_BYTES {
            self.0.waiting.fetch_sub(size, Ordering::Relaxed);
            (entry.request_body, entry.response_body) = (Bytes::new(), Bytes::new());
        }
        let size = entry.size();
        if self.0.sender.try_send(entry).is_err() {
            self.0.waiting.fetch_sub(size, Ordering::Relaxed);
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the number of calls that wait to be written.
    pub fn waiting(&self) -> usize {
        WAITING.saturating_sub(self.0.sender.capacity())
    }

    /// Counts a call that is not to be kept.
    pub fn pass_over(&self) {
        self.0.passed_over.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes until told to stop, then writes what is left. A batch is collected for `gather`.
    pub async fn run(
        &self,
        db: &Db,
        heartbeats: &Heartbeats,
        gather: Duration,
        stop: CancellationToken,
    ) {
        let mut receiver = self.0.receiver.lock().await;
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            heartbeats.beat(TASK);
            let got = tokio::select! {
                got = receiver.recv_many(&mut batch, BATCH) => got,
                () = tokio::time::sleep(SIGN_OF_LIFE) => continue,
                () = stop.cancelled() => break,
            };
            if got < BATCH {
                tokio::select! {
                    () = tokio::time::sleep(gather) => {}
                    () = stop.cancelled() => {}
                }
                while batch.len() < BATCH
                    && let Ok(entry) = receiver.try_recv()
                {
                    batch.push(entry);
                }
            }
            self.write(db, &mut batch).await;
        }
        while let Ok(entry) = receiver.try_recv() {
            batch.push(entry);
        }
        self.write(db, &mut batch).await;
    }

    /// Writes what was handed over so far, for tests, which run no background task.
    #[cfg(test)]
    pub async fn write_now(&self, db: &Db) {
        let mut batch = Vec::new();
        let mut receiver = self.0.receiver.lock().await;
        while let Ok(entry) = receiver.try_recv() {
            batch.push(entry);
        }
        self.write(db, &mut batch).await;
    }

    /// Writes what was handed over so far to the database of a state.
    #[cfg(test)]
    pub async fn flush(&self, state: &crate::state::AppState) {
        self.write_now(&state.db).await;
    }

    async fn write(&self, db: &Db, batch: &mut Vec<LogEntry>) {
        let size: usize = batch.iter().map(LogEntry::size).sum();
        self.0.waiting.fetch_sub(size, Ordering::Relaxed);
        let count = batch.len();
        if count > 0
            && let Err(error) = store(db, std::mem::take(batch)).await
        {
            tracing::error!(%error, rows = count, "request log rows were lost");
        }
        let dropped = self.0.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(dropped, "the request log could not keep up");
        }
        let passed_over = self.0.passed_over.swap(0, Ordering::Relaxed);
        if passed_over > 0 {
            tracing::warn!(
                calls = passed_over,
                "calls that proved nothing were left out of the logs of the tenants they named"
            );
        }
    }
}

async fn store(db: &Db, batch: Vec<LogEntry>) -> Result<(), DbError> {
    let rows: Vec<(bool, RequestLogRow)> = batch
        .into_iter()
        .map(|entry| (entry.proved, row(entry)))
        .collect();
    let mut tenants: Vec<TenantId> = rows.iter().filter_map(|(_, row)| row.tenant_id).collect();
    tenants.sort_unstable();
    tenants.dedup();
    let servicers = db.read().await?.tenants_servicers(&tenants).await?;
    // A tenant that is named and not there is nobody, whose rows nobody could see.
    let is_somebody = |row: &RequestLogRow| {
        let tenant = row.tenant_id.as_ref();
        tenant.is_some_and(|tenant| servicers.contains_key(tenant))
    };
    let rows: Vec<RequestLogRow> = rows
        .into_iter()
        .filter(|(proved, row)| *proved || is_somebody(row))
        .map(|(_, row)| row)
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let mut tx = db.write().await?;
    tx.add_requests(&rows).await?;
    tx.count_requests(&rows, &servicers).await?;
    tx.commit().await
}

fn row(entry: LogEntry) -> RequestLogRow {
    let session = entry.session.or_else(|| opened_session(&entry));
    RequestLogRow {
        id: entry.id,
        at: entry.at,
        tenant_id: entry.tenant,
        session_id: session,
        key_id: entry.key,
        source: if entry.console { "console" } else { "api" }.to_owned(),
        method: entry.method,
        path: entry.path.chars().take(PATH).collect(),
        operation: entry.operation,
        status: entry.status.into(),
        error_code: entry.error_code.map(str::to_owned),
        latency_us: i64::try_from(entry.latency.as_micros()).unwrap_or(i64::MAX),
        user_agent: entry.user_agent,
        ip: entry.ip,
        client_request_id: entry.client_request_id,
        request_body: redact::body(&entry.request_body, true),
        response_body: redact::body(&entry.response_body, entry.response_whole),
    }
}

/// The session a call opened, which only its answer names.
fn opened_session(entry: &LogEntry) -> Option<SessionId> {
    #[derive(serde::Deserialize)]
    struct Opened {
        session_id: SessionId,
    }
    let opens = entry.operation == "/v1/sessions" && entry.status < 300;
    let opened = opens.then(|| serde_json::from_slice::<Opened>(&entry.response_body).ok());
    opened.flatten().map(|opened| opened.session_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::testing::sqlite;
    use crate::testing::World;

    fn call(world: &World) -> LogEntry {
        LogEntry {
            id: RequestId(world.state.clock.id()),
            at: world.state.clock.now(),
            tenant: Some(world.client.tenant()),
            session: None,
            key: None,
            console: false,
            proved: true,
            method: "POST".into(),
            path: "/v1/sessions".into(),
            operation: "/v1/sessions".into(),
            status: 200,
            error_code: None,
            latency: Duration::from_millis(3),
            user_agent: String::new(),
            ip: "192.0.2.1".into(),
            client_request_id: None,
            request_body: Bytes::new(),
            response_body: Bytes::from_static(
                br#"{"session_id":"019b7652-0000-7000-8000-000000000000","nonce":"n"}"#,
            ),
            response_whole: true,
        }
    }

    async fn rows(world: &World) -> Vec<crate::storage::request_log::ListedRequest> {
        let query = crate::storage::request_log::RequestQuery {
            session: "019b7652-0000-7000-8000-000000000000".parse().ok(),
            limit: 100_000,
            ..Default::default()
        };
        let mut tx = world.state.db.read().await.unwrap();
        tx.requests(world.client.servicer(), &query).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_was_handed_over_is_written_before_the_writer_ends() {
        let folder = tempfile::tempdir().unwrap();
        let world = World::new(sqlite(&folder).await).await;
        let (log, stop) = (world.state.request_log.clone(), CancellationToken::new());
        let writer = tokio::spawn({
            let (log, state, stop) = (log.clone(), world.state.clone(), stop.clone());
            async move {
                let moment = Duration::from_millis(1);
                log.run(&state.db, &state.heartbeats, moment, stop).await;
            }
        });
        for _ in 0..1000 {
            log.add(call(&world));
        }
        stop.cancel();
        writer.await.unwrap();
        assert_eq!(
            rows(&world).await.len(),
            1000,
            "each under the session its answer opened"
        );
    }

    #[tokio::test]
    async fn a_full_queue_drops_and_never_waits() {
        let folder = tempfile::tempdir().unwrap();
        let world = World::new(sqlite(&folder).await).await;
        let log = &world.state.request_log;
        for _ in 0..WAITING + 50 {
            log.add(call(&world));
        }
        log.flush(&world.state).await;
        assert_eq!(rows(&world).await.len(), WAITING);
    }
}
