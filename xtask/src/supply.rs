//! `cargo xtask supply` and `sbom`: what is in the tree, by which licence and from where. Asked of `Cargo.lock` and cargo
//! itself, held against `deny.toml`; nothing is fetched unless a package of the lock is not on this machine yet.

pub mod licence;
pub mod sbom;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::leash;
use crate::project::Project;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Packages that the lock may name and no build of the server may contain, with the reason.
const NEVER_BUILT: [(&str, &str); 3] = [
    (
        "ring",
        "aws-lc-rs is the only cryptographic library for TLS and signatures",
    ),
    ("openssl-sys", "rustls is the only TLS"),
    ("native-tls", "rustls is the only TLS"),
];

/// One package of the lock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    pub id: String,
    pub name: String,
    pub version: String,
    pub licence: Option<String>,
    /// None for the workspace's own.
    pub source: Option<String>,
}

/// Rules of `deny.toml`.
#[derive(Debug, Default)]
struct Rules {
    licences: BTreeSet<String>,
    exceptions: BTreeMap<String, BTreeSet<String>>,
    /// `name@version`.
    skipped: BTreeSet<String>,
}

/// Checks licences, sources and second versions.
pub fn check(project: &Project) -> Result<()> {
    let rules = std::fs::read_to_string(project.root.join("deny.toml"))?;
    let rules = Rules::parse(&rules)?;
    let metadata = metadata(project)?;
    let packages = packages(&metadata)?;
    let mut wrong = rules.judge(&packages);
    for (name, reason) in NEVER_BUILT {
        let named = packages.iter().any(|package| package.name == name);
        if named && is_built(project, name)? {
            wrong.push(format!("{name} is part of the server: {reason}"));
        }
    }
    if !wrong.is_empty() {
        bail!("deny.toml does not allow:\n  {}", wrong.join("\n  "));
    }
    Ok(())
}

/// Returns `true` if the server contains the package on any platform, with the features that are on.
fn is_built(project: &Project, name: &str) -> Result<bool> {
    let tree = project
        .cargo(&[
            "tree",
            "--package",
            "server",
            "--target",
            "all",
            "--locked",
            "--offline",
            "--invert",
            name,
        ])
        .stderr(std::process::Stdio::null())
        .output()?;
    Ok(!tree.stdout.is_empty())
}

/// Returns cargo's metadata of the tree: offline if possible, else after fetching the packages of the lock.
pub fn metadata(project: &Project) -> Result<Value> {
    let arguments = ["metadata", "--format-version", "1", "--locked", "--offline"];
    let ask = || {
        project
            .cargo(&arguments)
            .stderr(std::process::Stdio::null())
            .output()
    };
    let mut answer = ask()?;
    if !answer.status.success() {
        leash::run(&project.cargo(&["fetch", "--locked"]))?;
        answer = ask()?;
    }
    if !answer.status.success() {
        bail!("`cargo metadata --locked` fails: is Cargo.lock up to date?");
    }
    serde_json::from_slice(&answer.stdout).context("reading `cargo metadata`")
}

/// The packages of the lock.
pub fn packages(metadata: &Value) -> Result<Vec<Package>> {
    let list = metadata.get("packages").and_then(Value::as_array);
    let list = list.context("`cargo metadata` names no packages")?;
    list.iter()
        .map(|package| {
            let text = |key: &str| package.get(key).and_then(Value::as_str).map(str::to_owned);
            let needed = |key: &str| text(key).with_context(|| format!("a package has no {key}"));
            Ok(Package {
                id: needed("id")?,
                name: needed("name")?,
                version: needed("version")?,
                licence: text("license"),
                source: text("source"),
            })
        })
        .collect()
}

