//! `cargo xtask bench`: the release build under load, on SQLite and on a throw-away Postgres, one after the other.
//!
//! Every figure stands beside a floor that was measured in the same run, because machines differ and change: `/livez`,
//! which passes the same layers and does nothing, and how often the disk can be waited for.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};

use self::flow::Errand;
use self::subject::{Start, Subject};
use self::table::Spread;
use crate::packages::{self, Needs};
use crate::postgres::Postgres;
use crate::project::{Profile, Project};
use crate::report::step;
use crate::site;

mod disk;
pub mod flow;
pub mod http;
mod load;
mod open;
mod overload;
mod pages;
pub mod portal;
pub mod process;
pub mod reads;
mod sign_ins;
pub mod subject;
pub mod table;
mod walk;
mod writes;

/// Connections that ask at once.
const CONNECTIONS: usize = 32;

/// Options of the benchmark.
#[derive(Args)]
#[command(after_help = "Examples:\n  cargo xtask bench\n  \
                  cargo xtask bench --pages\n  \
                  cargo xtask bench --overload --seconds 60\n  \
                  cargo xtask bench --sign-ins --seconds 20\n  \
                  cargo xtask bench --dev --rounds 1 --seconds 1 --pages --rows 10000,50000\n\n\
                  Prints tables in Markdown on standard output, progress on standard error. Ten million rows need about \
                  10 GB of disk for each database, one after the other, in the folder that TMPDIR names.")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub struct Options {
    /// Install Postgres if it is missing
    #[arg(long)]
    install: bool,
    /// Measure one database alone
    #[arg(long, value_enum, value_name = "DATABASE")]
    only: Option<Database>,
    /// Rounds for each figure; the tables show medians, with the lowest and the highest
    #[arg(long, default_value_t = 5, value_name = "N")]
    rounds: usize,
    /// Seconds that each round lasts
    #[arg(long, default_value_t = 3, value_name = "N")]
    seconds: u64,
    /// Measure pages of transactions as the table grows, with their query plans, and nothing else
    #[arg(long)]
    pages: bool,
    /// Offer five times as many calls as the server can answer, for `--seconds`, and nothing else
    #[arg(long, conflicts_with = "pages")]
    overload: bool,
    /// Guess passwords at five hundred accounts a second for `--seconds`, beside reads, and measure nothing else
    #[arg(long, conflicts_with_all = ["pages", "overload"])]
    sign_ins: bool,
    /// Rows that the table grows to, smallest first
    #[arg(long, requires = "pages", value_delimiter = ',', default_values_t = [10_000, 1_000_000, 10_000_000])]
    rows: Vec<u64>,
    /// Measure what was built before
    #[arg(long)]
    built: bool,
    /// Measure the dev build: shows that the benchmark works, and nothing about the product
    #[arg(long)]
    dev: bool,
}

/// A kind of database to run the server on.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    /// The name as tables print it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "Postgres",
        }
    }
}

/// Number and length of the rounds for each figure.
#[derive(Clone, Copy)]
pub struct Extent {
    pub rounds: usize,
    pub round: Duration,
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, round } = self;
        write!(
            f,
            "median (lowest - highest) of {rounds} rounds of {round:?}"
        )
    }
}

impl Options {
    fn wants(&self, database: Database) -> bool {
        self.only.is_none_or(|only| only == database)
    }
}

/// Builds, then measures each database.
pub fn run(project: &Project, options: &Options) -> Result<()> {
    let profile = if options.dev {
        Profile::Dev
    } else {
        Profile::Release
    };
    if options.wants(Database::Postgres) {
        packages::ensure(Needs::default(), packages::may_install(options.install))?;
    }
    if !options.built {
        site::build_all(project, profile)?;
        if options.pages {
            site::build_server(project, profile, site::Parts::Bench)?;
        }
    }
    if options.wants(Database::Sqlite) {
        one(project, profile, options, None)?;
    }
    if options.wants(Database::Postgres) {
        let postgres = Postgres::start_durable()?;
        one(project, profile, options, Some(&postgres))?;
    }
    Ok(())
}

/// Measures on one database.
fn one(
    project: &Project,
    profile: Profile,
    options: &Options,
    postgres: Option<&Postgres>,
) -> Result<()> {
    let extent = Extent {
        rounds: options.rounds.max(1),
        round: Duration::from_secs(options.seconds.max(1)),
    };
    let database = if postgres.is_some() {
        Database::Postgres
    } else {
        Database::Sqlite
    };
    let url = postgres.map(Postgres::url);
    let mut subject = Subject::start(
        project,
        profile,
        database.name(),
        url.as_deref(),
        Start::DEMO,
    )?;
    let (keys, pair) = step("taking a user through the bank's consent", || {
        let accounts = Errand::accounts();
        let keys = flow::tenant(&|| subject.command(), &[accounts.skill])?;
        let pair = flow::onboard(&subject.address(), &keys, "family", &accounts)?;
        Ok((keys, pair))
    })?;
    if options.pages {
        return pages::run(&subject, &pair, &options.rows, extent);
    }
    if options.overload {
        return step("overload", || {
            overload::run(&subject, &pair, &keys, extent.round)
        });
    }
    if options.sign_ins {
        return step("sign-ins", || sign_ins::run(&subject, &pair, extent.round));
    }
    let folder = postgres.map_or(subject.folder.clone(), |postgres| {
        postgres.folder().to_owned()
    });
    step("reads", || reads::run(&subject, &pair, extent))?;
    step("the portal", || portal::run(&subject, extent))?;
    let written = step("writes", || writes::run(&subject, &keys, &folder, extent))?;
    let loaded = process::memory(&subject);
    step("commits", || {
        written.against_the_disk(&mut subject, &keys, extent)
    })?;
    step("starting", || rest_and_start(&mut subject, loaded, extent))
}

/// Starts the server on the database that is there by now, and prints how long that takes and what memory it has.
fn rest_and_start(
    subject: &mut Subject<'_>,
    loaded: Option<process::Memory>,
    extent: Extent,
) -> Result<()> {
    let mut starts = Vec::new();
    for _ in 0..extent.rounds {
        starts.push(subject.restart(Start::default())?.as_secs_f64() * 1000.0);
        process::rest(subject);
    }
    let idle = process::memory(subject).map(|memory| memory.now);
    let mib = |memory: Option<f64>| memory.map_or("?".to_owned(), |mib| format!("{mib:.0}"));
    let rows = [
        (
            "start to ready on an existing database, ms",
            Spread::of(starts).to_string(),
        ),
        ("memory at rest after a start, MiB", mib(idle)),
        (
            "memory at most under all of the above, MiB",
            mib(loaded.map(|memory| memory.peak)),
        ),
    ];
    let rows = rows.map(|(what, figure)| vec![what.to_owned(), figure]);
    table::print(
        &format!("{}: the process", subject.database),
        &["what", "figure"],
        &rows,
    );
    Ok(())
}
