//! One operation: what it takes, what it answers, and the same as code.

use leptos::prelude::*;
use serde_json::{Map, Value};

use super::reference::{Listed, method_chip};
use super::{ERRORS, block, language_tabs};
use crate::pages::Site;
use crate::pages::samples::{Lang, Sample};
use crate::ui::{Chip, Column, Table, Tone};

/// How deep schemas are unfolded: deeper ones are told by their type.
const DEEPEST: usize = 4;

/// One line of a table of fields.
struct Field {
    path: String,
    kind: String,
    required: bool,
    about: String,
}

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
    let about = about.map(|text| view! { <p>{text}</p> }).collect_view();
    let safety = if listed.browser_safe() {
        view! { <Chip tone=Tone::Accent plain=true text="Browser-safe" /> }
    } else {
        view! { <Chip tone=Tone::Err plain=true text="Server only" /> }
    };
    let body = operation.pointer("/requestBody/content/application~1json/schema");
    let tabs = language_tabs(&listed.href(), "sample-1", lang);
    let language = if lang == Lang::Shell {
        "sh"
    } else {
        "javascript"
    };
    let sample = sample(listed, operation, body, openapi, site).write(lang);
    view! {
        <p class="operation">{method_chip(&listed.method)} <code>{listed.path.clone()}</code></p>
        <h1>{listed.title.clone()}</h1>
        <p>{(!listed.path.ends_with("ez") ).then_some(safety)}</p>
        {about}
        {parameters(operation, openapi)}
        {body.map(|schema| view! { <h2>"Request body"</h2> {fields_table("Fields of the body", unfold(schema, openapi))} })}
        <h2>"Sample"</h2>
        {block("sample-1", language, &sample, Some(tabs))}
        {answers(operation, openapi)}
    }
    .into_any()
}

fn parameters(operation: &Value, openapi: &Value) -> Option<AnyView> {
    let all = operation.get("parameters")?.as_array()?;
    let fields: Vec<Field> = all
        .iter()
        .map(|parameter| Field {
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
    let parts = responses.iter().filter(|(status, _)| *status != "default").map(|(status, response)| {
        let schema = response.pointer("/content/application~1json/schema");
        let example = schema.map(|schema| serde_json::to_string_pretty(&example(schema, openapi, 0)).unwrap_or_default());
        let id = format!("answer-{status}");
        view! {
            <h3>{status.clone()} " " <span class="muted">{text(response, "description")}</span></h3>
            {schema.map(|schema| fields_table("Fields of the answer", unfold(schema, openapi)))}
            {example.map(|example| block(&id, "json", &example, None))}
        }
    });
    let parts = parts.collect_view();
    Some(
        view! {
            <h2>"Answers"</h2>
            {parts}
            <h3>"Errors"</h3>
            <p>"Every error is one object with a " <code>"code"</code> " of " <a href=ERRORS>"the catalogue"</a> "."</p>
        }
        .into_any(),
    )
}

fn fields_table(caption: &'static str, fields: Vec<Field>) -> impl IntoView {
    let rows = fields
        .into_iter()
        .map(|field| {
            view! {
                <tr>
                    <th scope="row"><code>{field.path}</code></th>
                    <td>{field.kind} {field.required.then(|| view! { " " <span class="required">"required"</span> })}</td>
                    <td>{field.about}</td>
                </tr>
            }
        })
        .collect_view();
    let columns = vec![
        Column::text("Name"),
        Column::text("Type"),
        Column::text("Meaning"),
    ];
    view! { <Table caption=caption columns=columns>{rows}</Table> }
}

/// Follows references to the schema itself.
fn resolved<'a>(schema: &'a Value, openapi: &'a Value) -> &'a Value {
    let target = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|path| path.strip_prefix('#'));
    let found = target.and_then(|path| openapi.pointer(path));
    found.map_or_else(|| one_of(schema, openapi), |found| resolved(found, openapi))
}

/// `oneOf` with null is an optional value of the other kind; `allOf` of one is that one.
fn one_of<'a>(schema: &'a Value, openapi: &'a Value) -> &'a Value {
    let choices = ["oneOf", "anyOf", "allOf"]
        .iter()
        .find_map(|word| schema.get(word)?.as_array());
    let real = choices
        .into_iter()
        .flatten()
        .find(|choice| choice.get("type").and_then(Value::as_str) != Some("null"));
    real.map_or(schema, |real| resolved(real, openapi))
}

fn unfold(schema: &Value, openapi: &Value) -> Vec<Field> {
    let mut fields = Vec::new();
    add_fields(schema, openapi, "", 0, &mut fields);
    fields
}

fn add_fields(
    schema: &Value,
    openapi: &Value,
    prefix: &str,
    depth: usize,
    fields: &mut Vec<Field>,
) {
    let schema = resolved(schema, openapi);
    if let Some(items) = schema.get("items") {
        return add_fields(items, openapi, &format!("{prefix}[]"), depth, fields);
    }
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, property) in properties {
        let path = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        let about = [property, resolved(property, openapi)]
            .iter()
            .find_map(|part| part.get("description")?.as_str());
        fields.push(Field {
            kind: kind(property, openapi),
            required: required.contains(&name.as_str()),
            about: about.unwrap_or_default().to_owned(),
            path: path.clone(),
        });
        if depth < DEEPEST {
            add_fields(property, openapi, &path, depth + 1, fields);
        }
    }
}

