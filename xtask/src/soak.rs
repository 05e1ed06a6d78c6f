//! `cargo xtask soak`: honest traffic with attacks beside it, for as long as asked, against a server with its ordinary limits.
//!
//! Passes when the honest callers met no server error, nothing that was acknowledged to them is lost after a restart, and
//! memory and disk stayed within their bounds. All traffic stays on loopback: attackers come from addresses in 127.0.0.0/8.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;

use self::attacks::Attackers;
use self::honest::Honest;
use self::watch::Watch;
use crate::bench::subject::{Start, Subject};
use crate::bench::{Database, flow, process, table};
use crate::packages::{self, Needs};
use crate::postgres::Postgres;
use crate::project::{Profile, Project};
use crate::report::{PartsFailed, step};
use crate::site;

mod attacks;
mod honest;
mod watch;

/// The most memory the server may have at any time, in MiB (promise 14 of docs/PROMISES.md).
const MOST_MEMORY: f64 = 256.0;
/// Memory that the server may have afterwards beyond what it had before the attacks, in MiB.
const LEFT_OVER: f64 = 48.0;
/// The part of the time in which the honest callers are alone, so that there is something to compare with.
const ALONE: u32 = 10;

/// Duration of the soak, and the server it is against.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  cargo xtask soak\n  cargo xtask soak --minutes 5 --database postgres\n\n\
                  Prints a table in Markdown on standard output, progress on standard error."
)]
pub struct Options {
    /// Minutes that it lasts; the honest callers are alone for the first tenth
    #[arg(long, default_value_t = 90, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1440))]
    minutes: u64,
    /// The database of the server
    #[arg(long, value_enum, default_value = "sqlite")]
    database: Database,
    /// Install Postgres if it is missing
    #[arg(long)]
    install: bool,
    /// Soak what was built before
    #[arg(long)]
    built: bool,
    /// Use the dev build
    #[arg(long)]
    dev: bool,
}

/// One line of the result: what was promised, what was seen, and whether that is within the promise.
struct Verdict {
    promise: &'static str,
    seen: String,
    kept: bool,
}

/// Builds the server, lets honest callers and attackers at it, and prints what they saw.
///
/// # Errors
/// If something cannot be started, or if one of the promises was broken.
pub fn run(project: &Project, options: &Options) -> Result<()> {
    let profile = if options.dev {
        Profile::Dev
    } else {
        Profile::Release
    };
    let postgres = match options.database {
        Database::Sqlite => None,
        Database::Postgres => {
            packages::ensure(Needs::default(), packages::may_install(options.install))?;
            Some(Postgres::start_durable()?)
        }
    };
    if !options.built {
        site::build_all(project, profile)?;
    }
    let url = postgres.as_ref().map(Postgres::url);
    let limited = Start {
        limited: true,
        ..Start::DEMO
    };
    let name = options.database.name();
    let mut subject = Subject::start(project, profile, name, url.as_deref(), limited)?;
    let folder = postgres
        .as_ref()
        .map_or(subject.folder.clone(), |postgres| {
            postgres.folder().to_owned()
        });
    let keys = flow::tenant(&|| subject.command(), &[flow::Errand::accounts().skill])?;
    let honest = Honest::new(&subject, keys)?;
    let attackers = Attackers::new(&subject)?;
    let mut watch = Watch::new(folder);
    let whole = Duration::from_secs(options.minutes * 60);
    step("soaking", || {
        soak(&subject, &honest, &attackers, &mut watch, whole);
        Ok(())
    })?;
    process::rest(&subject);
    let after = process::memory(&subject).map_or(0.0, |memory| memory.now);
    let lost = step("restarting, and reading back what was acknowledged", || {
        subject.restart(limited)?;
        honest.lost(&subject.address())
    })?;
    let verdicts = [
        honest.verdict(),
        Verdict {
            promise: "every acknowledged consent still answers after a restart",
            seen: format!("{lost} lost of {}", honest.acknowledged()),
            kept: lost == 0 && honest.acknowledged() > 0,
        },
        watch.memory(MOST_MEMORY),
        watch.memory_afterwards(after, LEFT_OVER),
        watch.disk(attackers.sent()),
    ];
    print(&subject, options, &attackers, &verdicts);
    if verdicts.iter().all(|verdict| verdict.kept) {
        Ok(())
    } else {
        bail!(PartsFailed)
    }
}

/// Runs all callers: the honest ones for the whole time, the attackers after the first tenth.
fn soak(
    subject: &Subject<'_>,
    honest: &Honest,
    attackers: &Attackers,
    watch: &mut Watch,
    whole: Duration,
) {
    let stop = AtomicBool::new(false);
    let attacked = AtomicBool::new(false);
    thread::scope(|scope| {
        honest.start(scope, &stop);
        let begin = Instant::now();
        let mut started = false;
        while begin.elapsed() < whole {
            if !started && begin.elapsed() >= whole / ALONE {
                started = true;
                attacked.store(true, Ordering::Relaxed);
                watch.attacks_begin();
                attackers.start(scope, &stop);
            }
            watch.sample(subject, &honest.progress());
            thread::sleep(watch::EVERY.min(whole / (2 * ALONE)));
        }
        watch.sample(subject, &honest.progress());
        stop.store(true, Ordering::Relaxed);
    });
}

fn print(subject: &Subject<'_>, options: &Options, attackers: &Attackers, verdicts: &[Verdict]) {
    let rows: Vec<_> = verdicts
        .iter()
        .map(|verdict| {
            let kept = if verdict.kept { "kept" } else { "BROKEN" };
            vec![
                verdict.promise.to_owned(),
                verdict.seen.clone(),
                kept.to_owned(),
            ]
        })
        .collect();
    let title = format!("{}: {} minutes of soak", subject.database, options.minutes);
    table::print(&title, &["promise", "seen", "result"], &rows);
    let rows: Vec<_> = attackers
        .counts()
        .map(|(name, count)| vec![name.to_owned(), count.to_string()])
        .collect();
    table::print("the attacks", &["attack", "times"], &rows);
}
