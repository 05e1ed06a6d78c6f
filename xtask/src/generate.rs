//! Committed files that the server prints: people read them without building anything, `test` sees that they are true.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::files;
use crate::project::{Profile, Project, output};
use crate::report::step;
use crate::site;

/// A committed file and the server's arguments that print it.
struct Generated {
    file: &'static str,
    arguments: &'static [&'static str],
}

const GENERATED: [Generated; 2] = [
    Generated {
        file: "config.example.toml",
        arguments: &["print", "config"],
    },
    Generated {
        file: "openapi.json",
        arguments: &["print", "openapi"],
    },
];

/// `cargo xtask generate`: writes them.
pub fn write(project: &Project) -> Result<()> {
    site::build_server(project, Profile::Dev, site::Parts::Product)?;
    for generated in &GENERATED {
        step(&format!("writing {}", generated.file), || {
            files::write(
                &project.path(generated.file),
                generated.content(project)?.as_bytes(),
            )
        })?;
    }
    Ok(())
}

/// An error if a committed file is not what the server prints. The server must be built.
pub fn compare(project: &Project) -> Result<()> {
    let mut stale = Vec::new();
    for generated in &GENERATED {
        let committed = files::read(&project.path(generated.file)).unwrap_or_default();
        if committed != generated.content(project)?.as_bytes() {
            stale.push(generated.file);
        }
    }
    if !stale.is_empty() {
        bail!(
            "{} no longer say what the server says: run `cargo xtask generate` and commit the result",
            stale.join(", ")
        );
    }
    Ok(())
}

impl Generated {
    fn content(&self, project: &Project) -> Result<String> {
        let mut command = Command::new(project.server(Profile::Dev));
        output(command.args(self.arguments)).with_context(|| format!("printing {}", self.file))
    }
}
