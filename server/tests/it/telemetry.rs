//! The program seen from outside: its lines, its metrics and its traces, while real requests come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::{Value, json};

use crate::world::people::PASSWORD;
use crate::world::{Database, Keys, SKILL, World, client, on_both};

on_both!(
    every_line_of_a_request_carries_its_id_and_what_it_asked_of_the_database,
    metrics_are_served_at_their_own_listener_alone,
    spans_of_a_verification_reach_the_collector_and_no_secret_does,
);

const JSON: (&str, &str) = ("TESSERA_LOG__FORMAT", "json");
const ALL: (&str, &str) = (
    "TESSERA_LOG__FILTER",
    "info,server=trace,kernel=trace,sqlx=debug",
);
/// Metrics at any free port.
pub const METRICS: (&str, &str) = ("TESSERA_TELEMETRY__METRICS_LISTEN", "127.0.0.1:0");

/// Beginnings of lines that belong to no request and no job.
const OF_THE_PROCESS: [&str; 5] = [
    "a connection ended early",
    "a connection was cut off",
    "committed",
    "stopping: requests in flight are finished first",
    "the portal's files are not built",
];

/// A collector of traces (OTLP over HTTP, in protobuf) that keeps the bodies it is sent.
pub struct Collector {
    pub url: String,
    kept: Arc<Mutex<Vec<Bytes>>>,
}

impl Collector {
    pub async fn open() -> Self {
        let kept = Arc::<Mutex<Vec<Bytes>>>::default();
        let keep = {
            let kept = kept.clone();
            post(async move |body: Bytes| {
                kept.lock().unwrap().push(body);
                Bytes::new()
            })
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let limit = axum::extract::DefaultBodyLimit::disable();
        let router = Router::new().route("/v1/traces", keep).layer(limit);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, kept }
    }

    /// Returns all bytes that came so far.
    pub fn kept(&self) -> Vec<u8> {
        self.kept.lock().unwrap().concat()
    }

    /// Returns the spans that came so far, each with the resource it is of.
    pub fn spans(&self) -> Vec<(Vec<KeyValue>, Span)> {
        let bodies = self.kept.lock().unwrap();
        let requests = bodies
            .iter()
            .map(|body| ExportTraceServiceRequest::decode(&body[..]).expect("OTLP"));
        let of_resources = requests.flat_map(|request| request.resource_spans);
        let spans = of_resources.flat_map(|of| {
            let resource = of.resource.map(|resource| resource.attributes);
            let resource = resource.unwrap_or_default();
            let spans = of.scope_spans.into_iter().flat_map(|scope| scope.spans);
            spans
                .map(|span| (resource.clone(), span))
                .collect::<Vec<_>>()
        });
        spans.collect()
    }
}

/// A whole verification, from the first call to data; the secrets that it was made with.
async fn verification(world: &World, keys: &Keys) -> Vec<String> {
    let pair = world.pair(keys, "student").await;
    let data = keys.data(&pair);
    world
        .post_when_ready("/v1/accounts/get", data.to_string())
        .await;
    world
        .post_when_ready("/v1/transactions/get", data.to_string())
        .await;
    vec![
        keys.client_secret.clone(),
        keys.client_app_key.clone(),
        pair.1,
        PASSWORD.to_owned(),
    ]
}

