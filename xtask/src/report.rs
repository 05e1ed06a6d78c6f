//! What the person at the terminal sees: one line before each piece of work, one after it, a table at the end of `test`.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;

/// Says `what`, does it, and says how long it took.
pub fn step<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("==> {what}");
    let start = Instant::now();
    let result = work();
    let verdict = if result.is_ok() { "done" } else { "FAILED" };
    eprintln!("    {verdict} in {} ({what})", seconds(start.elapsed()));
    result
}

/// Says that nothing had to be done for `what`.
pub fn fresh(what: &str) {
    eprintln!("==> {what}: fresh");
}

/// Seconds with one decimal, as all of xtask prints times.
pub fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// The table has said it all.
#[derive(Debug)]
pub struct PartsFailed;

impl std::error::Error for PartsFailed {}

impl std::fmt::Display for PartsFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("some parts failed")
    }
}

/// The parts of a run and how each ended.
#[derive(Default)]
pub struct Summary {
    rows: Vec<Row>,
}

struct Row {
    part: &'static str,
    passed: bool,
    note: String,
    time: Duration,
}

impl Summary {
    /// Runs a part, prints its error if it fails, and keeps the result for the table. True when it passed.
    pub fn part(&mut self, part: &'static str, work: impl FnOnce() -> Result<()>) -> bool {
        let start = Instant::now();
        let result = step(part, work);
        let passed = result.is_ok();
        let note = result.err().map_or_else(String::new, |error| {
            eprintln!("\nerror: {part}: {error:#}\n");
            format!("{error:#}")
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned()
        });
        self.rows.push(Row {
            part,
            passed,
            note,
            time: start.elapsed(),
        });
        passed
    }

    /// Notes a part that could not run because `missing` failed; it counts as failed.
    pub fn not_run(&mut self, part: &'static str, missing: &str) {
        let note = format!("not run: it needs {missing}");
        self.rows.push(Row {
            part,
            passed: false,
            note,
            time: Duration::ZERO,
        });
    }

    /// Prints the table; [`PartsFailed`] if any part failed.
    pub fn finish(self) -> Result<()> {
        println!("{}", self.table());
        if self.failed() > 0 {
            Err(PartsFailed.into())
        } else {
            Ok(())
        }
    }

    fn failed(&self) -> usize {
        self.rows.iter().filter(|row| !row.passed).count()
    }

    fn table(&self) -> String {
        let mut text = format!("\n{:<34} {:<7} {:>9}\n", "part", "result", "seconds");
        for row in &self.rows {
            let result = if row.passed { "passed" } else { "FAILED" };
            let _ = writeln!(
                text,
                "{:<34} {result:<7} {:>9.1}  {}",
                row.part,
                row.time.as_secs_f64(),
                row.note
            );
        }
        let failed = self.failed();
        let _ = write!(
            text,
            "\n{} passed, {failed} failed",
            self.rows.len() - failed
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_and_an_unrun_part_count_as_failed() {
        let mut summary = Summary::default();
        assert!(summary.part("format", || Ok(())));
        assert!(!summary.part("build", || anyhow::bail!("no compiler")));
        summary.not_run("browser tests", "build");
        let table = summary.table();
        assert!(table.ends_with("\n1 passed, 2 failed"), "{table}");
        assert!(table.contains("no compiler"), "{table}");
        assert!(summary.finish().is_err());
    }
}
