//! The checks that need neither a database nor a browser, and the ways cargo is called for them.

use anyhow::Result;

use crate::leash;
use crate::project::Project;
use crate::report::{Summary, step};
use crate::wasm;

/// The packages of the product. Always the same set: which packages are chosen decides the features of what they
/// share, and another set would build all of that again.
pub const PRODUCT: [&str; 12] = [
    "--package",
    "server",
    "--package",
    "bank",
    "--package",
    "kernel",
    "--package",
    "kernel-testing",
    "--package",
    "json",
    "--package",
    "app",
];

/// Parts of the names of tests that need Postgres.
const NEED_POSTGRES: [&str; 6] = [
    "on_postgres",
    "a_postgres_database",
    "from_sqlite_to_postgres",
    "two_databases",
    "postgres_without",
    "the_planner_keeps_nothing",
];

/// `cargo xtask check`.
pub fn run(project: &Project) -> Result<()> {
    let mut summary = Summary::default();
    lints(project, &mut summary);
    summary.part("tests of xtask", || xtask_tests(project));
    summary.part("tests that need no Postgres", || {
        let mut command = project.cargo(&["test"]);
        command
            .args(PRODUCT)
            .args(["--lib", "--"])
            .args(NEED_POSTGRES.iter().flat_map(|name| ["--skip", name]));
        leash::run(&command)
    });
    summary.finish()
}

/// Format and clippy, warnings being errors: the host's half and the browser's half.
pub fn lints(project: &Project, summary: &mut Summary) {
    summary.part("licences, sources and versions of packages", || {
        crate::supply::check(project)
    });
    summary.part("format", || {
        leash::run(&project.cargo(&["fmt", "--all", "--check"]))
    });
    summary.part("clippy: server and pages", || {
        let mut command = project.cargo(&["clippy", "--all-targets"]);
        command.args(PRODUCT).args(["--", "--deny", "warnings"]);
        leash::run(&command)
    });
    summary.part("clippy: islands", || {
        wasm::ensure_target()?;
        let mut command = project.cargo(&["clippy", "--lib"]);
        command
            .args(wasm::selection())
            .args(["--", "--deny", "warnings"]);
        leash::run(&command)
    });
    summary.part("clippy: xtask", || {
        leash::run(&project.cargo(&[
            "clippy",
            "--package",
            "xtask",
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ]))
    });
}

/// xtask's own tests.
pub fn xtask_tests(project: &Project) -> Result<()> {
    step("cargo test --package xtask", || {
        leash::run(&project.cargo(&["test", "--quiet", "--package", "xtask"]))
    })
}
