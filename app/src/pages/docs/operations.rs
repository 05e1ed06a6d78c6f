//! The operations of the served OpenAPI document, as far as lists show them.

use leptos::prelude::*;
use serde_json::Value;

use super::API;
use crate::ui::{Chip, Tone};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// One operation, as far as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub method: String,
    pub path: String,
    pub tag: String,
    pub title: String,
}

impl Listed {
    /// The operation's address: its method and the words of its path.
    pub(super) fn href(&self) -> String {
        let words: Vec<&str> = self
            .path
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty())
            .collect();
        format!("{API}/{}-{}", self.method, words.join("-"))
    }

    /// Returns `true` if browsers may call the operation: if it answers cross-origin calls (docs/API.md, "Rules of every
    /// call").
    pub(super) fn browser_safe(&self) -> bool {
        ["/v1/sessions", "/v1/steps", "/v1/catalog"]
            .iter()
            .any(|start| self.path.starts_with(start))
    }
}

/// Every operation of a document, in its order.
pub(super) fn listed(openapi: &Value) -> Vec<Listed> {
    let paths = openapi.get("paths").and_then(Value::as_object);
    let all = paths.into_iter().flatten().flat_map(|(path, item)| {
        METHODS.iter().filter_map(move |method| {
            let operation = item.get(method)?;
            let tag = operation
                .pointer("/tags/0")
                .and_then(Value::as_str)
                .unwrap_or("other");
            Some(Listed {
                method: (*method).to_owned(),
                path: path.clone(),
                tag: capitalised(tag),
                title: title(operation, path),
            })
        })
    });
    all.collect()
}

/// The first sentence of the description, without its full stop.
fn title(operation: &Value, path: &str) -> String {
    let summary = operation
        .get("summary")
        .or(operation.get("description"))
        .and_then(Value::as_str)
        .unwrap_or(path);
    let first = summary.lines().next().unwrap_or(summary);
    let end = first.find([':', '.', ';', ',']).unwrap_or(first.len());
    first.get(..end).unwrap_or(first).replace('`', "")
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// Operations by tag, sessions first: the order of a first integration.
pub(super) fn groups(operations: &[Listed]) -> Vec<(String, Vec<&Listed>)> {
    const ORDER: [&str; 8] = [
        "Catalog",
        "Sessions",
        "Tokens",
        "Accounts",
        "Balances",
        "Transactions",
        "Consents",
        "Payments",
    ];
    let mut groups: Vec<(String, Vec<&Listed>)> = Vec::new();
    for operation in operations {
        match groups.iter_mut().find(|(tag, _)| *tag == operation.tag) {
            Some((_, members)) => members.push(operation),
            None => groups.push((operation.tag.clone(), vec![operation])),
        }
    }
    groups.sort_by_key(|(tag, _)| {
        ORDER
            .iter()
            .position(|known| known == tag)
            .unwrap_or(ORDER.len())
    });
    groups
}

/// The method as a chip.
pub(super) fn method_chip(method: &str) -> impl IntoView + use<> {
    let tone = match method {
        "get" => Tone::Ok,
        "post" => Tone::Accent,
        "delete" => Tone::Err,
        _ => Tone::Warn,
    };
    view! { <Chip tone=tone plain=true text=method.to_uppercase() /> }
}
