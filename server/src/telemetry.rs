//! What the server writes about itself: one line an event, readable by people or machines. Never a body, a query
//! string, a secret, or anything about an end-user.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::Log;

/// Starts writing to standard error. Called once, by the program; a second call changes nothing.
pub fn start(log: &Log) {
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let writer = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        .with_writer(std::io::stderr);
    let started = if log.format == "json" {
        writer.json().flatten_event(true).try_init()
    } else {
        writer.with_target(false).try_init()
    };
    if started.is_ok() {
        report_panics();
    }
}

/// A panic's place goes to the log; its message may hold data and stays out.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(place, "panic");
    }));
}