impl Rules {
    fn parse(text: &str) -> Result<Self> {
        let file: toml::Table = text.parse().context("reading deny.toml")?;
        let section = |name: &str| file.get(name).and_then(toml::Value::as_table);
        let list = |table: Option<&toml::Table>, key: &str| -> Vec<toml::Value> {
            let list = table.and_then(|table| table.get(key));
            list.and_then(toml::Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        let text = |value: &toml::Value, key: &str| {
            let text = value.get(key).and_then(toml::Value::as_str);
            text.map(str::to_owned)
                .with_context(|| format!("deny.toml: {value} has no {key}"))
        };
        let words = |values: Vec<toml::Value>| -> BTreeSet<String> {
            let words = values.iter().filter_map(toml::Value::as_str);
            words.map(str::to_owned).collect()
        };
        let mut rules = Self {
            licences: words(list(section("licenses"), "allow")),
            ..Self::default()
        };
        for exception in list(section("licenses"), "exceptions") {
            let allowed = exception.get("allow").and_then(toml::Value::as_array);
            let allowed = words(allowed.cloned().unwrap_or_default());
            rules.exceptions.insert(text(&exception, "crate")?, allowed);
        }
        for skip in list(section("bans"), "skip") {
            text(&skip, "reason")?;
            rules.skipped.insert(text(&skip, "crate")?);
        }
        Ok(rules)
    }

    /// Returns a sentence for each breach of the rules; empty if there is none.
    fn judge(&self, packages: &[Package]) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut versions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for package in packages {
            let named = format!("{}@{}", package.name, package.version);
            match package.source.as_deref() {
                None | Some(CRATES_IO) => {}
                Some(other) => wrong.push(format!("{named} comes from {other}")),
            }
            let more = self.exceptions.get(&package.name);
            let allowed = |one: &str| {
                self.licences.contains(one) || more.is_some_and(|more| more.contains(one))
            };
            match package
                .licence
                .as_deref()
                .map(|text| licence::allows(text, &allowed))
            {
                Some(Some(true)) => {}
                Some(None) => wrong.push(format!("{named} has a licence that cannot be read")),
                Some(Some(false)) | None => {
                    let licence = package.licence.as_deref().unwrap_or("none");
                    wrong.push(format!("{named} has the licence {licence}"));
                }
            }
            versions.entry(&package.name).or_default().push(named);
        }
        let mut second = BTreeSet::new();
        for (name, all) in versions.iter().filter(|(_, all)| all.len() > 1) {
            let unexplained: Vec<_> = all
                .iter()
                .filter(|named| !self.skipped.contains(*named))
                .cloned()
                .collect();
            if unexplained.len() > 1 {
                wrong.push(format!(
                    "{name} is there more than once: {} (give all but one of them a reason in bans.skip)",
                    unexplained.join(", ")
                ));
            }
            second.extend(all.iter().cloned());
        }
        for skip in self.skipped.difference(&second) {
            wrong.push(format!(
                "{skip} is in bans.skip and is no second version any more"
            ));
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, licence: &str, source: &str) -> Package {
        Package {
            id: format!("{name}@{version}"),
            name: name.to_owned(),
            version: version.to_owned(),
            licence: Some(licence.to_owned()).filter(|text| !text.is_empty()),
            source: Some(source.to_owned()),
        }
    }

    const RULES: &str = r#"
        [licenses]
        allow = ["MIT", "Apache-2.0"]
        exceptions = [{ crate = "css", allow = ["MPL-2.0"] }]
        [bans]
        skip = [{ crate = "old@1.0.0", reason = "by somebody" }]
    "#;

    #[test]
    fn what_is_not_allowed_is_named() {
        let rules = Rules::parse(RULES).unwrap();
        let good = [
            package("a", "1.0.0", "MIT OR GPL-3.0", CRATES_IO),
            package("css", "1.0.0", "MPL-2.0", CRATES_IO),
            package("old", "1.0.0", "MIT", CRATES_IO),
            package("old", "2.0.0", "MIT/Apache-2.0", CRATES_IO),
        ];
        assert_eq!(rules.judge(&good), Vec::<String>::new());
        for (bad, said) in [
            (
                package("b", "1.0.0", "AGPL-3.0-only", CRATES_IO),
                "licence AGPL-3.0-only",
            ),
            (package("b", "1.0.0", "", CRATES_IO), "licence none"),
            (
                package("b", "1.0.0", "MIT AND MPL-2.0", CRATES_IO),
                "licence MIT AND",
            ),
            (
                package("b", "1.0.0", "MIT OR (", CRATES_IO),
                "cannot be read",
            ),
            (
                package("b", "1.0.0", "MIT", "git+https://example.com/b"),
                "comes from git+",
            ),
            (
                package("a", "2.0.0", "MIT", CRATES_IO),
                "a is there more than once",
            ),
        ] {
            let wrong = rules.judge(&[&good[..], &[bad]].concat());
            assert!(
                wrong.len() == 1 && wrong[0].contains(said),
                "{said}: {wrong:?}"
            );
        }
        let gone = rules.judge(&good[..3]);
        assert!(gone[0].contains("no second version any more"), "{gone:?}");
        assert!(
            Rules::parse("[bans]\nskip = [{ crate = \"x@1\" }]").is_err(),
            "no reason"
        );
    }

    #[test]
    fn the_tree_is_as_deny_toml_allows() {
        check(&Project::find().unwrap()).unwrap();
    }
}
