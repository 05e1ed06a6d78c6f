//! System packages that the tests need: looked for, installed when asked, otherwise named with the command to type.

use std::process::Command;

use anyhow::{Result, bail};

use crate::report::step;
use crate::{api, browser, files, leash, postgres};

/// May xtask call the package manager? `--install` says so, and so does `CI`.
pub fn may_install(flag: bool) -> bool {
    flag || std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// Packages that are needed besides Postgres.
#[derive(Clone, Copy, Default)]
pub struct Needs {
    /// A browser and Node, and the shells that the guides are written for.
    pub browser: bool,
    /// Python with `venv`.
    pub python: bool,
}

/// Makes sure of Postgres and of what else is needed.
pub fn ensure(needs: Needs, install: bool) -> Result<()> {
    let missing = missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|(package, _)| *package).collect();
    let command = format!(
        "apt-get update && apt-get install --yes --no-install-recommends {}",
        packages.join(" ")
    );
    if !install {
        let what: Vec<&str> = missing.iter().map(|(_, what)| *what).collect();
        bail!(
            "missing on this machine: {}. Let this install them with `cargo xtask test --install`, or do it yourself:\n\n    \
             sudo sh -c '{command}'\n",
            what.join(", ")
        );
    }
    step(&format!("installing {}", packages.join(", ")), || {
        apt(&command)
    })
}

fn missing(Needs { browser, python }: Needs) -> Vec<(&'static str, &'static str)> {
    let mut missing = Vec::new();
    if postgres::binaries().is_err() {
        missing.push(("postgresql", "PostgreSQL's `initdb` and `postgres`"));
    }
    if files::program(&["strace"], &[]).is_none() {
        missing.push(("strace", "`strace`, which shows that commits are synced"));
    }
    // Root mounts by itself.
    if cfg!(target_os = "linux")
        && !files::is_root()
        && files::program(&["fusermount3", "fusermount"], &[]).is_none()
    {
        missing.push(("fuse3", "`fusermount3`, which mounts the disk that forgets"));
    }
    if files::program(&["systemd-analyze"], &[]).is_none() {
        missing.push((
            "systemd",
            "`systemd-analyze`, which checks the units under deploy",
        ));
    }
    if browser && browser::chromium().is_none() {
        missing.push(("chromium", "the browser `chromium`"));
    }
    if browser && files::program(&["npm"], &[]).is_none() {
        missing.push(("npm", "Node with `npm`"));
    }
    // The guides' samples are run as people paste them.
    for program in ["zsh", "dash", "jq", "curl"] {
        if browser && files::program(&[program], &[]).is_none() {
            missing.push((program, program));
        }
    }
    if python && !api::has_python() {
        missing.push(("python3-venv", "Python 3 with `venv`"));
    }
    missing
}

fn apt(command: &str) -> Result<()> {
    if files::program(&["apt-get"], &[]).is_none() {
        bail!(
            "there is no `apt-get` here; install PostgreSQL, chromium and Node with npm the way your system does"
        );
    }
    // Debian starts a database of its own after installing; a machine that only runs tests has no use for it, and we
    // promise to leave nothing running.
    let no_cluster = "d=/etc/postgresql-common/createcluster.d; [ -e /usr/share/postgresql-common ] || \
                      { mkdir -p $d && echo 'create_main_cluster = false' >$d/tessera-tests.conf; }";
    let script = format!("export DEBIAN_FRONTEND=noninteractive; {no_cluster}; {command}");
    let mut shell = if files::is_root() {
        Command::new("sh")
    } else {
        sudo()?
    };
    leash::run(shell.args(["-c", &script]))
}

fn sudo() -> Result<Command> {
    if files::program(&["sudo"], &[]).is_none() {
        bail!("installing needs root, and there is no `sudo` here; run the command above as root");
    }
    let mut command = Command::new("sudo");
    // The leash gives its children no terminal to ask for a password on.
    command.args(["--non-interactive", "sh"]);
    Ok(command)
}
