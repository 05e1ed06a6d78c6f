//! What the system says about the server's process. Read from `/proc`: elsewhere than on Linux there are no figures.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::subject::Subject;

/// Longest time that a server may take to come to rest.
const REST: Duration = Duration::from_mins(1);
/// It rests when it used no more than this in a glance.
const GLANCE: Duration = Duration::from_millis(250);
const TICKS: u64 = 1;

/// Memory in MiB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    pub now: f64,
    pub peak: f64,
}

/// The server's memory now and at its peak.
pub fn memory(subject: &Subject<'_>) -> Option<Memory> {
    let status = fs::read_to_string(format!("/proc/{}/status", id(subject)?)).ok()?;
    memory_in(&status)
}

/// Waits until the server has nothing left to do: what one measurement left behind is not part of the next.
pub fn rest(subject: &Subject<'_>) {
    let begin = Instant::now();
    let Some(mut before) = ticks(subject) else {
        return;
    };
    while begin.elapsed() < REST {
        std::thread::sleep(GLANCE);
        let Some(now) = ticks(subject) else { return };
        if now <= before + TICKS {
            return;
        }
        before = now;
    }
}

/// The server's process.
pub fn id(subject: &Subject<'_>) -> Option<u32> {
    let (parent, program) = (subject.parent()?, subject.program().canonicalize().ok()?);
    let mut found = fs::read_dir("/proc").ok()?.filter_map(|entry| {
        let id: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        (field(&stat, 4)? == u64::from(parent) && runs(id, &program)).then_some(id)
    });
    found.next()
}

fn runs(id: u32, program: &Path) -> bool {
    fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|exe| exe == program)
}

/// Clock ticks the server used.
pub fn ticks(subject: &Subject<'_>) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", id(subject)?)).ok()?;
    Some(field(&stat, 14)? + field(&stat, 15)?)
}

/// A field of `/proc/PID/stat` by its number in proc(5); the second may hold anything, in parentheses.
fn field(stat: &str, number: usize) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace()
        .nth(number.checked_sub(3)?)?
        .parse()
        .ok()
}

fn memory_in(status: &str) -> Option<Memory> {
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib / 1024.0)
    };
    Some(Memory {
        now: mib("VmRSS:")?,
        peak: mib("VmHWM:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processs_figures_are_read_whatever_its_name() {
        let stat = "42 (a) b) S 7 42 42 0 -1 4194560 1 2 3 4 50 60 0 0";
        assert_eq!(field(stat, 4), Some(7));
        assert_eq!((field(stat, 14), field(stat, 15)), (Some(50), Some(60)));
        let status = "Name:\tserver\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        let memory = memory_in(status);
        assert_eq!(
            memory,
            Some(Memory {
                now: 1.0,
                peak: 2.0
            })
        );
        assert_eq!(memory_in("Name:\tserver\n"), None);
    }
}
