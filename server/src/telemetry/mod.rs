//! What the server tells of itself: one line an event, readable by people or machines, and spans for an OpenTelemetry
//! collector if one is set. Never a body, a query string, a secret, or anything about an end-user.

mod lines;
#[cfg(test)]
mod tests;
mod traces;

use std::io::Write;

use tracing::{Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, dynamic_filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use self::lines::{CarriedFields, JsonLine, TextLine};
use self::traces::Export;
pub use self::traces::ExportError;
use crate::config::{Config, Log};

/// Targets of the spans that are exported. Their lines go to the log alone.
const TRACED: [&str; 4] = ["request", "job", "statement", "provider"];

/// What runs for the telemetry of this process.
pub struct Telemetry(Option<Export>);

impl Telemetry {
    /// Sends what is left to be exported, within a few seconds.
    pub async fn end(self) {
        if let Some(export) = self.0 {
            export.end().await;
        }
    }
}

/// Starts writing to standard error, and exporting if that is set. Called once, by the program, within its runtime; a
/// second call changes nothing.
pub fn start(config: &Config) -> Result<Telemetry, ExportError> {
    let endpoint = config.telemetry.otlp_endpoint.as_str();
    let export = (!endpoint.is_empty()).then(|| Export::begin(endpoint));
    let export = export.transpose()?;
    begin(&config.log, &config.log.filter, export.as_ref());
    Ok(Telemetry(export))
}

/// Starts writing what an operator's command does that concerns security, and what fails beside.
pub fn start_command(log: &Log) {
    begin(log, "error,security=info", None);
}

fn begin(log: &Log, filter: &str, export: Option<&Export>) {
    let subscriber = subscriber(log, filter, export, || OneLine(std::io::stderr()));
    if subscriber.try_init().is_ok() {
        report_panics();
    }
}

/// Returns what takes events and spans: the log, and the exporter if there is one.
fn subscriber<W>(
    log: &Log,
    filter: &str,
    export: Option<&Export>,
    writer: W,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let Some(export) = export else {
        let subscriber = Registry::default().with(filter);
        return Box::new(subscriber.with(log_layer(log, writer)));
    };
    let traces = tracing_opentelemetry::layer().with_tracer(export.tracer());
    let traces = traces.with_location(false).with_threads(false);
    // A filter of one layer remembers its last answer, and sqlx asks (`enabled!`) without an event that follows: a span
    // that no filter is asked about would take that answer for its own. This filter has to be asked each time, and with
    // it the log's.
    let is_traced = dynamic_filter_fn(|about, _| {
        about.is_span() && *about.level() <= Level::DEBUG && TRACED.contains(&about.target())
    });
    let traces = traces.with_filter(is_traced.with_max_level_hint(LevelFilter::DEBUG));
    let subscriber = Registry::default().with(log_layer(log, writer).with_filter(filter));
    Box::new(subscriber.with(traces))
}

/// Returns what writes lines.
fn log_layer<S, W>(log: &Log, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = fmt::layer()
        .fmt_fields(CarriedFields)
        // Colours would end up in files, and could not be told from those that somebody put into a value.
        .with_ansi(false)
        .with_writer(writer);
    if log.format == "json" {
        layer.event_format(JsonLine::new()).boxed()
    } else {
        layer.event_format(TextLine).boxed()
    }
}

/// Writes each event as the one line it is: whatever a value brings along, nothing begins a line of its own or moves a
/// terminal's cursor. The subscriber hands an event over in one piece, its end of line included.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        self.0.write_all(escaped(event).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

fn escaped(event: &[u8]) -> String {
    let text = String::from_utf8_lossy(event);
    let (line, end) = match text.strip_suffix('\n') {
        Some(line) => (line, "\n"),
        None => (&*text, ""),
    };
    let mut safe = String::with_capacity(text.len());
    for letter in line.chars() {
        // Line and paragraph separators end lines for some readers; bidirectional controls reorder what is read.
        let moves = matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if letter.is_control() || moves {
            safe.extend(letter.escape_default());
        } else {
            safe.push(letter);
        }
    }
    safe + end
}

/// A panic's place goes to the log; its message may hold data and stays out.
fn report_panics() {
    std::panic::set_hook(Box::new(tell_panic));
}

fn tell_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    tracing::error!(place, "panic");
}
