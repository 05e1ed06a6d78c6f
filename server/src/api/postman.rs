//! The API as a Postman collection (format v2.1): every operation of the OpenAPI document with its example, keys as
//! variables, and a script that keeps what an answer hands out for the calls after it.

use app::domain::schema::referenced;
use serde_json::{Map, Value, json};

/// Variables of the collection, kept from one call to the next. Those that a person fills in begin empty.
const VARIABLES: [&str; 10] = [
    "client_id",
    "client_secret",
    "client_app_key",
    "session_id",
    "nonce",
    "temp_token",
    "credentials_id",
    "access_token",
    "step_id",
    "payment_id",
];
/// Folders in the order of a first integration; others follow.
const ORDER: [&str; 4] = ["catalog", "sessions", "tokens", "accounts"];

/// Keeps every variable that an answer holds, and fails on an error.
const SCRIPT: &str = "pm.test('succeeds', () => pm.expect(pm.response.code).to.be.below(400));
let answer = {};
try { answer = pm.response.json(); } catch { /* not JSON: nothing to keep */ }
for (const name of ['session_id', 'nonce', 'temp_token', 'credentials_id', 'access_token', 'step_id']) {
  if (answer && typeof answer[name] === 'string') pm.collectionVariables.set(name, answer[name]);
}";

/// The collection of a document, served at a URL.
pub fn collection(document: &Value, public_url: &str) -> Value {
    let mut folders: Vec<(String, Vec<Value>)> = Vec::new();
    let paths = document.get("paths").and_then(Value::as_object);
    for (path, item) in paths.into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let tag = operation.pointer("/tags/0").and_then(Value::as_str);
            let tag = tag.unwrap_or("other").to_lowercase();
            let request = request(path, method, operation, document);
            match folders.iter_mut().find(|(known, _)| *known == tag) {
                Some((_, requests)) => requests.push(request),
                None => folders.push((tag, vec![request])),
            }
        }
    }
    folders.sort_by_key(|(tag, _)| {
        ORDER
            .iter()
            .position(|known| known == tag)
            .unwrap_or(ORDER.len())
    });
    let folders: Vec<Value> = folders
        .into_iter()
        .map(|(name, item)| json!({ "name": name, "item": item }))
        .collect();
    let mut variables = vec![json!({ "key": "base_url", "value": public_url })];
    variables.extend(VARIABLES.map(|name| json!({ "key": name, "value": "" })));
    json!({
        "info": {
            "name": document.pointer("/info/title"),
            "description": "Fill in client_id, client_secret and client_app_key; the other variables are kept from answers. After the step `sca` open `data.url` in a browser, and copy temp_token from the link it ends at.",
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "item": folders,
        "variable": variables,
        "event": [{ "listen": "test", "script": { "type": "text/javascript", "exec": SCRIPT.lines().collect::<Vec<_>>() } }],
    })
}

