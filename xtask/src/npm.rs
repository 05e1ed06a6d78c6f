//! What comes from npm: the browser driver and axe for the tests, `wasm-opt` for release builds. All in `end2end/`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::files::{self, content_hash};
use crate::leash;
use crate::project::Project;
use crate::report::fresh;

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
    let mut command = Command::new("npm");
    command
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .current_dir(&folder);
    leash::run(&command).context("the browser tests' packages could not be installed")?;
    files::write(&stamp, lock.as_bytes())
}

/// `wasm-opt`, if binaryen is installed in `end2end/`.
pub fn wasm_opt(project: &Project) -> Option<PathBuf> {
    let file = project.path("end2end/node_modules/.bin/wasm-opt");
    file.is_file().then_some(file)
}
