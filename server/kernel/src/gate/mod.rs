//! The accept loop that every listener of this program runs on, the product's and the sandbox bank's.
//!
//! `axum::serve` bounds nothing. Here the head of a request has a deadline, its body and its answer a pace, connections a
//! number in all and for each source, and what is held in memory of bodies and answers a sum. It knows no product word:
//! what a refusal looks like is said by the [`GatedService`] behind the gate.

mod answer;
mod body;
mod counts;
pub mod gcra;
mod head;
mod headers;
mod memory_pool;
mod pace;
pub mod quota_store;
mod source;
mod stream;
mod unsent;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, Version, header};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tower::Service as _;

use answer::GuardedBody;
pub use body::{BodyReadError, PacedBody};
use counts::{CountSlot, Counts};
use head::Head;
pub use headers::plain;
pub use memory_pool::{MemoryPool, MemoryShare};
pub use pace::Pace;
pub use source::{Peer, SourceAddress};
use stream::Stream;
use unsent::Unsent;

/// Header lines and bytes of a request's head; more is 431.
const MOST_HEADERS: usize = 100;
const HEAD_BYTES: usize = 16 * 1024;
/// Multiple of the allowed header lines and bytes up to which a head is read, so that the refusal has a body. Beyond it
/// hyper answers a bare 431.
const READ: usize = 4;
/// Size of the kernel's send buffer of a connection, in bytes (Linux doubles it for its own bookkeeping). Without a
/// bound it grows to megabytes a connection, and a slow reader's progress is seen too seldom to be judged.
const SEND_BUFFER: usize = 128 * 1024;
/// Memory that unfinished heads may hold beyond what each connection has for its head anyway, all together, in bytes.
const HEADS: usize = 16 << 20;
/// Memory that answers waiting to be read may hold, all together, in bytes.
const ANSWERS: usize = 48 << 20;
/// The largest answer that is not counted, in bytes.
const SMALL_ANSWER: u64 = 8 * 1024;
/// Largest memory held by an answer that is streamed, in bytes: a piece here, and what hyper keeps of it until the
/// kernel takes it.
const STREAMED: u64 = 128 * 1024;
/// Pause after a failed accept, mostly for lack of file descriptors: meanwhile connections end.
const BREATH: Duration = Duration::from_millis(100);

/// Bounds of a listener.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Connections at once; further ones wait to be accepted.
    pub connections: usize,
    /// Connections at once from one [`SourceAddress`]; and, through a proxy that is believed, requests at once.
    pub per_source: u32,
    /// Time a head may take, counted from when the server begins to wait for one: it ends idle connections, too.
    pub head: Duration,
    /// Slowest pace at which a body may be sent.
    pub body: Pace,
    /// Slowest pace at which an answer may be read.
    pub answer: Pace,
    /// Memory that bodies of unauthenticated requests may hold, all together, in bytes.
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

/// Reason the gate answers a request itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateRefusal {
    /// The head is larger than any request needs.
    HeadTooLarge,
    /// The request names no host, several, or an invalid one (RFC 9112, section 3.2).
    NoHost,
    /// Its source has as many requests in progress as it may.
    TooManyAtOnce,
    /// The answer is large, and too many such wait to be read.
    Busy,
}

/// The service behind a gate: what the accept loop has to ask it.
pub trait GatedService: Send + Sync + 'static {
    /// Returns the number of connections the peer may have at once, given the local address it connected to; `None` for
    /// no limit, because the peer is a proxy whose requests are counted one by one.
    fn connections(&self, peer: IpAddr, reached: IpAddr) -> Option<u32>;

    /// Returns the address a request comes from, given the peer of its connection and the headers.
    fn source(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr;

    /// Returns the answer to a request that there is no time for now, given its path; `None` if it is to be served. Asked
    /// before anything is done for the request: a refusal that costs half as much as an answer leaves nothing for answers.
    fn turn_away(&self, _path: &str) -> Option<Response> {
        None
    }

    /// Returns the answer to a request that the gate refuses.
    fn refuse(&self, path: &str, why: GateRefusal) -> Response;

    /// Returns the whole answer, as bytes, to a connection beyond its source's limit. Sent once, without waiting.
    fn crowded(&self) -> Vec<u8>;

    /// Returns `true` if the public URL is `https:`.
    fn is_https(&self) -> bool;
}