fn lines(said: &str) -> Vec<Value> {
    let lines = said.lines();
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

async fn every_line_of_a_request_carries_its_id_and_what_it_asked_of_the_database(
    database: Database,
) {
    let mut world = World::with(database, &[JSON, ALL]).await;
    let (_, _owner) = world.servicer_with_owner().await;
    let keys = world.tenant().await;
    let secrets = verification(&world, &keys).await;
    world.stop().await;
    let said = world.server.said_to_the_end();
    let lines = lines(&said);
    for secret in &secrets {
        assert!(!said.contains(secret.as_str()), "{secret}");
    }
    // What this program writes itself is of a request or a job, or is one of a few lines of the process.
    let mut stray = BTreeSet::new();
    for line in &lines {
        let target = line["target"].as_str().unwrap_or_default();
        let own = ["server", "kernel", "security"]
            .iter()
            .any(|it| target.starts_with(it));
        let message = line["message"].as_str().unwrap_or_default();
        let is_of = line["request_id"].is_string() || line["job"].is_string();
        if own && !is_of && !OF_THE_PROCESS.iter().any(|it| message.starts_with(it)) {
            stray.insert(format!("{target}: {message}"));
        }
    }
    assert!(stray.is_empty(), "{stray:#?}");
    let of = |message: &str| {
        let found = lines.iter().filter(|line| line["message"] == message);
        found.collect::<Vec<_>>()
    };
    let calls = of("request");
    let step = calls
        .iter()
        .find(|line| line["route"] == "/v1/sessions/{session_id}/steps")
        .unwrap();
    assert!(step["db_count"].as_u64().unwrap() > 5, "{step}");
    assert!(step["db_ms"].as_f64().unwrap() > 0.0, "{step}");
    assert!(
        step["session"].is_string() && step["tenant"] == keys.client_id,
        "{step}"
    );
    let visits = of("portal");
    assert!(
        visits
            .iter()
            .any(|line| line["db_count"].as_u64() > Some(0))
    );
    // Statements of a request are written within it, those that a task of its own makes for it as well.
    let id = &step["request_id"];
    let within = lines.iter().filter(|line| line["request_id"] == *id);
    assert!(within.count() > 5, "{id}");
    let of_jobs = lines.iter().filter(|line| line["job"].is_string());
    for line in of_jobs {
        assert!(line["kind"].is_string(), "{line}");
    }
}

/// Returns the URL that the server gives for its metrics.
pub fn metrics_url(world: &World) -> String {
    let said = world.server.said();
    let at = said.find("Its metrics are at ").expect("it says where");
    let rest = &said[at + "Its metrics are at ".len()..];
    rest.split_whitespace().next().unwrap().to_owned()
}

/// Returns the text of a scrape.
pub async fn scrape(url: &str) -> String {
    let answer = client().get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let kind = answer.headers()["content-type"].to_str().unwrap();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    answer.text().await.unwrap()
}

/// Returns the value of a series; zero if it is not there.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find(|line| {
        line.strip_prefix(series)
            .is_some_and(|rest| rest.starts_with(' '))
    });
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
        .unwrap_or_default()
}

async fn metrics_are_served_at_their_own_listener_alone(database: Database) {
    let world = World::with(database, &[METRICS]).await;
    let url = metrics_url(&world);
    let keys = world.tenant().await;
    let secrets = verification(&world, &keys).await;
    let (status, _) = world
        .post(
            "/v1/accounts/get",
            &json!({"client_id": keys.client_id, "client_secret": "wrong"}),
        )
        .await;
    assert!((400..500).contains(&status));
    let text = scrape(&url).await;
    let opened = "tessera_http_requests_total{door=\"api\",method=\"POST\",route=\"/v1/sessions\",status=\"200\"}";
    assert!(value(&text, opened) >= 1.0, "{text}");
    let provider = "tessera_provider_requests_total{connector=\"sandbox\",outcome=\"2xx\"}";
    assert!(value(&text, provider) >= 3.0, "{text}");
    let job = "tessera_jobs_total{kind=\"erase_data\",outcome=\"done\"}";
    assert!(value(&text, job) >= 1.0, "{text}");
    assert!(value(&text, "tessera_db_statements_total") > 50.0, "{text}");
    assert!(value(&text, "tessera_connections") >= 1.0, "{text}");
    assert!(
        value(&text, "tessera_process_resident_bytes") > 1e6,
        "{text}"
    );
    assert!(text.contains("tessera_api_refusals_total{code="), "{text}");
    for known in secrets.iter().chain([&keys.client_id]) {
        assert!(!text.contains(known.as_str()), "{known}");
    }
    // Nobody who calls the API finds them.
    let answer = client().get(world.api("/metrics")).send().await.unwrap();
    assert_eq!(answer.status(), 404);
    assert!(!answer.text().await.unwrap().contains("tessera_"));
    let root = url.replace("/metrics", "/v1/sessions");
    assert_eq!(client().get(root).send().await.unwrap().status(), 404);
    // A thousand paths that nobody knows make no series each.
    let series = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
    let get = async |number: usize| {
        for path in ["/v1/unknown", "/unknown", "/v1/sessions"] {
            let url = world.api(&format!("{path}/{number}/x"));
            client().get(url).send().await.unwrap();
        }
    };
    get(0).await;
    let before = series(&scrape(&url).await);
    for number in 1..350 {
        get(number).await;
    }
    let after = series(&scrape(&url).await);
    assert!(after < before + 40, "{before} {after}");
}

