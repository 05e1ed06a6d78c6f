//! `cargo xtask dev`: looks at the sources a few times a second, rebuilds only what a change touches, and restarts the
//! server. A change that does not compile leaves the last good server running.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;

use crate::leash::{self, Leash};
use crate::project::{Profile, Project};
use crate::{files, report, serve, site};

const LOOK: Duration = Duration::from_millis(300);

/// Builds, serves and watches until interrupted.
pub fn run(project: &Project, arguments: &[OsString]) -> Result<()> {
    let mut seen = Sources::look(project)?;
    site::build_all(project, Profile::Dev)?;
    let mut server = Some(start(project, arguments)?);
    eprintln!("==> watching app, server, migrations, style and public; Ctrl-C ends it");
    let mut stale = BTreeSet::new();
    loop {
        std::thread::sleep(LOOK);
        tell_if_ended(&mut server)?;
        let now = Sources::look(project)?;
        let touched = now.changed_since(&seen);
        if touched.is_empty() {
            continue;
        }
        seen = now;
        stale.extend(touched);
        let begin = Instant::now();
        if let Err(error) = rebuild(project, &stale) {
            eprintln!(
                "\nerror: {error:#}\n==> waiting for the next change; the last good server stays"
            );
            continue;
        }
        stale.clear();
        // The old one has to let go of the port and the database before the new one can have them.
        drop(server.take());
        server = Some(start(project, arguments)?);
        eprintln!(
            "==> ready in {}: reload the page",
            report::seconds(begin.elapsed())
        );
    }
}

fn tell_if_ended(server: &mut Option<Leash>) -> Result<()> {
    let Some(status) = server.as_mut().map(Leash::ended).transpose()?.flatten() else {
        return Ok(());
    };
    eprintln!("==> the server ended with {status}; the next change starts it again");
    *server = None;
    Ok(())
}

fn start(project: &Project, arguments: &[OsString]) -> Result<Leash> {
    let mut command = leash::service(project.server(Profile::Dev), "TERM", None);
    serve::configure(&mut command, project, Profile::Dev, arguments);
    Leash::start(&mut command)
}

/// Builds what is stale; stops at the first that does not compile.
fn rebuild(project: &Project, touched: &BTreeSet<Part>) -> Result<()> {
    for part in touched {
        match part {
            Part::Public => site::copy_public(project, Profile::Dev)?,
            Part::Style => site::build_style(project, Profile::Dev)?,
            Part::Server => site::build_server(project, Profile::Dev, site::Parts::Product)?,
            Part::Islands => site::build_islands(project, Profile::Dev)?,
        }
    }
    Ok(())
}

/// Part of the project that can be built by itself, in this order: what may not compile comes first, so that the
/// running server keeps the files it knows until everything is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Server,
    Islands,
    Style,
    Public,
}

/// Returns the parts that have to be built again when something in `place` changes: a folder below the root, or a file
/// there.
fn built_from(place: &str) -> &'static [Part] {
    match place {
        "public" => &[Part::Public],
        "style" => &[Part::Style],
        "server" | "migrations" => &[Part::Server],
        // `app` and the reader of JSON are in both, and so are the versions of what they use.
        _ => &[Part::Server, Part::Islands],
    }
}

/// Time at which each source file was last written, with the place it is in.
struct Sources(BTreeMap<PathBuf, (&'static str, SystemTime)>);

impl Sources {
    fn look(project: &Project) -> Result<Self> {
        let mut found = BTreeMap::new();
        for place in [
            "app",
            "server",
            // In the server's folder, and in what browsers load.
            "server/kernel/json",
            "migrations",
            "style",
            "public",
            "Cargo.toml",
            "Cargo.lock",
        ] {
            let path = project.path(place);
            let files = if path.is_file() {
                vec![path]
            } else {
                files::all(&path)?
            };
            for file in files {
                // A file may be gone between listing and asking; the next look sees that.
                if let Ok(written) = file.metadata().and_then(|metadata| metadata.modified()) {
                    found.insert(file, (place, written));
                }
            }
        }
        Ok(Self(found))
    }

    /// Returns the parts that have to be built again: they have files that are new, gone, or written since.
    fn changed_since(&self, old: &Self) -> BTreeSet<Part> {
        let unlike = |one: &Self, other: &Self| -> Vec<Part> {
            let differing = one
                .0
                .iter()
                .filter(|&(file, entry)| other.0.get(file) != Some(entry));
            differing
                .flat_map(|(_, (place, _))| built_from(place))
                .copied()
                .collect()
        };
        unlike(self, old)
            .into_iter()
            .chain(unlike(old, self))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &'static str, u64)]) -> Sources {
        let entry = |(file, place, at): &(&str, &'static str, u64)| {
            (
                PathBuf::from(file),
                (*place, SystemTime::UNIX_EPOCH + Duration::from_secs(*at)),
            )
        };
        Sources(files.iter().map(entry).collect())
    }

    fn touched(new: &Sources, old: &Sources) -> Vec<Part> {
        new.changed_since(old).into_iter().collect()
    }

    #[test]
    fn a_stylesheet_rebuilds_no_rust() {
        let old = sources(&[("style/main.css", "style", 1), ("app/src/lib.rs", "app", 1)]);
        let new = sources(&[("style/main.css", "style", 2), ("app/src/lib.rs", "app", 1)]);
        assert_eq!(touched(&new, &old), [Part::Style]);
        assert_eq!(touched(&new, &new), []);
    }

    #[test]
    fn new_and_removed_files_are_changes() {
        let (without, with) = (
            sources(&[]),
            sources(&[("server/src/api/new.rs", "server", 1)]),
        );
        assert_eq!(touched(&with, &without), [Part::Server]);
        assert_eq!(touched(&without, &with), [Part::Server]);
    }

    #[test]
    fn pages_are_built_for_both_sides() {
        let new = sources(&[("app/src/pages/keys.rs", "app", 1)]);
        assert_eq!(touched(&new, &sources(&[])), [Part::Server, Part::Islands]);
    }
}
