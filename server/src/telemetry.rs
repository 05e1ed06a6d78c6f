//! What the server writes about itself: one line an event, readable by people or machines. Never a body, a query
//! string, a secret, or anything about an end-user.

use std::io::Write;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::Log;

/// Starts writing to standard error. Called once, by the program; a second call changes nothing.
pub fn start(log: &Log) {
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let writer = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        // Colours would end up in files, and could not be told from those that somebody put into a value.
        .with_ansi(false)
        .with_writer(|| OneLine(std::io::stderr()));
    let started = if log.format == "json" {
        writer.json().flatten_event(true).try_init()
    } else {
        writer.with_target(false).try_init()
    };
    if started.is_ok() {
        report_panics();
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
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(place, "panic");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_begins_a_line_of_its_own() {
        let mut written = Vec::new();
        let forged = "WARN name=\"x\r\n2026-01-01T00:00:00Z ERROR forged\x1b[2K\u{85}\u{2028}\u{202e}y\0\"\n";
        let taken = OneLine(&mut written).write(forged.as_bytes()).unwrap();
        assert_eq!(taken, forged.len());
        let text = String::from_utf8(written).unwrap();
        let controls = text.chars().filter(|letter| letter.is_control());
        assert_eq!(controls.collect::<String>(), "\n", "{text}");
        assert!(text.ends_with('\n') && text.contains("\\r\\n2026"));
        assert!(!text.contains(['\u{2028}', '\u{202e}']));
    }
}
