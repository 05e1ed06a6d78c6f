//! The accept loop. `axum::serve` bounds neither the time a head may take nor the number of connections; this does,
//! and it stops without losing anything: "not ready" first, then no new connections, then what is in flight, then the
//! background writers.

mod linger;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use app::domain::problem::Code;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use self::linger::Linger;
use super::api_layer::REQUEST_ID;
use super::notes::Peer;
use super::proxies::Proxies;
use crate::problem::Problem;
use crate::state::AppState;

/// Header lines and bytes of a request's head; more is 431.
const MOST_HEADERS: usize = 100;
const HEAD_BYTES: usize = 16 * 1024;
/// How many times that a head may have to be read at all. Beyond it the answer is a bare 431, which hyper writes.
const READ: usize = 4;

/// Serves until `stop`, then drains. Returns when every connection is closed and everything noted is written.
///
/// HTTP/1.1 only: TLS and HTTP/2 end at the proxy in front. The time for a head counts from the moment the server
/// waits for one, so it also ends idle connections.
pub async fn run(state: AppState, listener: TcpListener, router: Router, stop: CancellationToken) {
    let writers_stop = CancellationToken::new();
    let writers = tokio::spawn(crate::services::background(
        state.clone(),
        writers_stop.clone(),
    ));
    let connections = GracefulShutdown::new();
    // The settings were checked when they were read.
    let proxies = state.config.trusted_proxies().unwrap_or_default();
    let proxies = Arc::new(Proxies::new(proxies));
    let places = Arc::new(Semaphore::new(
        state.config.http.max_connections.max(1) as usize
    ));
    let closed = closing(&state, &stop);
    tokio::pin!(closed);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut closed => break,
        };
        if let Some((stream, peer, place)) = accepted {
            let service = Service {
                state: state.clone(),
                router: router.clone(),
                proxies: proxies.clone(),
                peer,
            };
            connection(&state, service, &connections, stream, place);
        }
    }
    drop(listener);
    let patience = Duration::from_secs(state.config.http.shutdown_seconds);
    if tokio::time::timeout(patience, connections.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(
            "requests in flight were cut off: they took longer than http.shutdown_seconds"
        );
    }
    writers_stop.cancel();
    if writers.await.is_err() {
        tracing::error!("a background writer panicked");
    }
}

/// Ends when the door may close: after the load balancers had time to see "not ready".
async fn closing(state: &AppState, stop: &CancellationToken) {
    stop.cancelled().await;
    state.stopping.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(state.config.http.drain_seconds)).await;
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer.ip(), place)),
        Err(error) => {
            // Out of file descriptors, mostly: waiting lets connections end.
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

/// What serves the requests of one connection.
struct Service {
    state: AppState,
    router: Router,
    proxies: Arc<Proxies>,
    peer: IpAddr,
}

impl Service {
    async fn serve(&self, mut request: hyper::Request<Incoming>) -> Response {
        if is_too_large(&request) {
            return self.refused();
        }
        let source = self.proxies.source(self.peer, request.headers());
        request.extensions_mut().insert(Peer(source));
        let served = self.router.clone().call(request.map(Body::new)).await;
        served.unwrap_or_else(|never| match never {})
    }

    /// The answer to a head that is too large, whichever door it was for. Nothing of it is kept.
    fn refused(&self) -> Response {
        let id = self.state.clock.id();
        let mut answer = Problem::new(Code::HeadersTooLarge).answer(id, &self.state.public_url);
        let headers = [
            (header::CONNECTION, "close".to_owned()),
            (header::CACHE_CONTROL, "no-store".to_owned()),
            (REQUEST_ID, id.to_string()),
        ];
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                answer.headers_mut().insert(name, value);
            }
        }
        answer
    }
}

/// Whether a head is larger than any call needs.
fn is_too_large(request: &hyper::Request<Incoming>) -> bool {
    let headers = request.headers();
    let lines = headers.iter();
    let bytes = lines.map(|(name, value)| name.as_str().len() + value.len() + 4);
    let address = request
        .uri()
        .path_and_query()
        .map_or(0, |it| it.as_str().len());
    headers.len() > MOST_HEADERS || bytes.sum::<usize>() + address > HEAD_BYTES
}

fn connection(
    state: &AppState,
    service: Service,
    connections: &GracefulShutdown,
    stream: TcpStream,
    place: OwnedSemaphorePermit,
) {
    stream.set_nodelay(true).ok();
    let service = Arc::new(service);
    let service = hyper::service::service_fn(move |request| {
        let service = service.clone();
        async move { Ok::<Response, Infallible>(service.serve(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(
            state.config.http.header_timeout_seconds.max(1),
        ))
        .max_headers(MOST_HEADERS * READ)
        .max_buf_size(HEAD_BYTES * READ)
        .half_close(false)
        .serve_connection(TokioIo::new(Linger::new(stream)), service);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
        drop(place);
    });
}
