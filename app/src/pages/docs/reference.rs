//! The API reference: the served OpenAPI document, one page for each operation.

use leptos::prelude::*;

use super::operation::article;
use super::operations::{Listed, groups, listed, method_chip};
use super::{API, link, page as framed, plain};
use crate::pages::samples::Lang;
use crate::pages::{Answer, ScreenResult, Visit};
use crate::portal::PortalError;

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
