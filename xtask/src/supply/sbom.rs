//! A software bill of materials: `CycloneDX` 1.5, JSON. What the server is built from, with licences, checksums and who needs
//! whom; what only tests, xtask or other systems need is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::{Package, metadata, packages};
use crate::project::Project;

/// Writes the bill to a file, or prints it.
pub fn write(project: &Project, to: Option<&Path>) -> Result<()> {
    let text = serde_json::to_string_pretty(&bill(project)?)? + "\n";
    if let Some(path) = to {
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    } else {
        print!("{text}");
        Ok(())
    }
}

/// The bill of the package `server`.
pub fn bill(project: &Project) -> Result<Value> {
    let metadata = metadata(project)?;
    let all: BTreeMap<String, Package> = packages(&metadata)?
        .into_iter()
        .map(|package| (package.id.clone(), package))
        .collect();
    let needs = needs(&metadata)?;
    let root = all
        .values()
        .find(|package| package.name == "server" && package.source.is_none())
        .context("there is no package `server`")?;
    let mut reached = BTreeSet::from([root.id.clone()]);
    let mut waiting = vec![root.id.clone()];
    while let Some(id) = waiting.pop() {
        for other in needs.get(&id).into_iter().flatten() {
            if reached.insert(other.clone()) {
                waiting.push(other.clone());
            }
        }
    }
    let lock = std::fs::read_to_string(project.root.join("Cargo.lock"))?;
    let checksums = checksums(&lock)?;
    let of = |ids: &BTreeSet<String>| -> Vec<&Package> {
        ids.iter().filter_map(|id| all.get(id)).collect()
    };
    let components: Vec<Value> = of(&reached)
        .into_iter()
        .filter(|package| package.id != root.id)
        .map(|package| component(package, "library", &checksums))
        .collect();
    let none = BTreeSet::new();
    let dependencies: Vec<Value> = of(&reached)
        .into_iter()
        .map(|package| {
            let others = of(needs.get(&package.id).unwrap_or(&none));
            json!({ "ref": purl(package), "dependsOn": others.into_iter().map(purl).collect::<Vec<_>>() })
        })
        .collect();
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": component(root, "application", &checksums) },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// Returns the ids of the packages that each package is built from; those that only tests need are left out.
fn needs(metadata: &Value) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let nodes = metadata.pointer("/resolve/nodes").and_then(Value::as_array);
    let nodes = nodes.context("`cargo metadata` has no resolve")?;
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    Ok(nodes
        .iter()
        .filter_map(|node| {
            let needed = node.get("deps")?.as_array()?.iter().filter(|need| {
                let kinds = need.get("dep_kinds").and_then(Value::as_array);
                kinds.is_some_and(|kinds| {
                    kinds.iter().any(|kind| {
                        kind.get("kind")
                            .is_none_or(|kind| kind.as_str() != Some("dev"))
                    })
                })
            });
            let ids = needed.filter_map(|need| text(need, "pkg")).collect();
            Some((text(node, "id")?, ids))
        })
        .collect())
}

/// SHA-256 of each package's archive, by `name@version`.
fn checksums(lock: &str) -> Result<BTreeMap<String, String>> {
    let lock: toml::Table = lock.parse().context("reading Cargo.lock")?;
    let packages = lock.get("package").and_then(toml::Value::as_array);
    Ok(packages
        .into_iter()
        .flatten()
        .filter_map(|package| {
            let text = |key: &str| package.get(key).and_then(toml::Value::as_str);
            let named = format!("{}@{}", text("name")?, text("version")?);
            Some((named, text("checksum")?.to_owned()))
        })
        .collect())
}

fn component(package: &Package, kind: &str, checksums: &BTreeMap<String, String>) -> Value {
    let mut component = Map::from_iter([
        ("type".to_owned(), json!(kind)),
        ("bom-ref".to_owned(), json!(purl(package))),
        ("name".to_owned(), json!(package.name)),
        ("version".to_owned(), json!(package.version)),
        ("purl".to_owned(), json!(purl(package))),
    ]);
    if let Some(licence) = &package.licence {
        // The slash of old manifests is no SPDX.
        let expression = licence.replace('/', " OR ");
        let licences = json!([{ "expression": expression }]);
        component.insert("licenses".to_owned(), licences);
    }
    if let Some(sum) = checksums.get(&format!("{}@{}", package.name, package.version)) {
        let hashes = json!([{ "alg": "SHA-256", "content": sum }]);
        component.insert("hashes".to_owned(), hashes);
    }
    Value::Object(component)
}

/// The package's URL (purl, type cargo).
fn purl(package: &Package) -> String {
    format!(
        "pkg:cargo/{}@{}",
        package.name,
        package.version.replace('+', "%2B")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bill_is_whole_and_of_the_servers_own_tree() {
        let bill = bill(&Project::find().unwrap()).unwrap();
        assert_eq!(
            (&bill["bomFormat"], &bill["specVersion"]),
            (&json!("CycloneDX"), &json!("1.5"))
        );
        assert_eq!(bill["metadata"]["component"]["name"], "server");
        let components = bill["components"].as_array().unwrap();
        let names: BTreeSet<_> = components
            .iter()
            .map(|it| it["name"].as_str().unwrap())
            .collect();
        for needed in [
            "app",
            "bank",
            "json",
            "kernel",
            "axum",
            "sqlx",
            "libsqlite3-sys",
            "leptos",
            "rustls",
        ] {
            assert!(names.contains(needed), "{needed}");
        }
        for left_out in ["proptest", "lightningcss", "kernel-testing", "xtask"] {
            assert!(!names.contains(left_out), "{left_out}");
        }
        let mut refs = BTreeSet::from([bill["metadata"]["component"]["bom-ref"].as_str().unwrap()]);
        for component in components {
            assert_eq!(component["type"], "library");
            assert!(
                component["version"].is_string()
                    && component["licenses"][0]["expression"].is_string()
            );
            assert!(
                component["purl"]
                    .as_str()
                    .unwrap()
                    .starts_with("pkg:cargo/")
            );
            let own =
                ["app", "bank", "json", "kernel"].contains(&component["name"].as_str().unwrap());
            let sum = component["hashes"][0]["content"].as_str().map(str::len);
            assert_eq!(sum, (!own).then_some(64), "{component}");
            assert!(
                refs.insert(component["bom-ref"].as_str().unwrap()),
                "named twice"
            );
        }
        let dependencies = bill["dependencies"].as_array().unwrap();
        assert_eq!(dependencies.len(), refs.len());
        for line in dependencies {
            assert!(refs.contains(line["ref"].as_str().unwrap()));
            for other in line["dependsOn"].as_array().unwrap() {
                assert!(refs.contains(other.as_str().unwrap()), "{other}");
            }
        }
    }
}
