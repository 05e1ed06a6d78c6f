//! What machines look for at well-known addresses: `llms.txt`, security contacts, the API's catalogue, the sitemap.
//!
//! All of it is made of the tables that make the pages, so that nothing is listed that is not there.

use chrono::{Days, NaiveTime};
use serde_json::json;

use super::docs;
use super::{Answer, ScreenResult, Site, Visit};
use crate::domain::problem::Code;
use crate::links;
use crate::portal::PortalError;
use crate::text;

/// Days for which a security.txt is valid. RFC 9116, section 2.5.5, recommends less than a year.
const SECURITY_TXT_DAYS: Days = Days::new(180);

/// `/llms.txt` (llmstxt.org): a title, a summary and lists of links, in Markdown.
pub(super) fn llms(visit: Visit) -> Answer {
    let site = &visit.site;
    let mut body = format!(
        "# {brand}\n\n> Open-banking middleware: one API over many banks, insurers and marketplaces, with a sandbox bank and a developer portal.\n\n\
         Every page of the documentation is also there as Markdown: ask for it with `Accept: text/markdown`.\n\n## Guides\n\n",
        brand = site.brand
    );
    for guide in text::guides() {
        let url = format!("{}{}.md", site.public_url, links::docs(guide.slug));
        body.push_str(&format!("- [{}]({url}): {}\n", guide.title, guide.summary));
    }
    body.push_str(&format!(
        "\n## Reference\n\n\
         - [OpenAPI 3.1]({url}{openapi}): every operation with its fields, answers and errors\n\
         - [Postman collection]({url}{postman}): the same operations, ready to be sent\n\
         - [Operations]({url}{api}): a page for each operation\n\
         - [Errors]({url}{errors}): every error code with its cause and fix\n\n\
         ## Optional\n\n\
         - [Changelog]({url}{changelog}): notable changes, newest first\n\
         - [Catalogue of skills]({url}/v1/catalog/skills): what can be connected, as JSON\n",
        url = site.public_url,
        openapi = links::OPENAPI,
        postman = links::POSTMAN,
        api = links::DOCS_API,
        errors = links::DOCS_ERRORS,
        changelog = links::CHANGELOG,
    ));
    Answer::Text {
        content_type: "text/markdown; charset=utf-8",
        body,
    }
}

/// `/.well-known/security.txt` (RFC 9116). Not there unless the settings name a contact.
pub(super) fn security(visit: Visit) -> ScreenResult {
    let site = &visit.site;
    if site.security_contact.is_empty() {
        return Err(PortalError::NotFound);
    }
    let day = visit.now.date_naive();
    let expires = day
        .checked_add_days(SECURITY_TXT_DAYS)
        .unwrap_or(day)
        .and_time(NaiveTime::MIN)
        .and_utc();
    let body = format!(
        "Contact: {contact}\nExpires: {expires}\nPreferred-Languages: en\nCanonical: {url}{here}\n",
        contact = site.security_contact,
        expires = expires.format("%Y-%m-%dT%H:%M:%SZ"),
        url = site.public_url,
        here = links::SECURITY_TXT,
    );
    Ok(Answer::Text {
        content_type: "text/plain; charset=utf-8",
        body,
    })
}

/// `/.well-known/api-catalog` (RFC 9727): a link set (RFC 9264) that leads to the API's description and documentation.
pub(super) fn api_catalog(visit: Visit) -> Answer {
    let at = |path: &str| format!("{}{path}", visit.site.public_url);
    let body = json!({
        "linkset": [{
            "anchor": at("/v1"),
            "service-desc": [{ "href": at(links::OPENAPI), "type": "application/json" }],
            "service-doc": [{ "href": at(links::DOCS), "type": "text/html" }],
            "service-meta": [{ "href": at(links::POSTMAN), "type": "application/json" }],
            "status": [{ "href": at("/readyz"), "type": "application/json" }],
        }]
    });
    Answer::Text {
        content_type: "application/linkset+json; profile=\"https://www.rfc-editor.org/info/rfc9727\"",
        body: body.to_string(),
    }
}

/// `/sitemap.xml` (sitemaps.org): every page that anybody may open.
pub(super) fn sitemap(visit: Visit) -> Answer {
    let site: &Site = &visit.site;
    let mut paths = vec![
        links::HOME.to_owned(),
        links::START.to_owned(),
        links::DOCS.to_owned(),
        links::DOCS_ERRORS.to_owned(),
        links::DOCS_API.to_owned(),
        links::CHANGELOG.to_owned(),
    ];
    paths.extend(text::guides().iter().map(|guide| links::docs(guide.slug)));
    paths.extend(docs::operations(&site.openapi));
    paths.extend(
        Code::ALL
            .iter()
            .map(|code| links::docs_error(code.as_str())),
    );
    let entries: String = paths
        .iter()
        .map(|path| format!("<url><loc>{}{}</loc></url>\n", site.public_url, xml(path)))
        .collect();
    Answer::Text {
        content_type: "application/xml; charset=utf-8",
        body: format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n{entries}</urlset>\n"
        ),
    }
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
