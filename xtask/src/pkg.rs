//! The built half of the site: `/pkg`, where every file carries the hash of its content in its name, and
//! `assets.json`, which tells the server the names of the day.

use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::{Context, Result};
use brotli::enc::BrotliEncoderParams;
use serde_json::{Value, json};

use crate::files;
use crate::project::Profile;

const MANIFEST: &str = "pkg/assets.json";
/// Extensions of files that brotli makes smaller; pictures and fonts are compressed already.
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

/// The built half of the site and its manifest.
pub struct Pkg {
    /// The site's folder, above `pkg`.
    folder: PathBuf,
    manifest: Value,
}

impl Pkg {
    /// Reads the manifest of a site; an empty one if it has none yet.
    pub fn open(folder: PathBuf) -> Result<Self> {
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

    /// The name that the manifest has for a key.
    fn entry(&self, key: &str) -> Option<&str> {
        self.manifest.get(key).and_then(Value::as_str)
    }

    /// Are these keys in the manifest, and their files there?
    pub fn has(&self, keys: &[&str]) -> bool {
        keys.iter().all(|key| {
            self.entry(key)
                .is_some_and(|name| self.file(name).is_file())
        })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name.trim_start_matches('/'))
    }

    /// Writes new files, then the manifest that names them, then removes the ones they replace.
    pub fn replace(mut self, new: &[(&str, String, &[u8])], profile: Profile) -> Result<()> {
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

/// In release, writes the brotli twin beside a file and returns it. Where there should be none (in dev, for pictures,
/// for what only grows), makes sure that there is none.
pub fn compress(file: &Path, content: &[u8], profile: Profile) -> Result<Option<PathBuf>> {
    let twin = brotli_twin(file);
    let text = file
        .extension()
        .is_some_and(|extension| TEXT.iter().any(|text| extension == *text));
    if profile == Profile::Release && text {
        let compressed =
            brotli(content).with_context(|| format!("compressing {}", file.display()))?;
        if compressed.len() < content.len() {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            eprintln!(
                "    {name}: {} bytes, {} with brotli",
                content.len(),
                compressed.len()
            );
            files::write(&twin, &compressed)?;
            return Ok(Some(twin));
        }
    }
    files::remove(&twin)?;
    Ok(None)
}

fn brotli(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressed = Vec::new();
    let parameters = BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &*content, &mut compressed, &parameters)?;
    Ok(compressed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A site for release with these files put in, one after the other; the names of the files it is left with.
    fn names_after(test: &str, put: &[(&str, &str, &[u8])]) -> Vec<String> {
        let folder = std::env::temp_dir().join(format!("xtask-pkg-{}-{test}", std::process::id()));
        for (key, name, content) in put {
            let pkg = Pkg::open(folder.clone()).unwrap();
            pkg.replace(&[(key, format!("/pkg/{name}"), content)], Profile::Release)
                .unwrap();
        }
        let pkg = Pkg::open(folder.clone()).unwrap();
        assert!(put.iter().all(|(key, _, _)| pkg.has(&[key])));
        let left = files::all(&folder).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        left.iter()
            .map(|file| file.file_name().unwrap().to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn replacing_keeps_other_entries_and_removes_the_old_file() {
        let text = &[b'a'; 1000];
        let put: [(&str, &str, &[u8]); 3] = [
            ("js", "a.1.js", text),
            ("css", "a.1.css", text),
            ("css", "a.2.css", text),
        ];
        let names = names_after("replace", &put);
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

    #[test]
    fn what_brotli_would_make_larger_has_no_twin() {
        assert_eq!(
            names_after("small", &[("js", "a.1.js", b"1")]),
            ["a.1.js", "assets.json"]
        );
    }
}
