//! Guides, error pages and the API reference: one frame, with the way to every page at its left.

mod errors;
mod operation;
mod operations;
mod plain;
mod reference;
mod schema;

use leptos::prelude::*;

pub(super) use errors::{index as errors, page as error};
pub(super) use reference::{index as reference, page as operation};

use super::samples::Lang;
use super::{Answer, Frame, Page, ScreenResult, Site, Visit};
use crate::domain::key::KeyKind;
use crate::domain::person::Permission;
use crate::islands::CopyButton;
use crate::links;
use crate::pages::console::flow;
use crate::portal::PortalError;
use crate::text::{self, Guide, Piece, highlight};
use crate::ui::sequence::Sequence;
use crate::ui::{Tab, Tabs};

const ABOUT: &str = "Guides and reference, tested against the live API.";

/// The first page: every guide, and what the reference holds.
pub(super) fn index(visit: Visit) -> Answer {
    if visit.markdown {
        return Answer::markdown(plain::index(&visit.site));
    }
    let lang = Lang::of(visit.query.get("lang"));
    let cards = text::guides().iter().map(move |guide| {
        view! {
            <li class="card">
                <h2><a href=link(&links::docs(guide.slug), lang)>{guide.title}</a></h2>
                <p>{guide.summary}</p>
                <p class="faint">{format!("{} min", guide.minutes)}</p>
            </li>
        }
    });
    let cards = cards.collect_view();
    page(&visit, "Documentation", ABOUT, lang, move || {
        view! {
            <h1>"Documentation"</h1>
            <p class="lead">{ABOUT}</p>
            <ul class="guides">{cards}</ul>
            <h2>"Reference"</h2>
            <p><a href=link(API, lang)>"API reference"</a> ": every operation with its fields, responses and samples. "
            <a href=ERRORS>"Errors"</a> ": every code with its cause and fix."</p>
        }
    })
}

/// One guide, its Markdown, or its shell samples as a script.
pub(super) async fn guide(visit: Visit) -> ScreenResult {
    let slug = visit.params.get("page").to_owned();
    if let Some(slug) = slug.strip_suffix(".md") {
        let guide = text::guide(slug).ok_or(PortalError::NotFound)?;
        return Ok(Answer::markdown(filled(guide.source, &visit.site)));
    }
    if let Some(slug) = slug.strip_suffix(".sh") {
        let guide = text::guide(slug).ok_or(PortalError::NotFound)?;
        let script = script(guide).ok_or(PortalError::NotFound)?;
        return Ok(Answer::Text {
            content_type: "text/plain; charset=utf-8",
            body: filled(&script, &visit.site),
        });
    }
    let guide = text::guide(&slug).ok_or(PortalError::NotFound)?;
    if visit.markdown {
        return Ok(Answer::markdown(filled(guide.source, &visit.site)));
    }
    let lang = Lang::of(visit.query.get("lang"));
    let words = own_words(&visit).await?;
    Ok(page(&visit, guide.title, guide.summary, lang, move || {
        article(guide, &words, lang)
    }))
}

/// The shell samples of a guide, one after the other; none where it is no walk from beginning to end.
fn script(guide: &Guide) -> Option<String> {
    if guide.slug != "quick-start" {
        return None;
    }
    let pieces = guide.body.pieces.iter();
    let blocks = pieces.filter_map(|piece| match piece {
        Piece::Code(samples) => samples.iter().find(|(language, _)| language == "sh"),
        Piece::Html(_) | Piece::Sequence => None,
    });
    let mut script = String::from("set -eu\n");
    for (_, block) in blocks {
        script.push_str(block);
        if !block.ends_with('\n') {
            script.push('\n');
        }
    }
    Some(script)
}

/// Values that fill in a guide: the site's own and, for a person who is signed in, those of their first sandbox tenant
/// that browsers may know.
struct Words {
    site: std::sync::Arc<Site>,
    client_id: Option<String>,
    app_key: Option<String>,
}

