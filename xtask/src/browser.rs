//! The browser tests: `node --test` in `end2end/`, with Debian's chromium. They start their own servers.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::postgres::Postgres;
use crate::project::{Profile, Project};
use crate::{files, leash};

/// The browser: `CHROMIUM`, or the first of its usual names in `PATH`.
pub fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM")
        .map(PathBuf::from)
        .filter(|path| path.is_file());
    named.or_else(|| files::program(&["chromium", "chromium-browser", "google-chrome"], &[]))
}

/// Runs the browser tests against the dev build.
pub fn run(project: &Project, postgres: &Postgres) -> Result<()> {
    let chromium = chromium().context("there is no chromium; set CHROMIUM to its path")?;
    let mut command = Command::new("node");
    command
        .args(["--test", "--test-reporter=spec"])
        .current_dir(project.path("end2end"));
    command.env("CHROMIUM", chromium);
    command.env("TESSERA_SERVER_BIN", project.server(Profile::Dev));
    command.env("TESSERA_SITE_DIR", project.site(Profile::Dev));
    command.env("TESSERA_TEST_POSTGRES", postgres.url());
    leash::run(&command)
}