/// A type in words: `string (uuid)`, `array of object`, `"debit" or "credit"`.
fn kind(schema: &Value, openapi: &Value) -> String {
    let schema = resolved(schema, openapi);
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" or ");
    }
    if let Some(items) = schema.get("items") {
        return format!("array of {}", kind(items, openapi));
    }
    let word = match schema.get("type") {
        Some(Value::String(word)) => word.clone(),
        Some(Value::Array(words)) => words
            .iter()
            .filter_map(Value::as_str)
            .filter(|word| *word != "null")
            .collect::<Vec<_>>()
            .join(" or "),
        _ if schema.get("properties").is_some() => "object".to_owned(),
        _ => "any".to_owned(),
    };
    match schema.get("format").and_then(Value::as_str) {
        Some(format) => format!("{word} ({format})"),
        None => word,
    }
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
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
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

/// What samples say for fields that occur everywhere.
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
        "data" => return Some(serde_json::json!({"psu_redirect_link": "myapp://return"})),
        _ => return None,
    };
    Some(text.into())
}

/// A value of a schema: its own example, or one made of its type.
fn example(schema: &Value, openapi: &Value, depth: usize) -> Value {
    let given = [schema, resolved(schema, openapi)]
        .into_iter()
        .find_map(|part| part.get("example").or_else(|| part.pointer("/examples/0")));
    if let Some(given) = given {
        return given.clone();
    }
    let schema = resolved(schema, openapi);
    if let Some(first) = schema.pointer("/enum/0") {
        return first.clone();
    }
    if let Some(items) = schema.get("items") {
        return Value::Array(if depth < DEEPEST {
            vec![example(items, openapi, depth + 1)]
        } else {
            Vec::new()
        });
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let fields = properties
            .iter()
            .map(|(name, property)| (name.clone(), example(property, openapi, depth + 1)));
        return Value::Object(fields.collect());
    }
    let word = match schema.get("type") {
        Some(Value::Array(words)) => words.first().and_then(Value::as_str),
        other => other.and_then(Value::as_str),
    };
    match (word, schema.get("format").and_then(Value::as_str)) {
        (Some("integer" | "number"), _) => 1.into(),
        (Some("boolean"), _) => true.into(),
        (Some("string"), Some("uuid")) => "7489fe74-a91d-4897-8895-cd5e05c0fc4b".into(),
        (Some("string"), Some("date-time")) => "2026-03-01T10:00:00Z".into(),
        (Some("string"), Some("date")) => "2026-03-01".into(),
        (Some("string"), _) => "…".into(),
        (Some("object"), _) => Value::Object(Map::new()),
        _ => Value::Null,
    }
}

fn text(value: &Value, name: &str) -> String {
    value
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
