//! The site: every file that a browser fetches, in one folder that the server is pointed at.
//!
//! `/pkg` holds the islands and the stylesheet under names that carry the hash of their content, so that they may be
//! cached for ever; `/pkg/assets.json` tells the server the names. Everything else is `public/` as it is.

use std::fs;

use anyhow::{Result, bail};

use crate::files::{self, content_hash};
use crate::pkg::{Pkg, compress};
use crate::project::{Profile, Project};
use crate::report::{fresh, step};
use crate::wasm::{self, Islands};
use crate::{leash, style};

/// Builds the site and the server; does only what is not done yet.
pub fn build_all(project: &Project, profile: Profile) -> Result<()> {
    build_site(project, profile)?;
    build_server(project, profile, Parts::Product)?;
    eprintln!(
        "==> ready: {} with {}",
        project.server(profile).display(),
        project.site(profile).display()
    );
    Ok(())
}

/// What the server's binary is built with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// The product alone.
    Product,
    /// The product, and the commands that fill its tables for measurements.
    Bench,
}

/// Builds everything browsers fetch.
pub fn build_site(project: &Project, profile: Profile) -> Result<()> {
    build_islands(project, profile)?;
    build_style(project, profile)?;
    copy_public(project, profile)
}

/// Builds the server's binary. Cargo itself knows what is fresh.
pub fn build_server(project: &Project, profile: Profile, parts: Parts) -> Result<()> {
    step(
        &format!("compiling the server ({})", profile.server()),
        || {
            let mut command = project.cargo(&[
                "build",
                "--package",
                "server",
                "--bin",
                "server",
                "--profile",
                profile.server(),
            ]);
            if parts == Parts::Bench {
                command.args(["--features", "bench"]);
            }
            leash::run(&command)
        },
    )
}

/// Compiles the islands and puts them under `/pkg`, unless they are there already.
pub fn build_islands(project: &Project, profile: Profile) -> Result<()> {
    wasm::ensure_target()?;
    let compiled = step(
        &format!("compiling the islands ({})", profile.server()),
        || wasm::compile(project, profile),
    )?;
    let module = files::read(&compiled)?;
    let source = source_hash(&module);
    let stamp = project
        .target
        .join("xtask")
        .join(format!("islands-{}", profile.server()));
    let pkg = Pkg::open(project.site(profile))?;
    let bound = fs::read_to_string(&stamp).is_ok_and(|bound| bound == source);
    if bound && pkg.has(&["js", "wasm"]) {
        fresh("binding the islands");
        return Ok(());
    }
    step("binding the islands", || {
        let islands = wasm::bind(project, profile, module)?;
        let named = name_islands(&islands)?;
        let (js, wasm) = (named.js.1.as_bytes(), &*islands.wasm);
        pkg.replace(
            &[("js", named.js.0, js), ("wasm", named.wasm, wasm)],
            profile,
        )?;
        files::write(&stamp, source.as_bytes())
    })
}

/// Bundles the stylesheet and puts it under `/pkg`. Quick enough to do each time.
pub fn build_style(project: &Project, profile: Profile) -> Result<()> {
    step("bundling the stylesheet", || {
        let css = style::bundle(&project.path("style/main.css"))?;
        let name = format!("/pkg/{}.{}.css", wasm::NAME, content_hash(css.as_bytes()));
        Pkg::open(project.site(profile))?.replace(&[("css", name, css.as_bytes())], profile)
    })
}

/// Makes the site's root look like `public/`.
pub fn copy_public(project: &Project, profile: Profile) -> Result<()> {
    let (public, site) = (project.path("public"), project.site(profile));
    let mut wanted = Vec::new();
    for file in files::all(&public)? {
        let place = site.join(file.strip_prefix(&public)?);
        if place.starts_with(site.join("pkg")) {
            bail!(
                "{} would hide built files: /pkg belongs to xtask. Give it another folder",
                file.display()
            );
        }
        let content = files::read(&file)?;
        files::write(&place, &content)?;
        wanted.extend(compress(&place, &content, profile)?);
        wanted.push(place);
    }
    for file in files::all(&site)? {
        if !file.starts_with(site.join("pkg")) && !wanted.contains(&file) {
            files::remove(&file)?;
        }
    }
    Ok(())
}

/// The names of the islands' files, and the glue with the module's new name in it.
struct Named {
    js: (String, String),
    wasm: String,
}

fn name_islands(islands: &Islands) -> Result<Named> {
    let wasm = format!("{}.{}.wasm", wasm::NAME, content_hash(&islands.wasm));
    let given = format!("{}_bg.wasm", wasm::NAME);
    if !islands.js.contains(&given) {
        bail!(
            "wasm-bindgen's glue does not name {given} any more; look at its output and mend xtask/src/site.rs"
        );
    }
    let js = islands.js.replace(&given, &wasm);
    let name = format!("/pkg/{}.{}.js", wasm::NAME, content_hash(js.as_bytes()));
    Ok(Named {
        js: (name, js),
        wasm: format!("/pkg/{wasm}"),
    })
}

/// Changes with the module and with the program that binds it (us).
fn source_hash(module: &[u8]) -> String {
    let binder = std::env::current_exe()
        .and_then(fs::read)
        .map(|us| content_hash(&us))
        .unwrap_or_default();
    format!("{}-{binder}", content_hash(module))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn islands(module: &[u8]) -> Islands {
        let js = "module_or_path = new URL('portal_bg.wasm', import.meta.url);".to_owned();
        Islands {
            js,
            wasm: module.to_owned(),
        }
    }

    #[test]
    fn the_glue_asks_for_the_module_by_its_new_name() {
        let named = name_islands(&islands(b"one")).unwrap();
        let file = named.wasm.strip_prefix("/pkg/").unwrap();
        assert!(
            named
                .js
                .1
                .contains(&format!("new URL('{file}', import.meta.url)")),
            "{}",
            named.js.1
        );
        assert!(!named.js.1.contains("portal_bg"));
    }

    #[test]
    fn another_module_renames_the_glue_too() {
        let (one, two) = (
            name_islands(&islands(b"one")).unwrap(),
            name_islands(&islands(b"two")).unwrap(),
        );
        assert_ne!(one.wasm, two.wasm);
        assert_ne!(one.js.0, two.js.0);
        assert_eq!(one.js.0, name_islands(&islands(b"one")).unwrap().js.0);
    }

    #[test]
    fn a_glue_that_names_no_module_is_an_error() {
        let islands = Islands {
            js: String::new(),
            wasm: Vec::new(),
        };
        assert!(name_islands(&islands).is_err());
    }
}
