//! `cargo xtask fuzz`: random input for every reader of bytes from outside, for as long as wanted.
//!
//! The readers and their seeds are tests of the server (`server/src/fuzz`), which each test run tries a bounded number of
//! times; here each of them is tried for so many seconds, all beside each other.

use anyhow::Result;
use clap::Args;

use crate::check::PRODUCT;
use crate::leash;
use crate::project::Project;

#[derive(Args)]
pub struct Options {
    /// Seconds that each reader is tried
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Seed of the random numbers; another one finds other input
    #[arg(long, default_value_t = 0x5eed)]
    seed: u64,
    /// Only readers whose name contains this
    #[arg(long, default_value = "")]
    only: String,
}

pub fn run(project: &Project, options: &Options) -> Result<()> {
    let mut command = project.cargo(&["test"]);
    command
        .args(PRODUCT)
        .args(["--lib", "--", "--nocapture"])
        .arg(format!("fuzz::readers::{}", options.only))
        .env("TESSERA_FUZZ_SECONDS", options.seconds.to_string())
        .env("TESSERA_FUZZ_SEED", options.seed.to_string());
    leash::run(&command)
}
