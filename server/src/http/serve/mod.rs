//! The accept loop. `axum::serve` bounds neither the time a head may take nor the number of connections; this does,
//! and it stops without losing anything: "not ready" first, then no new connections, then what is in flight, then the
//! background writers.

mod linger;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
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
use super::notes::Peer;
use crate::state::AppState;

/// Header lines and bytes of a request's head; more is 431.
const MOST_HEADERS: usize = 100;
const HEAD_BYTES: usize = 16 * 1024;

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
            connection(&state, router.clone(), &connections, stream, peer, place);
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
) -> Option<(TcpStream, Peer, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, Peer(peer.ip()), place)),
        Err(error) => {
            // Out of file descriptors, mostly: waiting lets connections end.
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

fn connection(
    state: &AppState,
    router: Router,
    connections: &GracefulShutdown,
    stream: TcpStream,
    peer: Peer,
    place: OwnedSemaphorePermit,
) {
    stream.set_nodelay(true).ok();
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let mut router = router.clone();
        async move {
            Ok::<Response, Infallible>(
                router
                    .call(request.map(Body::new))
                    .await
                    .unwrap_or_else(|never| match never {}),
            )
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(
            state.config.http.header_timeout_seconds.max(1),
        ))
        .max_headers(MOST_HEADERS)
        .max_buf_size(HEAD_BYTES)
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