impl Words {
    fn fill(&self, text: &str) -> String {
        filled_with(
            text,
            &self.site,
            self.client_id.as_deref(),
            self.app_key.as_deref(),
        )
    }
}

async fn own_words(visit: &Visit) -> Result<Words, PortalError> {
    let mut words = Words {
        site: visit.site.clone(),
        client_id: None,
        app_key: None,
    };
    let Some(actor) = &visit.actor else {
        return Ok(words);
    };
    if actor.may(Permission::ManageSandboxKeys).is_err() {
        return Ok(words);
    }
    let Some(tenant) = visit.portal.overview(actor).await?.first_tenant else {
        return Ok(words);
    };
    words.client_id = Some(tenant.to_string());
    let keys = visit.portal.keys(actor, tenant).await?;
    let app_key = keys.into_iter().find(|key| key.kind == KeyKind::AppKey);
    words.app_key = app_key.and_then(|key| key.value);
    Ok(words)
}

fn article(guide: &'static Guide, words: &Words, lang: Lang) -> impl IntoView + use<> {
    let address = links::docs(guide.slug);
    let twin = format!("{address}.md");
    let parts = guide
        .body
        .pieces
        .iter()
        .enumerate()
        .map(|(at, piece)| match piece {
            Piece::Html(html) => view! { <div class="prose" inner_html=words.fill(html)></div> }.into_any(),
            Piece::Sequence => view! {
                <div class="card"><Sequence label="Sequence of a whole session; the same as a list follows" lanes=flow::LANES zone=flow::ZONE messages=flow::guide() /></div>
            }
            .into_any(),
            Piece::Code(samples) => code(&address, at, samples, words, lang),
        })
        .collect_view();
    let contents = guide
        .body
        .headings
        .iter()
        .map(|(id, text)| view! { <li><a href=format!("#{id}")>{text.clone()}</a></li> })
        .collect_view();
    let next = text::guides()
        .iter()
        .skip_while(|other| other.slug != guide.slug)
        .nth(1);
    let next = next.map(|next| view! { <a class="btn" href=link(&links::docs(next.slug), lang)>"Next: " {next.title}</a> });
    view! {
        <h1>{guide.title}</h1>
        <p class="lead">{guide.summary}</p>
        <p class="faint">{format!("{} min · ", guide.minutes)} <a href=twin>"as Markdown"</a></p>
        <nav class="contents" aria-label="On this page"><ul>{contents}</ul></nav>
        {parts}
        <p class="actions">{next}</p>
    }
}

/// A sample in the reader's language, with the way to the others.
fn code(
    address: &str,
    at: usize,
    samples: &[(String, String)],
    words: &Words,
    lang: Lang,
) -> AnyView {
    let id = format!("sample-{at}");
    let wanted = match lang {
        Lang::Shell => "sh",
        Lang::JavaScript => "javascript",
    };
    let chosen = samples
        .iter()
        .find(|(language, _)| language == wanted)
        .or(samples.first());
    let Some((language, text)) = chosen else {
        return ().into_any();
    };
    let tabs = (samples.len() > 1).then(|| language_tabs(address, &id, lang));
    block(&id, language, &words.fill(text), tabs)
}

/// Code with its language, its copy button and, where there is a choice, its language tabs.
fn block(id: &str, language: &str, text: &str, tabs: Option<AnyView>) -> AnyView {
    let source = format!("{id}-text");
    let label = match language {
        "json" => "JSON",
        "javascript" => "JavaScript",
        "env" => "tessera.env",
        _ => "Shell",
    };
    let named = format!("{label} sample {}", id.trim_start_matches("sample-"));
    view! {
        <div class="sample" id=id.to_owned()>
            {tabs.unwrap_or_else(|| view! { <p class="faint">{label}</p> }.into_any())}
            <div class="code">
                <pre id=source.clone() tabindex="0" role="region" aria-label=named inner_html=highlight::html(text.trim_end(), language)></pre>
                <CopyButton from=source label=format!("Copy {label}") />
            </div>
        </div>
    }
    .into_any()
}

