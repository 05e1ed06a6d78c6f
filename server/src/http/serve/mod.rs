//! The product's listener: the gate's accept loop, and a stop that loses nothing: "not ready" first, then no new
//! connections, then what is in flight.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use app::domain::problem::Code;
use axum::Router;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use kernel::gate::{Bounds, Gate, GateRefusal, GatedService, Pace, plain};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::proxies::Proxies;
use super::request_head::REQUEST_ID;
use super::{cors, notice, paths};
use crate::config;
use crate::problem::Problem;
use crate::services::refusal::Refusal;
use crate::state::AppState;

/// Serves until `stop`, then drains. Returns when every connection is closed.
///
/// HTTP/1.1 only: TLS and HTTP/2 end at the proxy in front.
pub async fn run(state: AppState, listener: TcpListener, router: Router, stop: CancellationToken) {
    // The settings were checked when they were read.
    let proxies = state.config.trusted_proxies().unwrap_or_default();
    let product = Product {
        state: state.clone(),
        proxies: Proxies::new(proxies),
        https: state.public_url.starts_with("https:"),
    };
    let gate = Gate::new(bounds(&state.config.http), Arc::new(product), router);
    state.gate.set(gate.clone()).ok();
    let patience = Duration::from_secs(state.config.http.shutdown_seconds);
    if !gate.run(listener, closing(&state, &stop), patience).await {
        tracing::warn!(
            "requests in flight were cut off: they took longer than http.shutdown_seconds"
        );
    }
}

/// Returns the bounds of the listener from the settings.
pub fn bounds(http: &config::Http) -> Bounds {
    let seconds = |seconds: u64| Duration::from_secs(seconds.max(1));
    Bounds {
        connections: http.max_connections as usize,
        per_source: http.connections_per_source,
        head: seconds(http.header_timeout_seconds),
        body: Pace::BODY.with_patience(seconds(http.body_timeout_seconds)),
        answer: Pace::ANSWER.with_patience(seconds(http.answer_timeout_seconds)),
        unproved: (http.unproved_bodies_mib as usize) << 20,
    }
}

/// Ends when the listener may close: after the load balancers had time to see "not ready".
async fn closing(state: &AppState, stop: &CancellationToken) {
    stop.cancelled().await;
    state.stopping.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(state.config.http.drain_seconds)).await;
}

/// The product behind its gate.
struct Product {
    state: AppState,
    proxies: Proxies,
    https: bool,
}

impl GatedService for Product {
    fn connections(&self, peer: IpAddr, _reached: IpAddr) -> Option<u32> {
        (!self.proxies.trusts(peer)).then_some(self.state.config.http.connections_per_source)
    }

    fn source(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        self.proxies.source(peer, headers)
    }

    /// Turns readings away that would make a queue for the database stand. Their ids are in no log; how many there were is.
    fn turn_away(&self, path: &str) -> Option<Response> {
        let limits = &self.state.rate_limits;
        let crowd = &limits.crowd;
        if !paths::is_reading(path)
            || !crowd.is_too_large(self.state.db.read_queue(), limits.slots.others())
        {
            return None;
        }
        self.state.metrics.count_refusal("gate: too many readings");
        if let Some(calls) = crowd.count() {
            tracing::warn!(
                calls,
                "more readings came than can be answered: they were told to come again"
            );
        }
        let problem = Problem::from(Refusal::new(Code::ServiceUnavailable).after(1));
        let mut answer = self.problem_response(&problem);
        if cors::is_open(path) {
            cors::open(answer.headers_mut());
        }
        Some(answer)
    }

    /// In JSON for programs, as a page for people. Nothing of the request is kept.
    fn refuse(&self, path: &str, why: GateRefusal) -> Response {
        self.state.metrics.count_refusal(match why {
            GateRefusal::HeadTooLarge => "gate: head too large",
            GateRefusal::NoHost => "gate: no host",
            GateRefusal::TooManyAtOnce => "gate: too many at once",
            GateRefusal::Busy => "gate: answers wait to be read",
        });
        let problem = problem(why);
        if paths::is_for_people(path) {
            return notice::page(&self.state, &problem);
        }
        let mut answer = self.problem_response(&problem);
        if matches!(why, GateRefusal::HeadTooLarge | GateRefusal::NoHost) {
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(header::CONNECTION, close);
        }
        answer
    }

    fn crowded(&self) -> Vec<u8> {
        self.state
            .metrics
            .count_refusal("gate: too many connections");
        let id = self.state.clock.id();
        let problem = Problem::from(
            Refusal::new(Code::ServiceUnavailable)
                .says("Your address has as many connections open as one may have.")
                .hints("Use connections again (keep-alive), or close some and try again.")
                .after(1),
        );
        let body = problem.text(id, &self.state.public_url);
        let mut answer = format!(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             connection: close\r\nretry-after: 1\r\nx-request-id: {id}\r\n",
            body.len()
        )
        .into_bytes();
        let mut headers = HeaderMap::new();
        plain(&mut headers, self.https);
        for (name, value) in &headers {
            answer.extend_from_slice(name.as_str().as_bytes());
            answer.extend_from_slice(b": ");
            answer.extend_from_slice(value.as_bytes());
            answer.extend_from_slice(b"\r\n");
        }
        answer.extend_from_slice(b"\r\n");
        answer.extend_from_slice(&body);
        answer
    }

    fn is_https(&self) -> bool {
        self.https
    }
}

impl Product {
    /// Returns a problem as the answer to a program, with an id of its own.
    fn problem_response(&self, problem: &Problem) -> Response {
        let id = self.state.clock.id();
        let mut answer = problem.answer(id, &self.state.public_url);
        let headers = answer.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let mut buffer = uuid::Uuid::encode_buffer();
        let id: &str = id.hyphenated().encode_lower(&mut buffer);
        if let Ok(id) = HeaderValue::from_str(id) {
            headers.insert(REQUEST_ID, id);
        }
        answer
    }
}

fn problem(why: GateRefusal) -> Problem {
    match why {
        GateRefusal::HeadTooLarge => Problem::new(Code::HeadersTooLarge),
        GateRefusal::NoHost => Refusal::new(Code::InvalidField)
            .says(
                "The request names no host, several, or one that is none (RFC 9112, section 3.2).",
            )
            .hints("Send one Host header: host, or host:port.")
            .into(),
        GateRefusal::TooManyAtOnce => Refusal::new(Code::TooManyRequests)
            .says("Your address has as many requests in hand as one may have.")
            .hints("Wait for answers before you send more, and try again.")
            .after(1)
            .into(),
        GateRefusal::Busy => Refusal::new(Code::ServiceUnavailable).after(2).into(),
    }
}
