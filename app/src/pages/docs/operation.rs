//! One operation: what it takes, what it answers, and the same as code.

use leptos::prelude::*;
use serde_json::{Map, Value};

use super::operations::{Listed, method_chip};
use super::schema::{SchemaField, example, kind, required, resolved, text, unfold};
use super::{ERRORS, block, language_tabs};
use crate::links;
use crate::pages::Site;
use crate::pages::samples::{self, Lang, Sample};
use crate::ui::{Chip, HttpStatus, Table, TableColumn, Tone, prose};

/// The article of an operation.
pub(super) fn article(listed: &Listed, site: &Site, lang: Lang) -> AnyView {
    let openapi = &*site.openapi;
    let place = format!(
        "/paths/{}/{}",
        listed.path.replace('~', "~0").replace('/', "~1"),
        listed.method
    );
    let Some(operation) = openapi.pointer(&place) else {
        return ().into_any();
    };
    let about = [operation.get("summary"), operation.get("description")]
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|text| text.trim_end_matches('.') != listed.title)
        .map(str::to_owned);
    let about = about
        .map(|text| view! { <p>{prose(&text)}</p> })
        .collect_view();
    let safety = if listed.browser_safe() {
        view! { <Chip tone=Tone::Accent plain=true text="Browser-safe" /> }
    } else {
        view! { <Chip tone=Tone::Err plain=true text="Server only" /> }
    };
    let body = operation.pointer("/requestBody/content/application~1json/schema");
    let form = operation.pointer("/requestBody/content/multipart~1form-data/schema");
    let tabs = language_tabs(&listed.href(), "sample-1", lang);
    let language = if lang == Lang::Shell {
        "sh"
    } else {
        "javascript"
    };
    let sample = sample(listed, operation, body, openapi, site);
    let sample = match form {
        Some(schema) => samples::form(&sample.url, &form_fields(schema, openapi), lang),
        None => sample.write(lang),
    };
    view! {
        <p class="operation">{method_chip(&listed.method)} <code>{listed.path.clone()}</code></p>
        <h1>{listed.title.clone()}</h1>
        <p>{(!listed.path.ends_with("ez") ).then_some(safety)}</p>
        {about}
        {parameters(operation, openapi)}
        {body.map(|schema| view! { <h2>"Request body"</h2> {fields_table("Fields of the body", unfold(schema, openapi))} })}
        {form.map(|schema| view! { <h2>"Request form"</h2> {fields_table("Parts of the form", unfold(schema, openapi))} })}
        <h2>"Sample"</h2>
        {block("sample-1", language, &sample, Some(tabs))}
        {answers(operation, openapi)}
    }
    .into_any()
}

fn parameters(operation: &Value, openapi: &Value) -> Option<AnyView> {
    let all = operation.get("parameters")?.as_array()?;
    let fields: Vec<SchemaField> = all
        .iter()
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
    (!fields.is_empty())
        .then(|| view! { <h2>"Parameters"</h2> {fields_table("Parameters", fields)} }.into_any())
}

fn answers(operation: &Value, openapi: &Value) -> Option<AnyView> {
    let responses = operation.get("responses")?.as_object()?.clone();
    let is_error = |status: &str, response: &Value| {
        status >= "400"
            && response
                .pointer("/content/application~1json/examples")
                .is_some()
    };
    let parts = responses.iter().filter(|(status, response)| !is_error(status, response)).map(|(status, response)| {
        let content = response.pointer("/content/application~1json");
        let schema = content.and_then(|content| content.get("schema"));
        let example = content.and_then(|content| content.get("example"));
        let example = example.map(|example| serde_json::to_string_pretty(example).unwrap_or_default());
        let id = format!("answer-{status}");
        view! {
            <h3>{status.clone()} " " <span class="muted">{prose(&text(response, "description"))}</span></h3>
            {schema.map(|schema| fields_table("Fields of the response", unfold(schema, openapi)))}
            {example.map(|example| block(&id, "json", &example, None))}
        }
    });
    let parts = parts.collect_view();
    let errors = responses
        .iter()
        .filter(|(status, response)| is_error(status, response));
    let errors = errors.flat_map(|(status, response)| {
        let examples = response.pointer("/content/application~1json/examples");
        let codes = examples.and_then(Value::as_object).into_iter().flatten();
        codes.map(|(code, example)| error_row(status, code, text(example, "summary")))
    });
    let errors = errors.collect_view();
    let columns = vec![
        TableColumn::text("Code"),
        TableColumn::text("Status"),
        TableColumn::text("Meaning"),
    ];
    Some(
        view! {
            <h2>"Responses"</h2>
            {parts}
            <h3>"Errors"</h3>
            <p>"Every error is one object with a " <code>"code"</code> " of " <a href=ERRORS>"the catalogue"</a> ". This operation can return:"</p>
            <Table caption="Errors of this operation" columns=columns linked=true folds=true>{errors}</Table>
        }
        .into_any(),
    )
}

