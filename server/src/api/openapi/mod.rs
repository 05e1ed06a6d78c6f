//! What the OpenAPI says beyond what handlers declare: names of operations, the errors each can answer, examples, and
//! the keys that open what is called without a body.

mod descriptions;
pub mod errors;
mod examples;

use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::problem::Body;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tessera API",
        description = "One API over many banks, insurers and marketplaces. Requests are strict: unknown fields are refused. Answers are open: expect new fields. A `POST` carries keys and fields in its JSON body; a `GET` or `DELETE` carries keys in headers and fields in its query. The same operations are at `/v1s`, where each request is signed: `Authorization: Bearer` holds a JWS over claims about it, and keys that would be there go into `X-Client-Id` and `X-Client-Secret`.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT")
    ),
    components(schemas(Body<'static>)),
    tags(
        (name = "catalog", description = "Which skills there are and what their steps take"),
        (name = "health", description = "For load balancers"),
    )
)]
struct Head;

/// Headers that are keys, with the name of their security scheme and what they are.
const KEYS: [(&str, &str, &str); 4] = [
    ("X-Client-Id", "client_id", "The tenant."),
    (
        "X-Client-Secret",
        "client_secret",
        "The tenant's secret: for servers only.",
    ),
    ("X-Credentials-Id", "credentials_id", "The consent."),
    ("X-Access-Token", "access_token", "The consent's token."),
];

/// The document without its operations.
pub fn head() -> utoipa::openapi::OpenApi {
    Head::openapi()
}

/// The whole document, as served at `public_url`.
pub fn finished(document: &utoipa::openapi::OpenApi, public_url: &str) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    if let Some(document) = document.as_object_mut() {
        document.insert("servers".to_owned(), json!([{ "url": public_url }]));
    }
    let schemas = document.clone();
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for (path, item) in paths.into_iter().flatten() {
        for (_, operation) in item.as_object_mut().into_iter().flatten() {
            name(operation);
            descriptions::complete(operation);
            errors::complete(path, operation);
            examples::complete(operation, &schemas);
            idempotency(operation);
            security(operation);
            keys_in_body(operation);
        }
    }
    if let Some(components) = document
        .get_mut("components")
        .and_then(Value::as_object_mut)
    {
        components.insert("securitySchemes".to_owned(), schemes());
        let schemas = components.get_mut("schemas").and_then(Value::as_object_mut);
        for (_, schema) in schemas.into_iter().flatten() {
            one_key(schema);
        }
    }
    document
}

/// Where either key will do, one of them is sent and not both; where none is needed, a key comes with its tenant.
fn one_key(schema: &mut Value) {
    let property = |name: &str| schema.pointer(&format!("/properties/{name}")).is_some();
    if !(property("client_app_key") && property("client_secret")) {
        return;
    }
    let required = schema.get("required").and_then(Value::as_array);
    let needs = required.is_some_and(|names| names.iter().any(|name| name == "client_id"));
    let choices = if needs {
        json!([{ "required": ["client_app_key"] }, { "required": ["client_secret"] }])
    } else {
        json!([
            { "required": ["client_id", "client_app_key"], "properties": { "client_secret": false } },
            { "required": ["client_id", "client_secret"], "properties": { "client_app_key": false } },
            { "properties": { "client_id": false, "client_app_key": false, "client_secret": false } },
        ])
    };
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("oneOf".to_owned(), choices);
    }
}

/// `sessions_create`: the noun and the handler's verb, unique in the document.
fn name(operation: &mut Value) {
    let tag = operation.pointer("/tags/0").and_then(Value::as_str);
    let verb = operation.get("operationId").and_then(Value::as_str);
    let id = format!(
        "{}_{}",
        tag.unwrap_or_default().to_lowercase(),
        verb.unwrap_or_default()
    );
    if let Some(operation) = operation.as_object_mut() {
        operation.insert("operationId".to_owned(), id.into());
    }
}

/// The header that makes a call happen once, where the operation knows it.
fn idempotency(operation: &mut Value) {
    let knows = "/responses/409/content/application~1json/examples/idempotency_in_flight";
    if operation.pointer(knows).is_none() {
        return;
    }
    let header = json!({
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Makes the call happen once, however often it is sent: the same key and body get the first answer again.",
        "required": false,
        "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" },
    });
    if let Some(operation) = operation.as_object_mut() {
        let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
        if let Some(parameters) = parameters.as_array_mut() {
            parameters.push(header);
        }
    }
}

/// Adds to the description where the keys of an operation are, if they are fields of its body: security schemes of OpenAPI
/// know headers, queries and cookies alone.
fn keys_in_body(operation: &mut Value) {
    const WORDS: &str =
        "The keys are fields of the body, which OpenAPI's security schemes cannot express.";
    let method_takes_body = operation.get("requestBody").is_some();
    if !method_takes_body || operation.get("security").is_some() {
        return;
    }
    let described = operation.get("description").and_then(Value::as_str);
    let whole = [described.unwrap_or_default(), WORDS].join("\n\n");
    if let Some(operation) = operation.as_object_mut() {
        operation.insert("description".to_owned(), whole.trim().into());
    }
}

/// What opens an operation whose keys travel in headers: `client_id` and `client_secret` there, or as HTTP Basic.
fn security(operation: &mut Value) {
    let parameters = operation
        .get_mut("parameters")
        .and_then(Value::as_array_mut);
    let (mut tenant, mut others, mut needed) = (false, json!({}), false);
    for parameter in parameters.into_iter().flatten() {
        let header = parameter
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let Some((_, scheme, _)) = KEYS.iter().find(|(name, ..)| *name == header) else {
            continue;
        };
        let required = parameter.get("required") == Some(&Value::Bool(true));
        if scheme.starts_with("client") {
            (tenant, needed) = (true, needed || required);
            // HTTP Basic does as well.
            if let Some(parameter) = parameter.as_object_mut() {
                parameter.insert("required".to_owned(), false.into());
            }
        } else if required && let Some(others) = others.as_object_mut() {
            others.insert((*scheme).to_owned(), json!([]));
        }
    }
    if !tenant {
        return;
    }
    let with = |schemes: &[&str]| {
        let mut all = others.clone();
        for scheme in schemes {
            if let Some(all) = all.as_object_mut() {
                all.insert((*scheme).to_owned(), json!([]));
            }
        }
        all
    };
    let mut ways = vec![with(&["tenant"]), with(&["client_id", "client_secret"])];
    if !needed {
        ways.insert(0, json!({}));
    }
    if let Some(operation) = operation.as_object_mut() {
        operation.insert("security".to_owned(), ways.into());
    }
}

fn schemes() -> Value {
    let mut schemes = json!({
        "tenant": {
            "type": "http",
            "scheme": "basic",
            "description": "`client_id` as user, `client_secret` as password.",
        },
    });
    if let Some(schemes) = schemes.as_object_mut() {
        for (header, scheme, about) in KEYS {
            let key =
                json!({ "type": "apiKey", "in": "header", "name": header, "description": about });
            schemes.insert(scheme.to_owned(), key);
        }
    }
    schemes
}

#[cfg(test)]
mod tests;
