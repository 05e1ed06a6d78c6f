//! The API reference: the served OpenAPI document, one page for each operation.

use leptos::prelude::*;
use serde_json::Value;

use super::operation::article;
use super::{API, link, page as framed, plain};
use crate::pages::samples::Lang;
use crate::pages::{Answer, ScreenResult, Visit};
use crate::portal::PortalError;
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

/// Every operation.
pub(crate) fn index(visit: Visit) -> Answer {
    let lang = Lang::of(visit.query.get("lang"));
    let operations = listed(&visit.site.openapi);
    if visit.markdown {
        return Answer::markdown(plain::operations(&operations));
    }
    let site = visit.site.clone();
    framed(
        &visit,
        "API reference",
        "Every operation with its fields, responses and samples.",
        lang,
        move || {
            let groups = groups(&operations)
                .into_iter()
                .map(|(tag, members)| {
                    let rows = members
                        .into_iter()
                        .map(|member| row(member, lang))
                        .collect_view();
                    view! { <h2>{tag}</h2> <ul class="operations">{rows}</ul> }
                })
                .collect_view();
            view! {
                <h1>"API reference"</h1>
                <p class="lead">"Base address " <code>{site.public_url.clone()}</code> ". Made from the OpenAPI document that the server itself serves."</p>
                <p><a href="/v1/openapi.json">"openapi.json"</a> ", for generators and tools, and the same as a " <a href="/v1/postman.json">"Postman collection"</a> "."</p>
                {groups}
            }
        },
    )
}

fn row(operation: &Listed, lang: Lang) -> impl IntoView + use<> {
    view! {
        <li>
            <a href=link(&operation.href(), lang)>
                {method_chip(&operation.method)}
                <code>{operation.path.clone()}</code>
                <span>{operation.title.clone()}</span>
            </a>
        </li>
    }
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

/// One operation.
pub(crate) fn page(visit: Visit) -> ScreenResult {
    let here = format!("{API}/{}", visit.params.get("operation"));
    let lang = Lang::of(visit.query.get("lang"));
    let found = listed(&visit.site.openapi)
        .into_iter()
        .find(|operation| operation.href() == here)
        .ok_or(PortalError::NotFound)?;
    if visit.markdown {
        let page = plain::operation(&found, &visit.site);
        return page.map(Answer::markdown).ok_or(PortalError::NotFound);
    }
    let site = visit.site.clone();
    let title = format!("{} {}", found.method.to_uppercase(), found.path);
    let about = format!("{}.", found.title);
    Ok(framed(&visit, &title, &about, lang, move || {
        article(&found, &site, lang)
    }))
}
