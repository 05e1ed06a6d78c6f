//! Calls to providers, with limits: 2 s to connect, 15 s in all, no redirects, no proxies, answers of at most 5 MiB.

use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use http_body::{Frame, SizeHint};
use json::ReadLimits;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Request, RequestBuilder, StatusCode};
use tokio_util::task::AbortOnDropHandle;
use tracing::Span;
use tracing::field::Empty;

use super::connector::ConnectorError;
use crate::metrics::Metrics;

const CONNECT: Duration = Duration::from_secs(2);
const TOTAL: Duration = Duration::from_secs(15);
const MOST_BYTES: usize = ReadLimits::ANSWER.bytes;
/// Idle connections are dropped before the servers at the other end commonly drop them.
const IDLE: Duration = Duration::from_secs(20);

/// A client for calls to providers; cheap to clone, keeps its connections.
#[derive(Clone)]
pub struct Outbound {
    client: Client,
    /// The connector that calls, for spans and metrics.
    connector: &'static str,
    metrics: Metrics,
}

/// A file as a request's body: read piece by piece while it is sent.
pub struct Piped {
    /// Never locked: it makes shareable what is only ever polled by its owner.
    bytes: Mutex<BoxStream<'static, io::Result<Bytes>>>,
    size: u64,
}

impl Piped {
    pub fn new(bytes: BoxStream<'static, io::Result<Bytes>>, size: u64) -> Self {
        let bytes = Mutex::new(bytes);
        Self { bytes, size }
    }
}

impl http_body::Body for Piped {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let bytes = self.bytes.get_mut().unwrap_or_else(PoisonError::into_inner);
        bytes
            .poll_next_unpin(context)
            .map(|next| next.map(|piece| piece.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.size)
    }
}

/// A whole answer.
pub struct ProviderResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Outbound {
    /// Makes the client of a connector.
    pub fn new(connector: &'static str, metrics: &Metrics) -> Result<Self, reqwest::Error> {
        Self::with_total(connector, metrics, TOTAL)
    }

    /// Makes a client with another time limit for the whole call.
    pub fn with_total(
        connector: &'static str,
        metrics: &Metrics,
        total: Duration,
    ) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(total)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self {
            client,
            connector,
            metrics: metrics.clone(),
        })
    }

    /// The client to begin a request with; [`Outbound::send`] ends it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a request and reads its answer to the end.
    pub async fn send(&self, request: RequestBuilder) -> Result<ProviderResponse, ConnectorError> {
        let (client, request) = request.build_split();
        let request = request.map_err(failure)?;
        let (span, began) = (self.span(&request), Instant::now());
        // In a task without a span: the task of a connection that the client keeps would hold this one open, and the
        // request's around it, until the connection ends.
        let sent = AbortOnDropHandle::new(tokio::spawn(exchange(client, request)));
        let sent = sent.await.unwrap_or(Err(ConnectorError::Unreachable));
        let outcome = match &sent {
            Ok(answer) => {
                // Signed: an unsigned number reaches a collector as a text.
                let status = i64::from(answer.status.as_u16());
                span.record("http.response.status_code", status);
                class(answer.status)
            }
            Err(error) => {
                span.record("error.type", error.code());
                error.code()
            }
        };
        self.metrics
            .count_provider(self.connector, outcome, began.elapsed());
        sent
    }

    /// Makes the span of a call: host and route, never the path with its ids (semantic conventions for HTTP clients).
    fn span(&self, request: &Request) -> Span {
        let (method, url) = (request.method().as_str(), request.url());
        let span = tracing::info_span!(
            target: "provider",
            "provider call",
            connector = self.connector,
            otel.name = Empty,
            otel.kind = "client",
            http.request.method = method,
            server.address = url.host_str(),
            server.port = url.port_or_known_default().map(i64::from),
            url.template = Empty,
            http.response.status_code = Empty,
            error.type = Empty,
        );
        if !span.is_disabled() {
            let route = template(url.path());
            span.record("otel.name", format!("{method} {route}"));
            span.record("url.template", route);
        }
        span
    }
}

async fn exchange(client: Client, request: Request) -> Result<ProviderResponse, ConnectorError> {
    let mut response = client.execute(request).await.map_err(failure)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Err(ConnectorError::BadAnswer("it is too large"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(ProviderResponse {
        status,
        headers,
        body,
    })
}

/// Words of the paths that providers' interfaces have; whatever else a path holds is an id.
const PATH_WORDS: [&str; 27] = [
    "accounts",
    "applications",
    "authorisations",
    "authorise",
    "balances",
    "bulk-payments",
    "cancellation-authorisations",
    "cards",
    "consent",
    "consents",
    "decision",
    "deposits",
    "documents",
    "login",
    "oauth",
    "payments",
    "periodic-payments",
    "products",
    "sepa-credit-transfers",
    "sign-in",
    "status",
    "steps",
    "token",
    "transactions",
    "v1",
    "v2",
    "verification",
];

/// Returns a path with its ids left out: a list of few, which tells of nobody.
fn template(path: &str) -> String {
    let parts = path.split('/').map(|part| {
        if part.is_empty() || PATH_WORDS.contains(&part) {
            part
        } else {
            "{id}"
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Returns the class of a status, for the metrics.
fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}

fn failure(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() && !error.is_connect() {
        ConnectorError::Timeout
    } else {
        ConnectorError::Unreachable
    }
}

impl ProviderResponse {
    /// `Retry-After` in seconds (RFC 9110, section 10.2.3); a date is not read.
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(RETRY_AFTER)?.to_str().ok()?;
        seconds.trim().parse().ok().map(Duration::from_secs)
    }

    /// The body as JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, ConnectorError> {
        json::from_slice(&self.body, ReadLimits::ANSWER)
            .map_err(|_| ConnectorError::BadAnswer("its body is not of the agreed shape"))
    }
}

#[cfg(test)]
mod tests {
    use json::PlainValue;

    use super::*;

    fn read<T: serde::de::DeserializeOwned>(body: &str) -> Result<T, ConnectorError> {
        let answer = ProviderResponse {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        };
        answer.json()
    }

    #[test]
    fn an_answer_of_a_bank_is_read_as_json_and_nothing_more() {
        #[derive(serde::Deserialize)]
        struct Offered {
            offer: PlainValue,
        }
        let mut raw = "[]".to_owned();
        for _ in 0..60 {
            let escaped = raw.replace('\\', "\\u005c").replace('"', "\\u0022");
            let (open, close) = ("[".repeat(60), "]".repeat(60));
            raw = format!("{open}{{\"$serde_json::private::RawValue\":\"{escaped}\"}}{close}");
        }
        let offered: Offered = read(&format!("{{\"offer\":{raw}}}")).unwrap();
        let mut inner = &offered.offer.0;
        while let Some(items) = inner.as_array() {
            inner = &items[0];
        }
        assert!(
            inner["$serde_json::private::RawValue"].is_string(),
            "a name like others"
        );
        let spoofed = r#"{"offer":{"$serde_json::private::Number":"1"}}"#;
        assert!(read::<Offered>(spoofed).unwrap().offer.0.is_object());
        for bad in [
            r#"{"offer":1,"offer":2}"#,
            r#"{"offer":{"a":1,"a":2}}"#,
            "{\"offer\":1}x",
        ] {
            assert!(read::<Offered>(bad).is_err(), "{bad}");
        }
    }
}
