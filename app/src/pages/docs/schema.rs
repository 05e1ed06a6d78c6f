//! JSON Schemas as people read them: a line for each field, a type in words, an example.

use serde_json::{Map, Value};

use crate::domain::schema::referenced;

/// Deepest nesting of schemas that is unfolded: of deeper ones only the type is shown.
const DEEPEST: usize = 4;

/// One line of a table of fields.
pub(super) struct SchemaField {
    pub path: String,
    pub kind: String,
    pub required: bool,
    pub about: String,
}

/// Follows references to the schema itself.
pub(super) fn resolved<'a>(schema: &'a Value, openapi: &'a Value) -> &'a Value {
    referenced(schema, openapi).map_or_else(
        || one_of(schema, openapi),
        |(_, found)| resolved(found, openapi),
    )
}

/// `oneOf` with null is an optional value of the other kind; `allOf` of one is that one.
fn one_of<'a>(schema: &'a Value, openapi: &'a Value) -> &'a Value {
    // Beside fields they only say which of those go together.
    if schema.get("properties").is_some() {
        return schema;
    }
    let choices = ["oneOf", "anyOf", "allOf"]
        .iter()
        .find_map(|word| schema.get(word)?.as_array());
    let real = choices
        .into_iter()
        .flatten()
        .find(|choice| choice.get("type").and_then(Value::as_str) != Some("null"));
    real.map_or(schema, |real| resolved(real, openapi))
}

/// The names of the fields that have to be there.
pub(super) fn required(schema: &Value) -> Vec<&str> {
    let names = schema.get("required").and_then(Value::as_array);
    let names = names.into_iter().flatten();
    names.filter_map(Value::as_str).collect()
}

/// Every field of a schema, nested ones by their path.
pub(super) fn unfold(schema: &Value, openapi: &Value) -> Vec<SchemaField> {
    let mut fields = Vec::new();
    add_fields(schema, openapi, "", 0, &mut fields);
    fields
}

fn add_fields(
    schema: &Value,
    openapi: &Value,
    prefix: &str,
    depth: usize,
    fields: &mut Vec<SchemaField>,
) {
    let schema = resolved(schema, openapi);
    if let Some(items) = schema.get("items") {
        return add_fields(items, openapi, &format!("{prefix}[]"), depth, fields);
    }
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    let required = required(schema);
    for (name, property) in properties {
        let path = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        let about = [property, resolved(property, openapi)]
            .iter()
            .find_map(|part| part.get("description")?.as_str());
        fields.push(SchemaField {
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
pub(super) fn kind(schema: &Value, openapi: &Value) -> String {
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

/// A value of a schema: its own example, or one made of its type.
pub(super) fn example(schema: &Value, openapi: &Value, depth: usize) -> Value {
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

/// A member that is a text; empty where there is none.
pub(super) fn text(value: &Value, name: &str) -> String {
    value
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
