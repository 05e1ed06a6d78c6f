//! Which errors an operation can answer: what its handler declares, and what every call of its kind may meet. From the
//! catalogue, one example a code.

use std::collections::BTreeMap;

use app::domain::problem::Code;
use app::links;
use serde_json::{Map, Value, json};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::{ContentBuilder, RefOr, Response, ResponseBuilder};

use crate::http::cors;

const JSON: &str = "application/json";

/// Declares lists of codes that stand in `responses(...)` of `utoipa::path`, beside the answer of a success.
macro_rules! refusals {
    ($($(#[doc = $about:literal])+ $name:ident = [$($code:ident),+ $(,)?];)+) => {$(
        $(#[doc = $about])+
        pub struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<
                String,
                utoipa::openapi::RefOr<utoipa::openapi::Response>,
            > {
                $crate::api::openapi::errors::declared(&[
                    $(app::domain::problem::Code::$code),+
                ])
            }
        }
    )+};
}
pub(crate) use refusals;

/// Codes as responses, for a handler's declaration; [`complete`] makes them whole.
pub fn declared(codes: &[Code]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.entry().http).or_default().push(*code);
    }
    let response = |codes: Vec<Code>| {
        let examples = codes
            .into_iter()
            .map(|code| (code.as_str(), ExampleBuilder::new().build()));
        let content = ContentBuilder::new().examples_from_iter(examples).build();
        ResponseBuilder::new().content(JSON, content).build()
    };
    by_status
        .into_iter()
        .map(|(status, codes)| (status.to_string(), response(codes).into()))
        .collect()
}

/// Gives an operation every error it can answer.
pub fn complete(path: &str, operation: &mut Value) {
    let mut codes = take_declared(operation);
    codes.extend(general(path, operation));
    let Some(responses) = operation
        .get_mut("responses")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    // In the order of the catalogue, each once.
    for code in Code::ALL.iter().filter(|code| codes.contains(code)) {
        let entry = code.entry();
        let response = responses
            .entry(entry.http.to_string())
            .or_insert_with(empty);
        let examples = response.pointer_mut("/content/application~1json/examples");
        if let Some(examples) = examples.and_then(Value::as_object_mut) {
            examples.insert(entry.code.to_owned(), example(*code));
        }
        describe(response);
    }
}

/// The codes a handler declared; their bare responses are taken away.
fn take_declared(operation: &mut Value) -> Vec<Code> {
    let mut codes = Vec::new();
    if let Some(responses) = operation
        .get_mut("responses")
        .and_then(Value::as_object_mut)
    {
        responses.retain(|_, response| {
            let examples = response.pointer("/content/application~1json/examples");
            let Some(examples) = examples.and_then(Value::as_object) else {
                return true;
            };
            codes.extend(examples.keys().filter_map(|code| Code::parse(code)));
            false
        });
    }
    codes
}

/// Returns the codes that every call of this kind may be answered with, by its path, body and headers.
fn general(path: &str, operation: &Value) -> Vec<Code> {
    let mut codes = vec![
        Code::NotAcceptable,
        Code::HeadersTooLarge,
        Code::InternalServerError,
    ];
    if !path.starts_with("/v1") {
        return codes;
    }
    codes.extend([Code::TooManyRequests, Code::ServiceUnavailable]);
    let body = operation.get("requestBody").is_some();
    let header = |name: &str| {
        let parameters = operation.get("parameters").and_then(Value::as_array);
        parameters
            .into_iter()
            .flatten()
            .any(|parameter| parameter.get("name").and_then(Value::as_str) == Some(name))
    };
    if body {
        codes.extend([
            Code::InvalidBody,
            Code::RequestTimeout,
            Code::InvalidHeaders,
        ]);
    }
    if body || header("X-Client-Id") {
        codes.extend([
            Code::MissingFields,
            Code::UnknownFields,
            Code::InvalidField,
            Code::BodyTooLarge,
            Code::InvalidApiKeys,
            Code::InvalidSignature,
            Code::TenantPaused,
            Code::ServicerSuspended,
        ]);
        // What a nonce authorises takes no secret.
        if !path.ends_with("/steps") && !path.ends_with("/upload") {
            codes.extend([Code::IpNotAllowed, Code::SignatureRequired]);
        }
        if cors::is_open(path) {
            codes.push(Code::OriginNotAllowed);
        }
    }
    codes
}

fn empty() -> Value {
    json!({
        "description": "",
        "content": { JSON: {
            "schema": { "$ref": "#/components/schemas/Error" },
            "examples": {},
        }},
    })
}

/// Lists the codes of a status in words, too.
fn describe(response: &mut Value) {
    let examples = response
        .pointer("/content/application~1json/examples")
        .and_then(Value::as_object);
    let codes: Vec<String> = examples
        .into_iter()
        .flat_map(Map::keys)
        .map(|code| format!("`{code}`"))
        .collect();
    if let Some(response) = response.as_object_mut() {
        response.insert("description".to_owned(), codes.join(", ").into());
    }
}

fn example(code: Code) -> Value {
    let entry = code.entry();
    json!({
        "summary": entry.title,
        "value": {
            "id": "0d9c5a1e-57a4-4a2c-9f0e-8c31b7c02f61",
            "type": entry.kind.as_str(),
            "http": entry.http,
            "code": entry.code,
            "message": entry.cause,
            "hint": entry.fix,
            "docs": format!("https://tessera.example.com{}", links::docs_error(entry.code)),
            "fields": [],
        },
    })
}
