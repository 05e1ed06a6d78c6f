//! Examples of requests and answers, made from the schemas: a value by a field's name where names say what they hold,
//! else one by its type. Every request and every success gets one; a test validates them all.

use app::domain::schema::referenced;
use serde_json::{Map, Value, json};

/// Deeper schemas are left empty.
const DEEPEST: usize = 6;

/// Puts an example beside every schema of requests and successes.
pub fn complete(operation: &mut Value, document: &Value) {
    let body = operation.pointer_mut("/requestBody/content/application~1json");
    if let Some(content) = body {
        add(content, |schema| request(schema, document));
    }
    let responses = operation
        .get_mut("responses")
        .and_then(Value::as_object_mut);
    for (status, response) in responses.into_iter().flatten() {
        if !status.starts_with('2') {
            continue;
        }
        if let Some(content) = response.pointer_mut("/content/application~1json") {
            add(content, |schema| value(schema, document, 0));
        }
        if let Some(response) = response.as_object_mut()
            && response
                .get("description")
                .and_then(Value::as_str)
                .is_none_or(str::is_empty)
        {
            response.insert("description".to_owned(), "It is done.".into());
        }
    }
}

fn add(content: &mut Value, example: impl Fn(&Value) -> Value) {
    let Some(schema) = content.get("schema").cloned() else {
        return;
    };
    if let Some(content) = content.as_object_mut()
        && !content.contains_key("example")
    {
        content.insert("example".to_owned(), example(&schema));
    }
}

/// Returns an example of a request: its required fields, and `client_app_key` where the operation takes one.
fn request(schema: &Value, document: &Value) -> Value {
    let (name, schema) = resolved(schema, document);
    let needed = required(schema);
    let mut body = Map::new();
    for (field, property) in properties(schema) {
        let opens = field == "client_app_key" && needed.contains(&"client_id");
        // An app calls off with its nonce; only a server may leave it out.
        let proves = name == "CancelSession" && field == "nonce";
        if needed.contains(&field.as_str()) || opens || proves {
            let value = known(name, field).unwrap_or_else(|| value(property, document, 0));
            body.insert(field.clone(), value);
        }
    }
    Value::Object(body)
}

fn value(schema: &Value, document: &Value, depth: usize) -> Value {
    let given = schema
        .get("example")
        .or_else(|| schema.pointer("/examples/0"));
    if let Some(given) = given {
        return given.clone();
    }
    let (name, schema) = resolved(schema, document);
    if let Some(first) = schema.get("example").or_else(|| schema.pointer("/enum/0")) {
        return first.clone();
    }
    if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
        let parts = parts.iter().map(|part| value(part, document, depth));
        let fields = parts.filter_map(|part| part.as_object().cloned()).flatten();
        return Value::Object(fields.collect());
    }
    if let Some(items) = schema.get("items") {
        let item = (depth < DEEPEST).then(|| value(items, document, depth + 1));
        return Value::Array(item.into_iter().collect());
    }
    let mut fields = properties(schema).peekable();
    if fields.peek().is_some() {
        let fields = fields.map(|(field, property)| {
            let value = known(name, field).unwrap_or_else(|| value(property, document, depth + 1));
            (field.clone(), value)
        });
        return Value::Object(fields.collect());
    }
    by_type(schema)
}

/// A value of a type that says no more.
fn by_type(schema: &Value) -> Value {
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
        other => other.and_then(Value::as_str),
    };
    let least = schema.get("minimum").cloned();
    match (kind, schema.get("format").and_then(Value::as_str)) {
        (Some("integer" | "number"), _) => least.unwrap_or_else(|| 1.into()),
        (Some("boolean"), _) => true.into(),
        (Some("string"), Some("uuid")) => "7489fe74-a91d-4897-8895-cd5e05c0fc4b".into(),
        (Some("string"), Some("date-time")) => "2026-03-01T10:00:00Z".into(),
        (Some("string"), Some("date")) => "2026-03-01".into(),
        (Some("string"), _) => "text".into(),
        (Some("array"), _) => json!([]),
        (Some("null"), _) => Value::Null,
        _ => json!({}),
    }
}

