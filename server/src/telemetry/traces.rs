//! Export of spans to an OpenTelemetry collector: OTLP over HTTP, in batches, from a thread of its own.
//!
//! What cannot be sent in time is dropped: the queue is bounded, and no request waits for it. Spans carry the attributes of
//! the semantic conventions for HTTP and databases, and ids; no value of a statement, no address that a caller asked for.
//! Trace ids are made here: a caller's `traceparent` is not read, and calls to providers carry none.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, Tracer};
use tokio::runtime::Handle;

/// Time that one attempt to send a batch may take.
const SEND: Duration = Duration::from_secs(5);
/// Time that what is left may take at the end.
const LAST: Duration = Duration::from_secs(3);
/// Time between two batches.
const EVERY: Duration = Duration::from_secs(2);
/// Spans that may wait to be sent; further ones are dropped.
const WAITING: usize = 8 * 1024;

/// Reason why spans cannot be exported.
#[derive(Debug, thiserror::Error)]
#[error("traces cannot be exported to telemetry.otlp_endpoint: {0}")]
pub struct ExportError(String);

/// Sends spans until it is ended.
pub(super) struct Export(SdkTracerProvider);

impl Export {
    /// Begins to export to the collector at this URL, from within the runtime.
    pub(super) fn begin(endpoint: &str) -> Result<Self, ExportError> {
        let broken = |error: &dyn std::fmt::Display| ExportError(error.to_string());
        let client = reqwest::Client::builder()
            .timeout(SEND)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| broken(&error))?;
        let runtime = Handle::try_current().map_err(|error| broken(&error))?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector { client, runtime })
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(SEND)
            .build()
            .map_err(|error| broken(&error))?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(WAITING)
            .with_scheduled_delay(EVERY)
            .build();
        let batches = BatchSpanProcessor::builder(exporter).with_batch_config(batches);
        let about = Resource::builder_empty().with_attributes([
            KeyValue::new("service.name", "tessera"),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ]);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(batches.build())
            .with_resource(about.build());
        Ok(Self(provider.build()))
    }

    pub(super) fn tracer(&self) -> Tracer {
        self.0.tracer("tessera")
    }

    /// Sends what is left, and gives up on a collector that does not answer.
    pub(super) async fn end(self) {
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(LAST));
        // The thread that sends may hang on; the process ends all the same.
        tokio::time::timeout(LAST * 2, ended).await.ok();
    }
}

/// The collector, reached through the program's own HTTP client: the thread that sends has no runtime.
#[derive(Debug)]
struct Collector {
    client: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let client = self.client.clone();
        // Outside of every span: sending spans makes none.
        let sent = self.runtime.spawn(async move {
            let answer = client.execute(request).await?;
            let status = answer.status();
            Ok::<_, reqwest::Error>((status, answer.bytes().await?))
        });
        let (status, body) = sent.await??;
        let mut answer = Response::new(body);
        *answer.status_mut() = status;
        Ok(answer)
    }
}
