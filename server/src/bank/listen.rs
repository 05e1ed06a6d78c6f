//! The bank's accept loop: HTTP/1.1 with a time limit on request heads and a cap on connections, which
//! `axum::serve` does not have.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
const MOST_CONNECTIONS: usize = 1024;
/// How long requests in flight may take to end.
const CLOSING: Duration = Duration::from_secs(5);
/// After a failed accept (out of file descriptors): waiting beats spinning.
const BREATH: Duration = Duration::from_millis(100);

/// Answers connections until told to stop, then lets those in hand finish.
pub(super) async fn answer(listener: TcpListener, doors: Router, stop: CancellationToken) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let Ok(place) = room.clone().acquire_owned().await else {
            break;
        };
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the sandbox bank cannot accept a connection");
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            },
        };
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT);
        let service = TowerToHyperService::new(doors.clone());
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // A client that hangs up in the middle is no event.
            connection.await.ok();
            drop(place);
        });
    }
    tokio::time::timeout(CLOSING, graceful.shutdown())
        .await
        .ok();
}