fn request(path: &str, method: &str, operation: &Value, document: &Value) -> Value {
    let word = |name| {
        operation
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let mut headers = vec![json!({ "key": "Accept", "value": "application/json" })];
    let mut query = Vec::new();
    let parameters = operation.get("parameters").and_then(Value::as_array);
    for parameter in parameters.into_iter().flatten() {
        let text = |name| {
            parameter
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let needed = parameter.get("required") == Some(&Value::Bool(true));
        match (text("in"), variable(text("name"))) {
            ("header", Some(variable)) => headers.push(json!({
                "key": text("name"),
                "value": format!("{{{{{variable}}}}}"),
                // What is public works without keys.
                "disabled": is_public(operation),
            })),
            ("query", _) => query.push(json!({
                "key": text("name"),
                "value": "",
                "description": text("description"),
                "disabled": !needed,
            })),
            _ => {}
        }
    }
    let about = format!("{}\n\n{}", word("summary"), word("description"));
    let mut request = json!({
        "method": method.to_uppercase(),
        "url": url(path, query),
        "description": about.trim(),
    });
    let example = operation.pointer("/requestBody/content/application~1json/example");
    if let (Some(example), Some(request)) = (example, request.as_object_mut()) {
        headers.push(json!({ "key": "Content-Type", "value": "application/json" }));
        let raw = serde_json::to_string_pretty(&with_variables(example)).unwrap_or_default();
        let body =
            json!({ "mode": "raw", "raw": raw, "options": { "raw": { "language": "json" } } });
        request.insert("body".to_owned(), body);
    }
    let form = operation.pointer("/requestBody/content/multipart~1form-data/schema");
    if let (Some(schema), Some(request)) = (form, request.as_object_mut()) {
        let body = json!({ "mode": "formdata", "formdata": parts(resolved(schema, document)) });
        request.insert("body".to_owned(), body);
    }
    if let Some(request) = request.as_object_mut() {
        request.insert("header".to_owned(), headers.into());
    }
    json!({ "name": format!("{} {path}", method.to_uppercase()), "request": request })
}

fn resolved<'a>(schema: &'a Value, document: &'a Value) -> &'a Value {
    referenced(schema, document).map_or(schema, |(_, found)| found)
}

/// The parts of a form: texts in front, the file as one that a person chooses.
fn parts(schema: &Value) -> Vec<Value> {
    let required = schema.get("required").and_then(Value::as_array);
    let required: Vec<&str> = required
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let fields = schema.get("properties").and_then(Value::as_object);
    let fields = fields.into_iter().flatten();
    let is_file = |field: &Value| field.get("format").and_then(Value::as_str) == Some("binary");
    let mut fields: Vec<_> = fields
        .filter(|(name, _)| required.contains(&name.as_str()))
        .collect();
    fields.sort_by_key(|(_, field)| is_file(field));
    fields
        .into_iter()
        .map(|(name, field)| {
            if is_file(field) {
                return json!({ "key": name, "type": "file", "src": "" });
            }
            let known = VARIABLES.contains(&name.as_str());
            let value = if known {
                format!("{{{{{name}}}}}")
            } else {
                String::new()
            };
            json!({ "key": name, "type": "text", "value": value })
        })
        .collect()
}

/// The variable a header stands for.
fn variable(header: &str) -> Option<&'static str> {
    let name = header.strip_prefix("X-")?.to_lowercase().replace('-', "_");
    VARIABLES.into_iter().find(|variable| *variable == name)
}

fn is_public(operation: &Value) -> bool {
    operation.pointer("/security/0") == Some(&json!({}))
}

fn url(path: &str, query: Vec<Value>) -> Value {
    let parts: Vec<String> = path
        .split('/')
        .filter(|part| !part.is_empty())
        .map(|part| {
            match part
                .strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'))
            {
                // What the path's noun says already.
                Some("id") => "{{payment_id}}".to_owned(),
                Some("kind") => "aisp".to_owned(),
                Some("skill") => "xyz_ro_aisp_sbx_%231.0".to_owned(),
                Some(name) => format!("{{{{{name}}}}}"),
                None => part.to_owned(),
            }
        })
        .collect();
    json!({
        "raw": format!("{{{{base_url}}}}/{}", parts.join("/")),
        "host": ["{{base_url}}"],
        "path": parts,
        "query": query,
    })
}

/// An example with variables in the place of keys and ids.
fn with_variables(example: &Value) -> Value {
    let fields = example
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let known = VARIABLES.contains(&name.as_str());
            let value = if known {
                json!(format!("{{{{{name}}}}}"))
            } else {
                value.clone()
            };
            (name.clone(), value)
        });
    Value::Object(fields.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_in_the_collection_with_its_keys() {
        let document = crate::api::openapi("http://127.0.0.1:3000");
        let collection = collection(&document, "https://api.example.com");
        let operations: usize = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .map(|item| item.as_object().unwrap().len())
            .sum();
        let folders = collection["item"].as_array().unwrap();
        let requests: Vec<&Value> = folders
            .iter()
            .flat_map(|folder| folder["item"].as_array().unwrap())
            .collect();
        assert_eq!(requests.len(), operations);
        assert_eq!(
            collection["variable"][0]["value"],
            "https://api.example.com"
        );
        let step = requests
            .iter()
            .find(|request| request["name"] == "POST /v1/sessions/{session_id}/steps")
            .unwrap();
        let url = step["request"]["url"]["raw"].as_str().unwrap();
        assert_eq!(url, "{{base_url}}/v1/sessions/{{session_id}}/steps");
        let body = step["request"]["body"]["raw"].as_str().unwrap();
        assert!(
            body.contains("\"nonce\": \"{{nonce}}\"") && body.contains("\"sca\""),
            "{body}"
        );
        let upload = requests
            .iter()
            .find(|request| request["name"] == "POST /v1/steps/{step_id}/upload")
            .unwrap();
        let parts = upload["request"]["body"]["formdata"].as_array().unwrap();
        let keys: Vec<&Value> = parts.iter().map(|part| &part["key"]).collect();
        assert_eq!(keys, ["client_id", "kind", "nonce", "file"]);
        assert_eq!(parts[0]["value"], "{{client_id}}");
    }
}