fn language_tabs(address: &str, id: &str, lang: Lang) -> AnyView {
    let tabs = Lang::ALL
        .iter()
        .map(|one| {
            Tab::new(
                one.name(),
                format!("{address}?lang={}#{id}", one.word()),
                *one == lang,
            )
        })
        .collect();
    view! { <Tabs label=format!("Language of {id}") tabs=tabs /> }.into_any()
}

/// The reader's language goes along from page to page.
fn link(path: &str, lang: Lang) -> String {
    if lang == Lang::default() {
        path.to_owned()
    } else {
        format!("{path}?lang={}", lang.word())
    }
}

/// Fills in a text without the values of any tenant.
fn filled(text: &str, site: &Site) -> String {
    filled_with(text, site, None, None)
}

fn filled_with(text: &str, site: &Site, client_id: Option<&str>, app_key: Option<&str>) -> String {
    let host = site
        .public_url
        .split_once("://")
        .map_or("", |(_, host)| host);
    text.replace("%API%", &site.public_url)
        .replace("%HOST%", host)
        .replace("%BRAND%", &site.brand)
        .replace("%CLIENT_ID%", client_id.unwrap_or("…"))
        .replace("%CLIENT_APP_KEY%", app_key.unwrap_or("…"))
}

const ERRORS: &str = links::DOCS_ERRORS;
const API: &str = links::DOCS_API;

/// The address of every operation's page.
pub(super) fn operations(openapi: &serde_json::Value) -> Vec<String> {
    let listed = operations::listed(openapi);
    listed.iter().map(operations::Listed::href).collect()
}

/// The frame of every page of the documentation.
fn page<V: IntoView + 'static>(
    visit: &Visit,
    title: &str,
    about: &str,
    lang: Lang,
    body: impl FnOnce() -> V + Send + 'static,
) -> Answer {
    let here = visit.path.clone();
    let described = format!(
        "{about} {title}, in the documentation of {}.",
        visit.site.brand
    );
    let operations = operations::listed(&visit.site.openapi);
    Page::new(Frame::Public, format!("{title} · Docs"), move || {
        view! {
            <div class="docs">
                <details class="docs-menu">
                    <summary>"All pages"</summary>
                    {menu(&here, lang, &operations)}
                </details>
                <nav class="docs-side" aria-label="Documentation">{menu(&here, lang, &operations)}</nav>
                <article>{body()}</article>
            </div>
        }
    })
    .described(described)
    .into()
}

fn menu(here: &str, lang: Lang, operations: &[operations::Listed]) -> impl IntoView + use<> {
    let entry = |name: String, path: String| {
        let current = (path == here).then_some("page");
        view! { <li><a href=link(&path, lang) aria-current=current>{name}</a></li> }
    };
    let guides = text::guides()
        .iter()
        .map(|guide| entry(guide.title.to_owned(), links::docs(guide.slug)))
        .collect_view();
    let first = entry("Overview".to_owned(), links::DOCS.to_owned());
    let groups = operations::groups(operations)
        .into_iter()
        .map(|(tag, members)| {
            let named = |member: &operations::Listed| {
                let namesakes = members.iter().filter(|it| it.title == member.title);
                if namesakes.count() > 1 {
                    format!("{} · {}", member.title, member.method.to_uppercase())
                } else {
                    member.title.clone()
                }
            };
            let members = members
                .iter()
                .map(|member| entry(named(member), member.href()))
                .collect_view();
            view! { <h2>{tag}</h2> <ul>{members}</ul> }
        })
        .collect_view();
    view! {
        <h2>"Guides"</h2>
        <ul>{first} {guides}</ul>
        <h2>"Reference"</h2>
        <ul>
            {entry("All operations".to_owned(), API.to_owned())}
            {entry("Errors".to_owned(), ERRORS.to_owned())}
        </ul>
        {groups}
    }
}
