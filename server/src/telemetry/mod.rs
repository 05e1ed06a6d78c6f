//! What the server writes about itself: one line an event, readable by people or machines. Never a body, a query
//! string, a secret, or anything about an end-user.

use std::io::Write;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::Log;

/// Starts writing to standard error. Called once, by the program; a second call changes nothing.
pub fn start(log: &Log) {
    begin(log, &log.filter);
}

/// Starts writing what an operator's command does that concerns security, and what fails beside.
pub fn start_command(log: &Log) {
    begin(log, "error,security=info");
}

fn begin(log: &Log, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
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
    std::panic::set_hook(Box::new(tell_panic));
}

fn tell_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    tracing::error!(place, "panic");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the log wrote, kept by the test.
    #[derive(Clone, Default)]
    struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Panics as they happen: with a text, with a value that is unwrapped, with bytes that were indexed. The place is told.
    #[test]
    fn a_panic_tells_its_place_and_nothing_of_what_it_holds() {
        const CANARY: &str = "RO49AAAA1B31007593840000 of Canarina Quill, secret tsr_sbx_cs_x";
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone());
        let kept = tracing::subscriber::set_default(subscriber.finish());
        let here = std::thread::current().id();
        let before = std::panic::take_hook();
        // Tests that run beside this one tell their own panics.
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().id() == here {
                tell_panic(panic);
            } else {
                before(panic);
            }
        }));
        let failed: Result<Vec<u8>, String> = Err(CANARY.to_owned());
        let panics: [Box<dyn Fn() + std::panic::UnwindSafe>; 3] = [
            Box::new(|| panic!("{CANARY}")),
            Box::new(move || drop(failed.clone().unwrap())),
            Box::new(|| std::panic::panic_any(CANARY.to_owned())),
        ];
        let count = panics.len();
        for panic in panics {
            assert!(std::panic::catch_unwind(panic).is_err());
        }
        drop(kept);
        let said = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(said.matches("telemetry.rs:").count(), count, "{said}");
        for part in ["RO49", "Canarina", "tsr_sbx"] {
            assert!(!said.contains(part), "{said}");
        }
    }

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
