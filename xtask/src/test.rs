//! `cargo xtask test`: everything that has to hold before a change lands.

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::packages::{self, Needs};
use crate::postgres::Postgres;
use crate::project::{Profile, Project};
use crate::report::Summary;
use crate::{api, browser, check, generate, leash, npm, site};

/// Options of the tests; all of them run, unless told otherwise.
#[derive(Args)]
pub struct Options {
    /// Install missing system packages (apt-get, as root or with sudo); on by itself where `CI` is set
    #[arg(long)]
    install: bool,
    /// Leave the browser tests out
    #[arg(long)]
    no_browser: bool,
    /// Run one part alone
    #[arg(long, value_enum, value_name = "PART", conflicts_with = "no_browser")]
    only: Option<Part>,
}

/// The parts that can be run alone.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Format and clippy
    Lints,
    /// Unit and integration tests, on SQLite and Postgres
    Rust,
    /// The committed generated files
    Generated,
    /// The served OpenAPI document, with schemathesis
    Api,
    /// The browser tests
    Browser,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.only
            .map_or(part != Part::Browser || !self.no_browser, |only| {
                only == part
            })
    }
}

/// Runs the parts and prints the table. What is missing on the machine is asked for first, not after half an hour.
pub fn run(project: &Project, options: &Options) -> Result<()> {
    let (rust, browser) = (options.wants(Part::Rust), options.wants(Part::Browser));
    let api = options.wants(Part::Api);
    if rust || browser || api {
        let needs = Needs {
            browser,
            python: api,
        };
        packages::ensure(needs, packages::may_install(options.install))?;
    }
    let mut summary = Summary::default();
    if options.wants(Part::Lints) {
        check::lints(project, &mut summary);
    }
    let postgres = if rust || browser {
        start_postgres(&mut summary)
    } else {
        None
    };
    let server = if rust {
        rust_tests(project, postgres.as_ref(), &mut summary)
    } else {
        Server::ToBuild
    };
    if options.wants(Part::Generated) {
        summary.part("generated files", || {
            server.build(project)?;
            generate::compare(project)
        });
    }
    if api {
        summary.part("the API against its OpenAPI", || {
            server.build(project)?;
            api::run(project)
        });
    }
    if browser {
        browser_tests(project, server, postgres.as_ref(), &mut summary);
    }
    drop(postgres);
    summary.finish()
}

/// The server's dev binary. Compiling the tests builds it too, with what they add to the features of its dependencies:
/// `cargo build` would compile most of the tree once more to leave that out.
#[derive(Clone, Copy)]
enum Server {
    Built,
    ToBuild,
}

impl Server {
    fn build(self, project: &Project) -> Result<()> {
        match self {
            Self::Built => Ok(()),
            Self::ToBuild => site::build_server(project, Profile::Dev, site::Parts::Product),
        }
    }
}

fn start_postgres(summary: &mut Summary) -> Option<Postgres> {
    let mut postgres = None;
    summary.part("Postgres", || {
        postgres = Some(Postgres::start()?);
        Ok(())
    });
    postgres
}

fn rust_tests(project: &Project, postgres: Option<&Postgres>, summary: &mut Summary) -> Server {
    summary.part("tests of xtask", || check::xtask_tests(project));
    let cargo = |options: &[&str]| {
        let mut command = project.cargo(&["test"]);
        command.args(options).args(check::PRODUCT);
        command
    };
    let parts = ["unit tests", "tests through the real doors"];
    if !summary.part("compiling the tests", || leash::run(&cargo(&["--no-run"]))) {
        for part in parts {
            summary.not_run(part, "the compiled tests");
        }
        return Server::ToBuild;
    }
    let Some(postgres) = postgres else {
        for part in parts {
            summary.not_run(part, "Postgres");
        }
        return Server::Built;
    };
    let [unit, doors] = parts;
    let run = |targets: &[&str], threads: usize| {
        let mut command = cargo(&["--no-fail-fast"]);
        command
            .args(targets)
            .env("RUST_TEST_THREADS", threads.to_string())
            .env("TESSERA_TEST_POSTGRES", postgres.url());
        leash::run(&command)
    };
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    // These wait half of their time, for a database to be made or a promised wait to pass.
    summary.part(unit, || {
        run(&["--lib", "--bins", "--test", "pages"], 2 * cores)?;
        run(&["--doc"], cores)
    });
    // These start servers, which take the cores for themselves.
    summary.part(doors, || run(&["--test", "it"], cores));
    Server::Built
}

fn browser_tests(
    project: &Project,
    server: Server,
    postgres: Option<&Postgres>,
    summary: &mut Summary,
) {
    let built = summary.part("site and server", || {
        site::build_site(project, Profile::Dev)?;
        server.build(project)
    });
    let installed = summary.part("npm packages", || npm::install(project));
    let part = "browser tests";
    match postgres {
        Some(postgres) if built && installed => {
            summary.part(part, || browser::run(project, postgres));
        }
        Some(_) => summary.not_run(part, "the site, the server and the npm packages"),
        None => summary.not_run(part, "Postgres"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn parts(arguments: &[&str]) -> Vec<&'static str> {
        let line = Line::try_parse_from([&["test"], arguments].concat()).unwrap();
        let all = [
            (Part::Lints, "lints"),
            (Part::Rust, "rust"),
            (Part::Generated, "generated"),
            (Part::Api, "api"),
            (Part::Browser, "browser"),
        ];
        all.into_iter()
            .filter(|(part, _)| line.options.wants(*part))
            .map(|(_, name)| name)
            .collect()
    }

    #[test]
    fn everything_runs_unless_told_otherwise() {
        assert_eq!(parts(&[]), ["lints", "rust", "generated", "api", "browser"]);
        assert_eq!(
            parts(&["--no-browser"]),
            ["lints", "rust", "generated", "api"]
        );
        assert_eq!(parts(&["--only", "browser"]), ["browser"]);
        assert!(Line::try_parse_from(["test", "--only", "browser", "--no-browser"]).is_err());
    }
}
