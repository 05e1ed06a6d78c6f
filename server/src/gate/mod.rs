//! The accept loop that every listener of this program runs on, the product's and the sandbox bank's.
//!
//! `axum::serve` bounds nothing. Here the head of a request has a deadline, its body and its answer a pace, connections a
//! number in all and for each source, and what is held in memory of bodies and answers a sum. It knows no product word:
//! what a refusal looks like is said by the [`House`] behind the gate.

mod answer;
mod body;
mod counts;
pub mod gcra;
mod headers;
pub mod memory;
mod pace;
mod room;
mod source;
mod stream;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tower::Service as _;

use answer::Guarded;
use body::PacedBody;
pub use body::is_slow;
use counts::{Counts, Place};
pub use headers::plain;
pub use pace::Pace;
pub use room::{Room, Rooms, Unread};
pub use source::{Peer, Source};
use stream::Stream;

/// Header lines and bytes of a request's head; more is 431.
const MOST_HEADERS: usize = 100;
const HEAD_BYTES: usize = 16 * 1024;
/// How many times that a head may have to be read at all. Beyond it the answer is a bare 431, which hyper writes.
const READ: usize = 4;
/// What the kernel may hold of an answer that is not read yet, in bytes (Linux doubles it for its own keeping). Without
/// a bound it grows to megabytes a connection, and a slow reader's progress is seen too seldom to be judged.
const SEND_BUFFER: usize = 128 * 1024;
/// What answers that wait to be read may hold in memory, all together, in bytes.
const ANSWERS: usize = 64 << 20;
/// The largest answer that is not counted, in bytes: the kernel takes it whole.
const SMALL_ANSWER: u64 = 32 * 1024;
/// After a failed accept (out of file descriptors, mostly): waiting lets connections end.
const BREATH: Duration = Duration::from_millis(100);

/// How much of everything a listener allows.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Connections at once; further ones wait to be accepted.
    pub connections: usize,
    /// Connections at once from one [`Source`]; and, through a proxy that is believed, requests at once.
    pub per_source: u32,
    /// How long a head may take, counted from when the server waits for one: it ends idle connections, too.
    pub head: Duration,
    /// How slowly a body may come.
    pub body: Pace,
    /// How slowly an answer may be read.
    pub answer: Pace,
    /// What bodies whose sender has proved nothing yet may hold in memory, all together, in bytes.
    pub unproved: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 4096,
            per_source: 64,
            head: Duration::from_secs(10),
            body: Pace::BODY,
            answer: Pace::ANSWER,
            unproved: 32 << 20,
        }
    }
}

/// Why the gate answers a request itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The head is larger than any request needs.
    HeadTooLarge,
    /// Its source has as many requests in hand as it may.
    TooManyAtOnce,
    /// The answer is large, and too many such wait to be read.
    Busy,
}

/// What stands behind a gate.
pub trait House: Send + Sync + 'static {
    /// How many connections the other end may have at once, given the address it reached us at; none: as many as it
    /// likes, because it is a proxy whose requests are counted one by one.
    fn connections(&self, peer: IpAddr, reached: IpAddr) -> Option<u32>;

    /// Where a request really comes from, given the other end of its connection.
    fn source(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr;

    /// The answer to a request that goes no further.
    fn refuse(&self, path: &str, why: Why) -> Response;

    /// The whole answer, as bytes, to a connection that is one too many of its source's. Sent once, without waiting.
    fn crowded(&self) -> Vec<u8>;

    /// Whether the world reaches it by https.
    fn is_https(&self) -> bool;
}

/// A gate, and the house behind it.
pub struct Gate {
    bounds: Bounds,
    house: Arc<dyn House>,
    router: Router,
    places: Arc<Semaphore>,
    connections: Counts,
    requests: Counts,
    bodies: Arc<Rooms>,
    answers: Arc<Rooms>,
}

impl Gate {
    /// A gate with these bounds.
    pub fn new(bounds: Bounds, house: Arc<dyn House>, router: Router) -> Arc<Self> {
        Arc::new(Self {
            places: Arc::new(Semaphore::new(bounds.connections.max(1))),
            connections: Counts::default(),
            requests: Counts::default(),
            bodies: Rooms::new(bounds.unproved),
            answers: Rooms::new(ANSWERS),
            bounds,
            house,
            router,
        })
    }

    /// Serves connections until `closed` ends, closes the door, and lets what is in hand finish within `patience`.
    /// `false` if something was cut off.
    pub async fn run(
        self: Arc<Self>,
        listener: TcpListener,
        closed: impl Future<Output = ()>,
        patience: Duration,
    ) -> bool {
        // Accepted sockets inherit it.
        socket2::SockRef::from(&listener)
            .set_send_buffer_size(SEND_BUFFER)
            .ok();
        let open = GracefulShutdown::new();
        tokio::pin!(closed);
        loop {
            let accepted = tokio::select! {
                accepted = self.accept(&listener) => accepted,
                () = &mut closed => break,
            };
            if let Some((stream, peer, place)) = accepted {
                self.admit(stream, peer.ip(), place, &open);
            }
        }
        drop(listener);
        tokio::time::timeout(patience, open.shutdown())
            .await
            .is_ok()
    }

