//! `cargo xtask`: builds, runs and tests the whole product with what `Cargo.lock` pins, so that a fresh machine needs
//! a Rust toolchain and nothing else to reach the portal.
//!
//! Here are the command line and the order of things; each tool that is driven has a file of its own.

mod api;
mod bench;
mod browser;
mod check;
mod dev;
mod differential;
mod files;
mod fuzz;
mod generate;
mod leash;
mod npm;
mod packages;
mod pkg;
mod postgres;
mod project;
mod report;
mod serve;
mod site;
mod soak;
mod style;
mod supply;
mod test;
mod wasm;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::project::{Profile, Project};

/// Build, run and test Tessera.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the browser's files (WASM, CSS, public files) and the server
    Build(BuildArgs),
    /// Build what is missing and run the server with the demo at <http://127.0.0.1:3000>
    Serve(ServeArgs),
    /// Like serve, but rebuild and restart whenever a source file changes
    Dev(DevArgs),
    /// The quick part of `test`: format, clippy for server and browser, tests that need no Postgres
    Check,
    /// Everything: checks, tests on SQLite and Postgres, generated files, browser tests
    Test(test::Options),
    /// Write the committed files that the server prints (the example of settings, the OpenAPI description)
    Generate,
    /// Check licences, sources and second versions of all packages against deny.toml, offline
    Supply,
    /// Print the server's bill of materials (`CycloneDX` 1.5, JSON)
    Sbom {
        /// Write it to this file instead
        #[arg(long, value_name = "FILE")]
        out: Option<std::path::PathBuf>,
    },
    /// Measure the release build on SQLite and Postgres
    Bench(bench::Options),
    /// Send random calls to two servers, one on SQLite and one on Postgres, and compare whole answers
    Differential(differential::Options),
    /// Attack the release build beside honest traffic for a long time, and judge what the honest saw
    Soak(soak::Options),
    /// Try every reader of bytes from outside with random input
    Fuzz(fuzz::Options),
}

#[derive(Args)]
struct BuildArgs {
    /// Optimise: small WASM (with binaryen if end2end has it installed), precompressed files, fast server
    #[arg(long)]
    release: bool,
}

#[derive(Args)]
struct ServeArgs {
    #[command(flatten)]
    build: BuildArgs,
    /// Passed on to `server serve`
    #[arg(last = true, value_name = "SERVER ARGS")]
    server: Vec<OsString>,
}

#[derive(Args)]
struct DevArgs {
    /// Passed on to `server serve`
    #[arg(last = true, value_name = "SERVER ARGS")]
    server: Vec<OsString>,
}

impl BuildArgs {
    fn profile(&self) -> Profile {
        if self.release {
            Profile::Release
        } else {
            Profile::Dev
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is::<report::PartsFailed>() {
                eprintln!("\nerror: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let project = Project::find()?;
    match command {
        Command::Build(args) => site::build_all(&project, args.profile()),
        Command::Serve(args) => serve::run(&project, args.build.profile(), &args.server),
        Command::Dev(args) => dev::run(&project, &args.server),
        Command::Check => check::run(&project),
        Command::Test(options) => test::run(&project, &options),
        Command::Generate => generate::write(&project),
        Command::Supply => supply::check(&project),
        Command::Sbom { out } => supply::sbom::write(&project, out.as_deref()),
        Command::Bench(options) => bench::run(&project, &options),
        Command::Differential(options) => differential::run(&project, &options),
        Command::Soak(options) => soak::run(&project, &options),
        Command::Fuzz(options) => fuzz::run(&project, &options),
    }
}
