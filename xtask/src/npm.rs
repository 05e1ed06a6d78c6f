//! What comes from npm: the browser driver and axe for the tests, `wasm-opt` for release builds. All in `end2end/`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::files::{self, content_hash};
use crate::leash;
use crate::project::{Project, output};
use crate::report::fresh;

/// The oldest Node that the browser driver runs on.
const NODE: u32 = 20;

/// Installs exactly what `package-lock.json` says, unless that was done already.
pub fn install(project: &Project) -> Result<()> {
    let folder = project.path("end2end");
    let lock = content_hash(&files::read(&folder.join("package-lock.json"))?);
    // Inside, so that it goes when the folder goes.
    let stamp = folder.join("node_modules/.installed");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        fresh("node_modules");
        return Ok(());
    }
    let version = output(Command::new("node").arg("--version"))?;
    if major(&version).is_none_or(|major| major < NODE) {
        bail!(
            "the browser tests need Node {NODE} or newer, and `node` is {}; install one from nodejs.org",
            version.trim()
        );
    }
    let mut command = Command::new("npm");
    command
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .current_dir(&folder);
    leash::run(&command).context("the browser tests' packages could not be installed")?;
    files::write(&stamp, lock.as_bytes())
}

/// The first number of what `node --version` prints, like `v20.20.2`.
fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// `wasm-opt`, if binaryen is installed in `end2end/`.
pub fn wasm_opt(project: &Project) -> Option<PathBuf> {
    let file = project.path("end2end/node_modules/.bin/wasm-opt");
    file.is_file().then_some(file)
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_major_version_is_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("v9.0.0"), Some(9));
        assert_eq!(major("node"), None);
    }
}