    /// The next connection, once there is a place for it.
    async fn accept(
        &self,
        listener: &TcpListener,
    ) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let place = self.places.clone().acquire_owned().await.ok()?;
        match listener.accept().await {
            Ok((stream, peer)) => Some((stream, peer, place)),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(BREATH).await;
                None
            }
        }
    }

    /// Begins a connection, unless its source has as many as it may: then it is told so, once, and closed.
    fn admit(
        self: &Arc<Self>,
        stream: TcpStream,
        peer: IpAddr,
        place: OwnedSemaphorePermit,
        open: &GracefulShutdown,
    ) {
        let peer = peer.to_canonical();
        let reached = stream
            .local_addr()
            .map_or(peer, |it| it.ip().to_canonical());
        let most = self.house.connections(peer, reached);
        let counted = most.map(|most| self.connections.enter(Source::from(peer), most));
        if matches!(counted, Some(None)) {
            // The kernel takes a new connection's first bytes without waiting, or nobody does.
            stream.try_write(&self.house.crowded()).ok();
            return;
        }
        stream.set_nodelay(true).ok();
        let cut = Arc::new(Notify::new());
        let visit = Arc::new(Visit {
            gate: self.clone(),
            peer,
            is_proxy: most.is_none(),
            cut: cut.clone(),
        });
        let service = hyper::service::service_fn(move |request| {
            let visit = visit.clone();
            async move { Ok::<Response, Infallible>(visit.serve(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.bounds.head)
            .max_headers(MOST_HEADERS * READ)
            .max_buf_size(HEAD_BYTES * READ)
            .half_close(true)
            .serve_connection(
                TokioIo::new(Stream::new(stream, self.bounds.answer)),
                service,
            );
        let connection = open.watch(connection);
        tokio::spawn(async move {
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                },
                () = cut.notified() => tracing::debug!("a connection was cut off: others need the memory"),
            }
            drop((place, counted));
        });
    }
}

/// One connection, and who is at its other end.
struct Visit {
    gate: Arc<Gate>,
    peer: IpAddr,
    is_proxy: bool,
    /// Ends the connection.
    cut: Arc<Notify>,
}

impl Visit {
    async fn serve(&self, request: hyper::Request<Incoming>) -> Response {
        let (mut parts, body) = request.into_parts();
        if is_too_large(&parts) {
            return self.refused(parts.uri.path(), Why::HeadTooLarge);
        }
        let from = self.gate.house.source(self.peer, &parts.headers);
        let source = Source::from(from);
        let Ok(turn) = self.turn(from) else {
            return self.refused(parts.uri.path(), Why::TooManyAtOnce);
        };
        parts.extensions.insert(Peer(from));
        let body = if hyper::body::Body::is_end_stream(&body) {
            Body::empty()
        } else {
            parts.extensions.insert(self.gate.bodies.room(source));
            Body::new(PacedBody::new(body, self.gate.bounds.body))
        };
        let asked = parts.uri.clone();
        let request = Request::from_parts(parts, body);
        let answer = self.gate.router.clone().call(request).await;
        let answer = answer.unwrap_or_else(|never| match never {});
        self.guarded(answer, source, turn, asked.path())
    }

    /// A turn for one request of a source that comes through a proxy; whoever comes directly has one with each
    /// connection.
    fn turn(&self, from: IpAddr) -> Result<Option<Place>, ()> {
        if !self.is_proxy || from == self.peer {
            return Ok(None);
        }
        let most = self.gate.bounds.per_source;
        let place = self.gate.requests.enter(Source::from(from), most);
        place.map(Some).ok_or(())
    }

    /// The answer, dressed, and counted as long as it waits to be read.
    fn guarded(
        &self,
        mut answer: Response,
        source: Source,
        turn: Option<Place>,
        path: &str,
    ) -> Response {
        dress(&mut answer, self.gate.house.is_https());
        let size = hyper::body::Body::size_hint(answer.body()).exact();
        let size = size.filter(|size| *size > SMALL_ANSWER);
        if size.is_none() && turn.is_none() {
            return answer;
        }
        let room = size.and_then(|size| {
            let room = self.gate.answers.room_of(source, self.cut.clone());
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            room.take(size).ok().map(|()| room)
        });
        if size.is_some() && room.is_none() {
            return self.refused(path, Why::Busy);
        }
        answer.map(|body| Body::new(Guarded::new(body, room, turn)))
    }

    fn refused(&self, path: &str, why: Why) -> Response {
        let mut answer = self.gate.house.refuse(path, why);
        dress(&mut answer, self.gate.house.is_https());
        answer
    }
}

/// Says what every answer says, and when to come again of one that says so without a time.
fn dress(answer: &mut Response, https: bool) {
    let later = matches!(
        answer.status(),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    );
    plain(answer.headers_mut(), https);
    if later {
        answer
            .headers_mut()
            .entry(header::RETRY_AFTER)
            .or_insert(HeaderValue::from_static("1"));
    }
}

/// Whether a head is larger than any call needs.
fn is_too_large(parts: &Parts) -> bool {
    let lines = parts.headers.iter();
    let bytes = lines.map(|(name, value)| name.as_str().len() + value.len() + 4);
    let address = parts.uri.path_and_query().map_or(0, |it| it.as_str().len());
    parts.headers.len() > MOST_HEADERS || bytes.sum::<usize>() + address > HEAD_BYTES
}
