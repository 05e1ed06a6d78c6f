//! The bank's listener: the gate's accept loop, with the bank's own words.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::pages::busy;
use crate::gate::{Bounds, Gate, House, Why};

/// How long requests in flight may take to end.
const CLOSING: Duration = Duration::from_secs(5);

/// Answers connections until told to stop, then lets those in hand finish.
pub(super) async fn answer(
    listener: TcpListener,
    bounds: Bounds,
    is_https: bool,
    doors: Router,
    stop: CancellationToken,
) {
    let building = Building {
        per_source: bounds.per_source,
        half: u32::try_from(bounds.connections / 2).unwrap_or(u32::MAX),
        is_https,
    };
    let gate = Gate::new(bounds, Arc::new(building), doors);
    gate.run(listener, stop.cancelled(), CLOSING).await;
}

struct Building {
    per_source: u32,
    half: u32,
    is_https: bool,
}

impl House for Building {
    /// The third-party provider on this very machine speaks for many users at once: half of all places are its own.
    fn connections(&self, peer: IpAddr, reached: IpAddr) -> Option<u32> {
        Some(if peer == reached {
            self.half.max(self.per_source)
        } else {
            self.per_source
        })
    }

    fn source(&self, peer: IpAddr, _headers: &HeaderMap) -> IpAddr {
        peer
    }

    fn refuse(&self, _path: &str, why: Why) -> Response {
        let status = match why {
            Why::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Why::TooManyAtOnce => StatusCode::TOO_MANY_REQUESTS,
            Why::Busy => StatusCode::SERVICE_UNAVAILABLE,
        };
        let again = [(RETRY_AFTER, HeaderValue::from_static("1"))];
        (status, again, Html(busy())).into_response()
    }

    fn crowded(&self) -> Vec<u8> {
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\ncontent-length: 0\r\nconnection: close\r\n\
          retry-after: 1\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n\r\n"
            .to_vec()
    }

    fn is_https(&self) -> bool {
        self.is_https
    }
}