/// The use of a gate at one moment: connections, and the bytes that heads, bodies and answers on their way hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct GateUse {
    pub connections: usize,
    pub connection_slots: usize,
    pub heads: usize,
    pub bodies: usize,
    pub answers: usize,
}

/// A gate, and the house behind it.
pub struct Gate {
    bounds: Bounds,
    house: Arc<dyn GatedService>,
    router: Router,
    slots: Arc<Semaphore>,
    connections: Counts,
    requests: Counts,
    heads: Arc<MemoryPool>,
    bodies: Arc<MemoryPool>,
    answers: Arc<MemoryPool>,
}

impl Gate {
    /// A gate with these bounds.
    pub fn new(bounds: Bounds, house: Arc<dyn GatedService>, router: Router) -> Arc<Self> {
        Arc::new(Self {
            slots: Arc::new(Semaphore::new(bounds.connections.max(1))),
            connections: Counts::default(),
            requests: Counts::default(),
            heads: MemoryPool::new(HEADS),
            bodies: MemoryPool::for_bodies(bounds.unproved),
            answers: MemoryPool::new(ANSWERS),
            bounds,
            house,
            router,
        })
    }

    /// Returns the use of the gate at this moment.
    pub fn in_use(&self) -> GateUse {
        let connection_slots = self.bounds.connections.max(1);
        GateUse {
            connections: connection_slots.saturating_sub(self.slots.available_permits()),
            connection_slots,
            heads: self.heads.held(),
            bodies: self.bodies.held(),
            answers: self.answers.held(),
        }
    }

