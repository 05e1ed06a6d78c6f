//! Pages of the documentation as Markdown, for readers that ask for it with `Accept: text/markdown`.

use serde_json::Value;

use super::operations::Listed;
use super::schema::{SchemaField, kind, text, unfold};
use crate::domain::problem::{Code, Fault};
use crate::links;
use crate::pages::Site;
use crate::text;

/// The first page: every guide, and the way to the reference.
pub(super) fn index(site: &Site) -> String {
    let mut page = format!("# {} documentation\n\n## Guides\n\n", site.brand);
    for guide in text::guides() {
        let url = format!("{}{}", site.public_url, links::docs(guide.slug));
        page.push_str(&format!("- [{}]({url}): {}\n", guide.title, guide.summary));
    }
    page + &format!(
        "\n## Reference\n\n- [Operations]({url}{api})\n- [Errors]({url}{errors})\n- [OpenAPI]({url}{openapi})\n",
        url = site.public_url,
        api = links::DOCS_API,
        errors = links::DOCS_ERRORS,
        openapi = links::OPENAPI,
    )
}

/// The catalogue of errors as a table.
pub(super) fn errors() -> String {
    let mut page =
        "# Errors\n\n| Code | Status | Meaning | Retry |\n|---|---|---|---|\n".to_owned();
    for code in Code::ALL {
        let entry = code.entry();
        let retry = if entry.retryable { "yes" } else { "no" };
        page.push_str(&format!(
            "| [`{code}`]({link}) | {http} | {title} | {retry} |\n",
            code = entry.code,
            link = links::docs_error(entry.code),
            http = entry.http,
            title = entry.title,
        ));
    }
    page
}

/// One code of the catalogue.
pub(super) fn error(code: Code) -> String {
    let entry = code.entry();
    let caused_by = match entry.fault {
        Fault::Caller => "your request",
        Fault::Bank => "the bank or provider",
        Fault::Us => "us",
        Fault::EndUser => "the end-user",
    };
    let retry = if entry.retryable { "yes" } else { "no" };
    format!(
        "# `{code}`\n\n{title}\n\n- Status: {http}\n- Type: `{kind}`\n- Caused by: {caused_by}\n- Retry: {retry}\n\n## Cause\n\n{cause}\n\n## Fix\n\n{fix}\n",
        code = entry.code,
        title = entry.title,
        http = entry.http,
        kind = entry.kind.as_str(),
        cause = entry.cause,
        fix = entry.fix,
    )
}

/// Every operation of the reference.
pub(super) fn operations(operations: &[Listed]) -> String {
    let mut page =
        "# API reference\n\n| Operation | Title | Where it may be called |\n|---|---|---|\n"
            .to_owned();
    for listed in operations {
        page.push_str(&format!(
            "| [{}]({}) | {} | {} |\n",
            call(listed),
            listed.href(),
            listed.title,
            place(listed)
        ));
    }
    page
}

/// One operation: parameters, body and responses, each as a table.
pub(super) fn operation(listed: &Listed, site: &Site) -> Option<String> {
    let openapi = &*site.openapi;
    let operation = openapi
        .get("paths")?
        .get(&listed.path)?
        .get(&listed.method)?;
    let mut page = format!(
        "# {}\n\n{} · {}\n\n",
        listed.title,
        call(listed),
        place(listed)
    );
    for about in ["summary", "description"] {
        let words = text(operation, about);
        if !words.is_empty() {
            page.push_str(&format!("{words}\n\n"));
        }
    }
    let parameters = operation.get("parameters").and_then(Value::as_array);
    let parameters: Vec<SchemaField> = parameters
        .into_iter()
        .flatten()
        .map(|parameter| SchemaField {
            path: text(parameter, "name"),
            kind: format!(
                "{}, in {}",
                kind(parameter.get("schema").unwrap_or(&Value::Null), openapi),
                text(parameter, "in")
            ),
            required: parameter.get("required") == Some(&Value::Bool(true)),
            about: text(parameter, "description"),
        })
        .collect();
    table(&mut page, "## Parameters", &parameters);
    for media in ["application~1json", "multipart~1form-data"] {
        let schema = operation.pointer(&format!("/requestBody/content/{media}/schema"));
        if let Some(schema) = schema {
            table(&mut page, "## Request body", &unfold(schema, openapi));
        }
    }
    for (status, response) in operation.get("responses")?.as_object()? {
        let codes = response
            .pointer("/content/application~1json/examples")
            .and_then(Value::as_object);
        let title = format!("## Response {status}");
        if let Some(codes) = codes.filter(|_| status.as_str() >= "400") {
            page.push_str(&format!("{title}\n\n"));
            for code in codes.keys() {
                page.push_str(&format!("- [`{code}`]({})\n", links::docs_error(code)));
            }
            page.push('\n');
            continue;
        }
        page.push_str(&format!("{title}\n\n{}\n\n", text(response, "description")));
        if let Some(schema) = response.pointer("/content/application~1json/schema") {
            table(&mut page, "", &unfold(schema, openapi));
        }
    }
    Some(page)
}

fn call(listed: &Listed) -> String {
    format!("`{} {}`", listed.method.to_uppercase(), listed.path)
}

fn place(listed: &Listed) -> &'static str {
    if listed.browser_safe() {
        "browser-safe"
    } else {
        "server only"
    }
}

fn table(page: &mut String, title: &str, fields: &[SchemaField]) {
    if fields.is_empty() {
        return;
    }
    if !title.is_empty() {
        page.push_str(&format!("{title}\n\n"));
    }
    page.push_str("| Field | Type | Required | About |\n|---|---|---|---|\n");
    for field in fields {
        let required = if field.required { "yes" } else { "" };
        let about = field.about.replace('\n', " ").replace('|', "\\|");
        page.push_str(&format!(
            "| `{}` | {} | {required} | {about} |\n",
            field.path,
            field.kind.replace('|', "\\|"),
        ));
    }
    page.push('\n');
}
