//! `cargo xtask serve`: the portal with its demo, on this machine.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, anyhow};

use crate::project::{Profile, Project};
use crate::site;

/// Builds what is missing and becomes the server: Ctrl-C reaches it directly and it shuts down in its own time.
pub fn run(project: &Project, profile: Profile, arguments: &[OsString]) -> Result<()> {
    site::build_all(project, profile)?;
    let server = project.server(profile);
    let mut command = Command::new(&server);
    configure(&mut command, project, profile, arguments);
    let error = command.exec();
    Err(anyhow!("could not start {}: {error}", server.display()))
}

/// Sets the arguments with which `serve` and `dev` start the server: the demo, the built site, and its data in `data/`.
pub fn configure(
    command: &mut Command,
    project: &Project,
    profile: Profile,
    arguments: &[OsString],
) {
    command
        .args(["serve", "--demo"])
        .args(arguments)
        .current_dir(&project.root);
    site_for(command, &project.site(profile));
}

/// Points a server at the files for browsers.
pub fn site_for(command: &mut Command, site: &Path) {
    command.env("TESSERA_HTTP__SITE_DIR", site);
}