    /// Serves connections until `closed` ends, then accepts no more and lets requests in progress finish within
    /// `patience`. Returns `false` if something was cut off.
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
            if let Some((stream, peer, slot)) = accepted {
                self.admit(stream, peer.ip(), slot, &open);
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
        let slot = self.slots.clone().acquire_owned().await.ok()?;
        match listener.accept().await {
            Ok((stream, peer)) => Some((stream, peer, slot)),
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
        slot: OwnedSemaphorePermit,
        open: &GracefulShutdown,
    ) {
        let peer = peer.to_canonical();
        let reached = stream
            .local_addr()
            .map_or(peer, |it| it.ip().to_canonical());
        let most = self.house.connections(peer, reached);
        let counted = most.map(|most| self.connections.enter(SourceAddress::from(peer), most));
        if matches!(counted, Some(None)) {
            // The kernel takes a new connection's first bytes without waiting, or nobody does.
            stream.try_write(&self.house.crowded()).ok();
            return;
        }
        stream.set_nodelay(true).ok();
        let cut = Arc::new(Notify::new());
        let unsent = Arc::new(Unsent::default());
        let source = SourceAddress::from(peer);
        let head = Arc::new(Head::new(self.heads.room_of(source, cut.clone())));
        let visit = Arc::new(Visit {
            gate: self.clone(),
            peer,
            is_proxy: most.is_none(),
            cut: cut.clone(),
            head: head.clone(),
            unsent: unsent.clone(),
        });
        let service = hyper::service::service_fn(move |request| {
            let visit = visit.clone();
            async move {
                visit.head.complete();
                let answer = visit.serve(request).await;
                visit.head.begin();
                Ok::<Response, Infallible>(answer)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.bounds.head)
            .max_headers(MOST_HEADERS * READ)
            .max_buf_size(HEAD_BYTES * READ)
            .half_close(true)
            .serve_connection(
                TokioIo::new(Stream::new(stream, self.bounds.answer, head, unsent)),
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
            drop((slot, counted));
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
    head: Arc<Head>,
    unsent: Arc<Unsent>,
}

impl Visit {
    async fn serve(&self, request: hyper::Request<Incoming>) -> Response {
        let (mut parts, body) = request.into_parts();
        let head = head_size(&parts);
        if parts.headers.len() > MOST_HEADERS || head > HEAD_BYTES {
            return self.refused(parts.uri.path(), GateRefusal::HeadTooLarge);
        }
        if !names_a_host(&parts) {
            return self.refused(parts.uri.path(), GateRefusal::NoHost);
        }
        if let Some(mut answer) = self.gate.house.turn_away(parts.uri.path()) {
            dress(&mut answer, self.gate.house.is_https());
            return answer;
        }
        let from = self.gate.house.source(self.peer, &parts.headers);
        let source = SourceAddress::from(from);
        let Ok(turn) = self.take_slot(from) else {
            return self.refused(parts.uri.path(), GateRefusal::TooManyAtOnce);
        };
        parts.extensions.insert(Peer(from));
        let body = if hyper::body::Body::is_end_stream(&body) {
            Body::empty()
        } else {
            let share = self.gate.bodies.room(source);
            parts.extensions.insert(share.clone());
            Body::new(PacedBody::new(body, self.gate.bounds.body, share, head))
        };
        let asked = parts.uri.clone();
        let request = Request::from_parts(parts, body);
        let answer = self.gate.router.clone().call(request).await;
        let answer = answer.unwrap_or_else(|never| match never {});
        self.guarded(answer, source, turn, asked.path())
    }

    /// Takes a slot for one request of a source that comes through a proxy; whoever comes directly has one with each
    /// connection.
    fn take_slot(&self, from: IpAddr) -> Result<Option<CountSlot>, ()> {
        if !self.is_proxy || from == self.peer {
            return Ok(None);
        }
        let most = self.gate.bounds.per_source;
        let slot = self.gate.requests.enter(SourceAddress::from(from), most);
        slot.map(Some).ok_or(())
    }

    /// The answer, dressed, and counted as long as it waits to be read.
    fn guarded(
        &self,
        mut answer: Response,
        source: SourceAddress,
        turn: Option<CountSlot>,
        path: &str,
    ) -> Response {
        dress(&mut answer, self.gate.house.is_https());
        let size = Some(held_by(&answer)).filter(|size| *size > SMALL_ANSWER);
        if size.is_none() && turn.is_none() {
            return answer;
        }
        let room = size.and_then(|size| {
            let room = self.gate.answers.room_of(source, self.cut.clone());
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            room.take(size).ok().map(|()| room)
        });
        if size.is_some() && room.is_none() {
            return self.refused(path, GateRefusal::Busy);
        }
        let unsent = self.unsent.clone();
        answer.map(|body| Body::new(GuardedBody::new(body, room, turn, unsent)))
    }

    fn refused(&self, path: &str, why: GateRefusal) -> Response {
        let mut answer = self.gate.house.refuse(path, why);
        dress(&mut answer, self.gate.house.is_https());
        answer
    }
}

/// Returns the most that an answer holds in memory until it is sent, in bytes: all of one that is there as a whole, a part
/// of one that is streamed.
fn held_by(answer: &Response) -> u64 {
    let whole = hyper::body::Body::size_hint(answer.body()).exact();
    let announced = || {
        let length = answer.headers().get(header::CONTENT_LENGTH)?;
        length.to_str().ok()?.parse().ok()
    };
    whole.unwrap_or_else(|| announced().unwrap_or(STREAMED).min(STREAMED))
}

/// Sets the headers of every answer, and `Retry-After` on a 429 or 503 that has none.
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

/// Returns `true` if a head names one host, as HTTP/1.1 demands (RFC 9112, section 3.2). The host itself is not used.
fn names_a_host(parts: &Parts) -> bool {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => parts.version < Version::HTTP_11,
        (Some(_), Some(_)) => false,
        (Some(host), None) => {
            let host = host
                .to_str()
                .ok()
                .and_then(|host| host.parse::<Authority>().ok());
            host.is_some_and(|host| !host.host().is_empty() && !host.as_str().contains('@'))
        }
    }
}

/// Returns the size of a head in bytes.
fn head_size(parts: &Parts) -> usize {
    let lines = parts.headers.iter();
    let bytes = lines.map(|(name, value)| name.as_str().len() + value.len() + 4);
    let address = parts.uri.path_and_query().map_or(0, |it| it.as_str().len());
    bytes.sum::<usize>() + address
}
