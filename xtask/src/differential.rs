//! `cargo xtask differential`: the same random calls to two servers, one on SQLite and one on Postgres, as many as are
//! asked for. The test command plays ten thousand of them; this plays on.

use anyhow::Result;
use clap::Args;

use crate::check;
use crate::leash;
use crate::packages::{self, Needs};
use crate::postgres::Postgres;
use crate::project::Project;

/// Number of calls, and the seed that they begin with.
#[derive(Args)]
pub struct Options {
    /// Number of calls
    #[arg(long, default_value_t = 1_000_000)]
    calls: u64,
    /// The first seed; every 2,500 calls begin with the next one
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Plays, and fails on the first difference.
pub fn run(project: &Project, options: &Options) -> Result<()> {
    let needs = Needs {
        browser: false,
        python: false,
    };
    packages::ensure(needs, packages::may_install(false))?;
    let postgres = Postgres::start()?;
    let mut command = project.cargo(&["test"]);
    command
        .args(check::PRODUCT)
        .args([
            "--lib",
            "--",
            "--nocapture",
            "two_databases_give_one_answer",
        ])
        .env("TESSERA_TEST_POSTGRES", postgres.url())
        .env("TESSERA_DIFFERENTIAL_CALLS", options.calls.to_string())
        .env("TESSERA_DIFFERENTIAL_SEED", options.seed.to_string());
    leash::run(&command)
}
