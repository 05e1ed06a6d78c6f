//! The site: every file that a browser fetches, in one folder that the server is pointed at.
//!
//! `/pkg` holds the islands and the stylesheet under names that carry the hash of their content, so that they may be
//! cached for ever; `/pkg/assets.json` tells the server the names. Everything else is `public/` as it is.

use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::files::{self, content_hash};
use crate::project::{Profile, Project};
use crate::report::{fresh, step};
use crate::wasm::{self, Islands};
use crate::{leash, style};

const MANIFEST: &str = "pkg/assets.json";
/// What brotli makes smaller; pictures and fonts are compressed already.
const TEXT: [&str; 8] = [
    "css",
    "js",
    "json",
    "svg",
    "txt",
    "wasm",
    "webmanifest",
    "xml",
];

/// Builds the site and the server; does only what is not done yet.
pub fn build_all(project: &Project, profile: Profile) -> Result<()> {
    build_site(project, profile)?;
    build_server(project, profile)?;
    eprintln!(
        "==> ready: {} with {}",
        project.server(profile).display(),
        project.site(profile).display()
    );
    Ok(())
}

/// Builds everything browsers fetch.
pub fn build_site(project: &Project, profile: Profile) -> Result<()> {
    build_islands(project, profile)?;
    build_style(project, profile)?;
    copy_public(project, profile)
}

/// Builds the server's binary. Cargo itself knows what is fresh.
pub fn build_server(project: &Project, profile: Profile) -> Result<()> {
    step(
        &format!("compiling the server ({})", profile.server()),
        || {
            let command = project.cargo(&[
                "build",
                "--package",
                "server",
                "--bin",
                "server",
                "--profile",
                profile.server(),
            ]);
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
    let site = Site::open(project.site(profile))?;
    if site.has(&["js", "wasm"]) && site.entry("source") == Some(source.as_str()) {
        fresh("binding the islands");
        return Ok(());
    }
    step("binding the islands", || {
        let islands = wasm::bind(project, profile, module)?;
        let named = name_islands(&islands)?;
        site.replace(
            &[
                ("js", named.js.0, named.js.1.as_bytes()),
                ("wasm", named.wasm, &islands.wasm),
            ],
            profile,
        )?;
        Site::open(project.site(profile))?.note("source", &source)
    })
}

/// Bundles the stylesheet and puts it under `/pkg`. Quick enough to do each time.
pub fn build_style(project: &Project, profile: Profile) -> Result<()> {
    step("bundling the stylesheet", || {
        let css = style::bundle(&project.path("style/main.css"))?;
        let name = format!("/pkg/{}.{}.css", wasm::NAME, content_hash(css.as_bytes()));
        Site::open(project.site(profile))?.replace(&[("css", name, css.as_bytes())], profile)
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

/// The built half of the site and its manifest.
struct Site {
    folder: PathBuf,
    manifest: Value,
}

impl Site {
    fn open(folder: PathBuf) -> Result<Self> {
        let manifest = match fs::read(folder.join(MANIFEST)) {
            // A manifest that does not parse was cut short; everything is built anew.
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|_| json!({})),
            Err(error) if error.kind() == io::ErrorKind::NotFound => json!({}),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("reading {MANIFEST} in {}", folder.display()));
            }
        };
        Ok(Self { folder, manifest })
    }

    fn entry(&self, key: &str) -> Option<&str> {
        self.manifest.get(key).and_then(Value::as_str)
    }

    fn has(&self, keys: &[&str]) -> bool {
        keys.iter().all(|key| {
            self.entry(key)
                .is_some_and(|name| self.file(name).is_file())
        })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name.trim_start_matches('/'))
    }

    /// Writes new files, then the manifest that names them, then removes the ones they replace.
    fn replace(mut self, new: &[(&str, String, &[u8])], profile: Profile) -> Result<()> {
        let mut old = Vec::new();
        for (key, name, content) in new {
            files::write(&self.file(name), content)?;
            compress(&self.file(name), content, profile)?;
            old.extend(
                self.entry(key)
                    .filter(|old| old != name)
                    .map(|old| self.file(old)),
            );
            self.set(key, name);
        }
        self.save()?;
        for file in old {
            files::remove(&brotli_twin(&file))?;
            files::remove(&file)?;
        }
        Ok(())
    }

    fn note(mut self, key: &str, value: &str) -> Result<()> {
        self.set(key, value);
        self.save()
    }

    fn set(&mut self, key: &str, value: &str) {
        if let Some(entries) = self.manifest.as_object_mut() {
            entries.insert(key.to_owned(), value.into());
        }
    }

    fn save(&self) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(&self.manifest)?;
        text.push(b'\n');
        files::write(&self.folder.join(MANIFEST), &text)
    }
}

fn brotli_twin(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".br");
    name.into()
}

/// In release, writes the brotli twin beside a file and returns it; otherwise makes sure there is none.
fn compress(file: &Path, content: &[u8], profile: Profile) -> Result<Option<PathBuf>> {
    let twin = brotli_twin(file);
    let text = file
        .extension()
        .is_some_and(|extension| TEXT.iter().any(|text| extension == *text));
    if profile == Profile::Dev || !text {
        files::remove(&twin)?;
        return Ok(None);
    }
    let mut compressed = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &*content, &mut compressed, &parameters)
        .with_context(|| format!("compressing {}", file.display()))?;
    files::write(&twin, &compressed)?;
    eprintln!(
        "    {}: {} bytes, {} with brotli",
        file.display(),
        content.len(),
        compressed.len()
    );
    Ok(Some(twin))
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

    #[test]
    fn replacing_keeps_other_entries_and_removes_the_old_file() {
        let folder = std::env::temp_dir().join(format!("xtask-site-{}", std::process::id()));
        let put = |key: &str, name: &str| {
            let site = Site::open(folder.clone()).unwrap();
            site.replace(
                &[(key, format!("/pkg/{name}"), name.as_bytes())],
                Profile::Release,
            )
            .unwrap();
        };
        put("js", "a.1.js");
        put("css", "a.1.css");
        put("css", "a.2.css");
        let site = Site::open(folder.clone()).unwrap();
        assert!(site.has(&["js", "css"]));
        assert_eq!(site.entry("css"), Some("/pkg/a.2.css"));
        let left: Vec<PathBuf> = files::all(&folder).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let names: Vec<_> = left
            .iter()
            .map(|file| file.file_name().unwrap().to_string_lossy())
            .collect();
        assert_eq!(
            names,
            [
                "a.1.js",
                "a.1.js.br",
                "a.2.css",
                "a.2.css.br",
                "assets.json"
            ]
        );
    }
}
