//! The listener for metrics: `GET /metrics` in Prometheus' text format, at an address of its own that no caller of the API
//! reaches.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use kernel::db::{STATEMENTS, WRITER_WAITS};
use kernel::gate::{Bounds, Gate, GateRefusal, GatedService};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::jobs::Class;
use crate::metrics::{ClassLoad, Moment};
use crate::state::AppState;
use crate::storage::DbResult;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Connections of scrapers.
const CONNECTIONS: usize = 32;
/// Time that a scrape in progress is given at the end.
const CLOSING: Duration = Duration::from_secs(1);
/// Time that the database has to tell about jobs; without an answer a scrape goes without them.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers scrapes until told to stop.
pub async fn serve(state: AppState, listener: TcpListener, stop: CancellationToken) {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .with_state(state);
    let bounds = Bounds {
        connections: CONNECTIONS,
        ..Bounds::default()
    };
    let gate = Gate::new(bounds, Arc::new(Scrapers), router);
    gate.run(listener, stop.cancelled(), CLOSING).await;
}

async fn metrics(State(state): State<AppState>) -> Response {
    let moment = moment(&state).await;
    let text = state.metrics.text(moment);
    ([(header::CONTENT_TYPE, TEXT)], text).into_response()
}

/// Returns what is at this moment. A database that does not answer costs the numbers about jobs alone.
async fn moment(state: &AppState) -> Moment {
    let slots = &state.rate_limits.slots;
    let readers = state.db.read_queue();
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let jobs = tokio::time::timeout(PATIENCE, jobs(state)).await;
    let (jobs, classes) = match jobs {
        Ok(Ok((counts, classes))) => (Some(counts), classes),
        Ok(Err(_)) | Err(_) => (None, Vec::new()),
    };
    Moment {
        version: env!("CARGO_PKG_VERSION"),
        database: if state.db.is_postgres() {
            "postgresql"
        } else {
            "sqlite"
        },
        calls: count(slots.in_use()),
        call_slots: u64::from(state.config.limits.calls_at_once),
        gate: state.gate.get().map(|gate| gate.in_use()),
        readers: [
            count(readers.lent),
            count(readers.connections),
            count(readers.waiting),
        ],
        statements: (STATEMENTS.count(), STATEMENTS.time()),
        writer_waits: (WRITER_WAITS.count(), WRITER_WAITS.time()),
        jobs,
        classes,
        unwritten: count(state.request_log.waiting()),
    }
}

async fn jobs(state: &AppState) -> DbResult<([u64; 2], Vec<ClassLoad>)> {
    let now = state.clock.now();
    let mut tx = state.db.read().await?;
    let (all, given_up) = tx.count_all_jobs().await?;
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    let mut classes = Vec::with_capacity(Class::ALL.len());
    for class in Class::ALL {
        let due = tx.oldest_due_job(class.as_str(), now).await?;
        let age = due.and_then(|due| (now - due).to_std().ok());
        classes.push(ClassLoad {
            class: class.as_str(),
            oldest_due: age.unwrap_or_default(),
        });
    }
    Ok(([count(all - given_up), count(given_up)], classes))
}

/// Whoever asks here is a tool of the operator's.
struct Scrapers;

impl GatedService for Scrapers {
    fn connections(&self, _peer: IpAddr, _reached: IpAddr) -> Option<u32> {
        u32::try_from(CONNECTIONS).ok()
    }

    fn source(&self, peer: IpAddr, _headers: &HeaderMap) -> IpAddr {
        peer
    }

    fn refuse(&self, _path: &str, why: GateRefusal) -> Response {
        let status = match why {
            GateRefusal::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            GateRefusal::NoHost => StatusCode::BAD_REQUEST,
            GateRefusal::TooManyAtOnce | GateRefusal::Busy => StatusCode::SERVICE_UNAVAILABLE,
        };
        status.into_response()
    }

    fn crowded(&self) -> Vec<u8> {
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            .to_vec()
    }

    fn is_https(&self) -> bool {
        false
    }
}