async fn spans_of_a_verification_reach_the_collector_and_no_secret_does(database: Database) {
    let collector = Collector::open().await;
    let endpoint = ("TESSERA_TELEMETRY__OTLP_ENDPOINT", &*collector.url);
    let mut world = World::with(database, &[endpoint]).await;
    let keys = world.tenant_with(&[SKILL]).await;
    let secrets = verification(&world, &keys).await;
    world.stop().await;
    let sent = collector.kept();
    for secret in &secrets {
        let secret = secret.as_bytes();
        let is_sent = sent.windows(secret.len()).any(|window| window == secret);
        assert!(!is_sent, "a secret of {} bytes", secret.len());
    }
    let sent = collector.spans();
    let mut names = BTreeMap::new();
    for (resource, span) in &sent {
        assert_eq!(text(resource, "service.name"), Some("tessera"));
        assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
        *names.entry(span.name.as_str()).or_insert(0) += 1;
    }
    for name in [
        "POST /v1/consents",
        "POST /v1/token",
        "GET /v1/redirects/{kind}",
        "job erase_data",
    ] {
        assert!(names.contains_key(name), "{name} is not in {names:?}");
    }
    let spans: Vec<&Span> = sent.iter().map(|(_, span)| span).collect();
    let step = spans
        .iter()
        .find(|span| span.name == "POST /v1/sessions/{session_id}/steps");
    let step = step.expect("a span of the step");
    assert_eq!(text(&step.attributes, "tenant"), Some(&*keys.client_id));
    assert_eq!(
        number(&step.attributes, "http.response.status_code"),
        Some(200)
    );
    // Statements and the call to the bank are spans within the request's.
    let within: Vec<&&Span> = spans
        .iter()
        .filter(|span| span.trace_id == step.trace_id && span.span_id != step.span_id)
        .collect();
    let system = match database {
        Database::Sqlite => "sqlite",
        Database::Postgres => "postgresql",
    };
    let mut statements = within
        .iter()
        .filter(|span| text(&span.attributes, "db.system.name") == Some(system));
    let statement = statements.next().expect("a span of a statement");
    let summary = text(&statement.attributes, "db.query.summary").unwrap();
    assert!(summary.contains('.'), "{summary}");
    assert!(statements.count() > 4, "{within:#?}");
    let called = within
        .iter()
        .find(|span| text(&span.attributes, "server.address").is_some());
    let called = called.unwrap_or_else(|| panic!("no call to the bank among {within:#?}"));
    assert!(number(&called.attributes, "server.port") > Some(0));
    assert!(number(&called.attributes, "http.response.status_code") >= Some(200));
    for span in &within {
        let parent = spans
            .iter()
            .find(|other| other.span_id == span.parent_span_id);
        let parent = parent.unwrap_or_else(|| panic!("{span:?} is within nothing that was sent"));
        assert_eq!(parent.trace_id, span.trace_id);
        assert!(parent.start_time_unix_nano <= span.start_time_unix_nano);
    }
}

fn value_of<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a any_value::Value> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    match &found.value {
        Some(AnyValue { value }) => value.as_ref(),
        None => None,
    }
}

/// Returns an attribute that is a text; `None` if there is none of this name.
fn text<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a str> {
    match value_of(attributes, name)? {
        any_value::Value::StringValue(text) => Some(text),
        other => panic!("{name} is {other:?}"),
    }
}

/// Returns an attribute that is a number; `None` if there is none of this name.
fn number(attributes: &[KeyValue], name: &str) -> Option<i64> {
    match value_of(attributes, name)? {
        any_value::Value::IntValue(number) => Some(*number),
        other => panic!("{name} is {other:?}"),
    }
}