/// Returns the example of a field by its name, or by schema and name where the name alone is ambiguous; `None` if the
/// name is not known.
fn known(schema: &str, field: &str) -> Option<Value> {
    Some(match (schema, field) {
        ("SessionOpened", "status") => json!("SESSION_CREATED"),
        ("SessionCancelled", "status") => json!("SESSION_CANCELLED"),
        ("SessionStanding" | "StepTaken" | "Uploaded", "status") => json!("SESSION_IN_PROGRESS"),
        ("Payment" | "PaymentItem", "status") => json!("ACSC"),
        ("Payment" | "PaymentItem", "status_text") => json!("executed"),
        ("Payment", "kind") => json!("single"),
        ("Health", "status") => json!("ok"),
        ("SubmitStep", "data") => json!({"psu_redirect_link": "myapp://return"}),
        ("StepTaken", "data") => {
            json!({"method": "GET", "url": "https://bank.example.com/sca?state=Hq3c", "headers": []})
        }
        ("Uploaded", "kind") => json!("id_document"),
        ("Uploaded", "size") => json!(48_213),
        ("Uploaded", "sha256") => {
            json!("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
        }
        (_, "client_id") => json!("7489fe74-a91d-4897-8895-cd5e05c0fc4b"),
        (_, "client_secret") => json!("tsr_sbx_cs_EXAMPLE"),
        (_, "client_app_key") => json!("tsr_sbx_ak_EXAMPLE"),
        (_, "session_id") => json!("018f3c1e-8a44-7d2b-9d59-2b7a3f1c0a11"),
        (_, "step_id") => json!("018f3c1e-9b02-7f10-a5c4-6f0d9e8b7a22"),
        (_, "credentials_id") => json!("018f3c1f-0c77-7a3e-8f21-5d4c3b2a1f33"),
        (_, "nonce") => json!("fA9vQ2mX7rT1kLs8ZbYc3dHw0eUjP4gNqRi6oVxB5tM"),
        (_, "temp_token") => json!("Yt7KpW3nE9uHs2QxLb5vRj8dGm1zAc4fTi6oNk0eUwX"),
        (_, "access_token") => json!("Lm4RtX8wB2qZ6vJs9yCk1nFp3dHg7uEa5oTi0xWbYcQ"),
        (_, "tenant_user_id") => json!("user-0001"),
        // RFC 7636, appendix B.
        (_, "code_challenge") => json!("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        (_, "code_verifier") => json!("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        (_, "skill") => json!("xyz_ro_aisp_sbx_#1.0"),
        (_, "step" | "next_step") => json!("sca"),
        (_, "steps") => json!(["sca"]),
        (_, "iban") => json!("RO49AAAA1B31007593840000"),
        (_, "bic") => json!("TESTROBU"),
        (_, "currency") => json!("RON"),
        (_, "country") => json!("ro"),
        (_, "amount") => json!("25.40"),
        (_, "credit_debit_indicator") => json!("debit"),
        (_, "merchant") => json!("Corner Shop"),
        _ => return None,
    })
}

/// The schema a reference names, with its name; an optional one is the one it may be.
fn resolved<'a>(schema: &'a Value, document: &'a Value) -> (&'a str, &'a Value) {
    if let Some((name, found)) = referenced(schema, document) {
        return (name, resolved(found, document).1);
    }
    if schema.get("properties").is_some() {
        return ("", schema);
    }
    let choices = ["oneOf", "anyOf"]
        .iter()
        .find_map(|word| schema.get(word)?.as_array());
    let real = choices
        .into_iter()
        .flatten()
        .find(|choice| choice.get("type").and_then(Value::as_str) != Some("null"));
    real.map_or(("", schema), |real| resolved(real, document))
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten()
}

fn required(schema: &Value) -> Vec<&str> {
    let required = schema.get("required").and_then(Value::as_array);
    required
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}
