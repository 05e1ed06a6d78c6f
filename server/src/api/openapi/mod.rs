//! What the OpenAPI says beyond what handlers declare: names of operations, the errors each can answer, examples, and
//! the keys that open what is called without a body.

mod descriptions;
pub mod errors;
mod examples;
mod words;

use serde_json::{Map, Value, json};
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
        (name = "catalog", description = "The skills there are, and what their steps take"),
        (name = "Sessions", description = "From opening a session to its last step"),
        (name = "Tokens", description = "Exchanging a `temp_token`"),
        (name = "Consents", description = "Reading, listing, renewing and ending consents"),
        (name = "Accounts", description = "Accounts of a consent"),
        (name = "Balances", description = "Balances of a consent's accounts"),
        (name = "Transactions", description = "Transactions of a consent's accounts, and their changes"),
        (name = "Payments", description = "Payments that the end-user authorised"),
        (name = "Products", description = "Products of a marketplace that the end-user took out"),
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
    if let Some(info) = document.get_mut("info").and_then(Value::as_object_mut) {
        let contact = json!({ "name": "Developer portal", "url": public_url });
        info.insert("contact".to_owned(), contact);
    }
    if let Some(components) = document
        .get_mut("components")
        .and_then(Value::as_object_mut)
    {
        components.insert("securitySchemes".to_owned(), schemes());
        if let Some(schemas) = components.get_mut("schemas").and_then(Value::as_object_mut) {
            refer(schemas);
            words::complete(schemas);
            schemas.values_mut().for_each(one_key);
            schemas.values_mut().for_each(whole_pair);
        }
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
            // Said, where it is none: else tools take it for forgotten.
            if let Some(operation) = operation.as_object_mut() {
                operation.entry("security").or_insert_with(|| json!([]));
            }
        }
    }
    document
}

/// Replaces copies of named schemas in others by references, so that generated clients know one type and not two.
fn refer(schemas: &mut Map<String, Value>) {
    let named = schemas.clone();
    let point = |schema: &mut Value| {
        let is_object = schema.get("properties").is_some();
        let found = named
            .iter()
            .find(|(_, known)| is_object && *known == schema);
        if let Some((name, _)) = found {
            *schema = json!({ "$ref": format!("#/components/schemas/{name}") });
        }
    };
    for schema in schemas.values_mut() {
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for property in properties.into_iter().flat_map(Map::values_mut) {
            point(property);
            if let Some(items) = property.get_mut("items") {
                point(items);
            }
        }
    }
}

/// Says of a schema that takes `client_app_key` or `client_secret` that a request sends one of them and not both. Where
/// keys are optional, either key needs `client_id` beside it. Said by `if`, which changes no type: of a `oneOf`, generators
/// make a union without fields.
fn one_key(schema: &mut Value) {
    let property = |name: &str| schema.pointer(&format!("/properties/{name}")).is_some();
    if !(property("client_app_key") && property("client_secret")) {
        return;
    }
    let required = schema.get("required").and_then(Value::as_array);
    let needs = required.is_some_and(|names| names.iter().any(|name| name == "client_id"));
    // Linters want a name declared where it is required.
    let has = |name: &str| json!({ "properties": { name: {} }, "required": [name] });
    let one = json!({
        "if": has("client_secret"),
        "then": { "not": has("client_app_key") },
        "else": has("client_app_key"),
    });
    let rule = if needs {
        one
    } else {
        json!({
            "if": has("client_id"),
            "then": one,
            "else": { "not": { "anyOf": [has("client_app_key"), has("client_secret")] } },
        })
    };
    if let (Some(schema), Value::Object(rule)) = (schema.as_object_mut(), rule) {
        schema.extend(rule);
    }
}

/// Says of a schema whose `credentials_id` and `access_token` may both be left out that neither comes alone.
fn whole_pair(schema: &mut Value) {
    const PAIR: [&str; 2] = ["credentials_id", "access_token"];
    let required = schema.get("required").and_then(Value::as_array);
    let is_required =
        |name: &str| required.is_some_and(|names| names.iter().any(|known| known == name));
    let is_optional = |name: &&str| {
        schema.pointer(&format!("/properties/{name}")).is_some() && !is_required(name)
    };
    if !PAIR.iter().all(is_optional) {
        return;
    }
    let [id, token] = PAIR;
    if let Some(schema) = schema.as_object_mut() {
        let rule = json!({ id: [token], token: [id] });
        schema.insert("dependentRequired".to_owned(), rule);
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

/// Declares the security of an operation whose keys travel in headers: `client_id` and `client_secret`, or both as HTTP
/// Basic.
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