fn error_row(status: &str, code: &str, meaning: String) -> impl IntoView + use<> {
    let status: u16 = status.parse().unwrap_or_default();
    view! {
        <tr>
            <th scope="row"><a href=links::docs_error(code)><code>{code.to_owned()}</code></a></th>
            <td><HttpStatus code=status /></td>
            <td>{meaning}</td>
        </tr>
    }
}

fn fields_table(caption: &'static str, fields: Vec<SchemaField>) -> impl IntoView {
    let rows = fields
        .into_iter()
        .map(|field| {
            view! {
                <tr>
                    <th scope="row"><code>{field.path}</code></th>
                    <td>{field.kind} {field.required.then(|| view! { " " <span class="required">"required"</span> })}</td>
                    <td>{prose(&field.about)}</td>
                </tr>
            }
        })
        .collect_view();
    let columns = vec![
        TableColumn::text("Name"),
        TableColumn::text("Type"),
        TableColumn::text("Meaning"),
    ];
    view! { <Table caption=caption columns=columns folds=true>{rows}</Table> }
}

/// The call as code: required fields only, secrets as variables.
fn sample(
    listed: &Listed,
    operation: &Value,
    body: Option<&Value>,
    openapi: &Value,
    site: &Site,
) -> Sample {
    let url = format!(
        "{}{}",
        site.public_url,
        listed
            .path
            .replace("{session_id}", "$SESSION_ID")
            .replace("{step_id}", "$STEP_ID")
            .replace("{credentials_id}", "$CREDENTIALS_ID")
            .replace("{skill}", "xyz_ro_aisp_sbx_%231.0")
    );
    let headers = operation
        .get("parameters")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let named: Vec<String> = headers.map(|parameter| text(parameter, "name")).collect();
    let has = |name: &str| named.iter().any(|header| header.eq_ignore_ascii_case(name));
    let mut headers = Vec::new();
    if has("X-Credentials-Id") {
        headers.push(("X-Credentials-Id", "$CREDENTIALS_ID"));
    }
    if has("X-Access-Token") {
        headers.push(("X-Access-Token", "$ACCESS_TOKEN"));
    }
    let server = body.is_none()
        && !listed.browser_safe()
        && listed.path.starts_with("/v1/")
        && !listed.path.contains("redirects");
    Sample {
        method: listed.method.to_uppercase(),
        url,
        headers,
        basic: server.then_some("$TESSERA_CLIENT_ID:$TESSERA_CLIENT_SECRET"),
        body: body.map(|schema| request(schema, openapi)),
    }
}

/// A body of required fields, and of those that name a key or token.
fn request(schema: &Value, openapi: &Value) -> Value {
    let schema = resolved(schema, openapi);
    let required = required(schema);
    let properties = schema.get("properties").and_then(Value::as_object);
    let mut body = Map::new();
    for (name, property) in properties.into_iter().flatten() {
        let opens = name == "client_app_key";
        if required.contains(&name.as_str()) || opens {
            body.insert(
                name.clone(),
                known(name).unwrap_or_else(|| example(property, openapi, 0)),
            );
        }
    }
    Value::Object(body)
}

/// The parts of a form that stand before its file: names and texts.
fn form_fields(schema: &Value, openapi: &Value) -> Vec<(String, String)> {
    let Value::Object(mut fields) = request(schema, openapi) else {
        return Vec::new();
    };
    fields.shift_remove("file");
    // A nonce proves enough.
    fields.shift_remove("client_app_key");
    let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
    fields
        .into_iter()
        .map(|(name, value)| (name, text(value)))
        .collect()
}

/// Returns the value that samples use for a field that occurs everywhere; `None` for other fields.
fn known(name: &str) -> Option<Value> {
    let text = match name {
        "client_id" => "$TESSERA_CLIENT_ID",
        "client_secret" => "$TESSERA_CLIENT_SECRET",
        "client_app_key" => "$TESSERA_CLIENT_APP_KEY",
        "nonce" => "$NONCE",
        "temp_token" => "$TEMP_TOKEN",
        "credentials_id" => "$CREDENTIALS_ID",
        "access_token" => "$ACCESS_TOKEN",
        "skill" => "xyz_ro_aisp_sbx_#1.0",
        "step" => "sca",
        "kind" => "id_document",
        "data" => return Some(serde_json::json!({"psu_redirect_link": "myapp://return"})),
        _ => return None,
    };
    Some(text.into())
}
