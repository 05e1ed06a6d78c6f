//! The form of a line: an event, and the ids of the request or job that it was written in.
//!
//! `tracing_subscriber` writes spans as prefixes or nested lists with all their fields. A line here has the ids alone,
//! once each, beside the event's own fields, so that all lines of a request are found by one field.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{
    DefaultFields, Format, FormatEvent, FormatFields, Json, Writer,
};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Fields of spans that every line within them carries. Their values are ids and names of ours: no sign in them has to be
/// escaped.
const CARRIED: [&str; 5] = ["request_id", "tenant", "session", "job", "kind"];

/// Keeps of a span what its lines carry: `name=value`, a line each.
pub(super) struct CarriedFields;

impl<'writer> FormatFields<'writer> for CarriedFields {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        let mut kept = Kept::default();
        fields.record(&mut kept);
        kept.0
            .into_iter()
            .try_for_each(|(name, value)| writeln!(writer, "{name}={value}"))
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        self.format_fields(current.as_writer(), fields)
    }
}

/// Carried fields and their values, in the order they were recorded.
#[derive(Default)]
struct Kept(Vec<(&'static str, String)>);

impl Visit for Kept {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if let Some(name) = CARRIED.into_iter().find(|name| *name == field.name()) {
            self.0.push((name, format!("{value:?}")));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

/// Returns what the spans around an event add to its line: fields that it does not have itself, of the innermost span that
/// has them. Of a field that was recorded twice the last value counts.
fn carried<S, N>(context: &FmtContext<'_, S, N>, event: &Event<'_>) -> Vec<(&'static str, String)>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    let mut own = Kept::default();
    event.record(&mut own);
    let mut found: Vec<(&'static str, String)> = Vec::new();
    for span in context.event_scope().into_iter().flatten() {
        let extensions = span.extensions();
        let Some(fields) = extensions.get::<FormattedFields<N>>() else {
            continue;
        };
        let outer = found.len();
        for line in fields.fields.lines() {
            let Some((name, value)) = line.split_once('=') else {
                continue;
            };
            let Some(name) = CARRIED.into_iter().find(|known| *known == name) else {
                continue;
            };
            let value = value.to_owned();
            match found.iter_mut().position(|(known, _)| *known == name) {
                Some(at) if at >= outer => {
                    if let Some(again) = found.get_mut(at) {
                        again.1 = value;
                    }
                }
                Some(_) => {}
                None if own.0.iter().any(|(known, _)| *known == name) => {}
                None => found.push((name, value)),
            }
        }
    }
    found
}

/// A line for people: time, level, message, fields.
pub(super) struct TextLine;

impl<S, N> FormatEvent<S, N> for TextLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        SystemTime.format_time(&mut writer)?;
        write!(writer, " {:>5} ", event.metadata().level().as_str())?;
        DefaultFields::new().format_fields(writer.by_ref(), event)?;
        for (name, value) in carried(context, event) {
            write!(writer, " {name}={value}")?;
        }
        writeln!(writer)
    }
}

/// A line for machines: one JSON object, its fields flat.
pub(super) struct JsonLine(Format<Json>);

impl JsonLine {
    pub(super) fn new() -> Self {
        let format = Format::default().json().flatten_event(true);
        Self(format.with_current_span(false).with_span_list(false))
    }
}

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::with_capacity(512);
        self.0
            .format_event(context, Writer::new(&mut line), event)?;
        let carried = carried(context, event);
        let whole = line.trim_end();
        let Some(open) = whole.strip_suffix('}').filter(|_| !carried.is_empty()) else {
            return writer.write_str(&line);
        };
        writer.write_str(open)?;
        for (name, value) in carried {
            write!(writer, ",\"{name}\":{}", serde_json::Value::String(value))?;
        }
        writer.write_str("}\n")
    }
}
