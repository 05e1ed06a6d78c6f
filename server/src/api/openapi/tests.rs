use std::collections::BTreeSet;

use app::domain::problem::Code;
use serde_json::{Value, json};

fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, item)| {
        let item = item.as_object().unwrap().iter();
        item.map(move |(method, operation)| (format!("{method} {path}"), operation))
    })
}

#[test]
fn every_operation_says_which_errors_it_can_answer() {
    let document = crate::api::openapi("http://127.0.0.1:3000");
    let mut ids = BTreeSet::new();
    for (operation, described) in operations(&document) {
        assert!(
            ids.insert(described["operationId"].as_str().unwrap()),
            "{operation}: its id is another's too"
        );
        let responses = described["responses"].as_object().unwrap();
        assert!(!responses.contains_key("default"), "{operation}");
        let errors = responses
            .iter()
            .filter(|(status, _)| status.as_str() >= "400");
        for (status, response) in errors {
            let content = &response["content"]["application/json"];
            let Some(examples) = content["examples"].as_object() else {
                // Said to a browser, in HTML.
                assert!(operation.contains("/redirects/"), "{operation} {status}");
                continue;
            };
            assert_eq!(content["schema"]["$ref"], "#/components/schemas/Error");
            for (code, example) in examples {
                let code = Code::parse(code).unwrap_or_else(|| panic!("{operation}: {code}"));
                assert_eq!(status, &code.entry().http.to_string());
                assert_eq!(example["value"]["code"], code.as_str());
            }
        }
        assert!(
            responses.contains_key("406") && responses.contains_key("500"),
            "{operation}"
        );
    }
}

#[test]
fn every_request_and_success_has_an_example_that_fits_its_schema() {
    let document = crate::api::openapi("http://127.0.0.1:3000");
    let mut checked = 0;
    for (operation, described) in operations(&document) {
        let request = &described["requestBody"]["content"]["application/json"];
        let answer = described["responses"].get("200");
        let answer = answer.map_or(
            &Value::Null,
            |answer| &answer["content"]["application/json"],
        );
        for (what, content) in [("request", request), ("answer", answer)] {
            if content.is_null() {
                continue;
            }
            let schema = json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "allOf": [content["schema"]],
                "components": document["components"],
            });
            let validator = jsonschema::validator_for(&schema).unwrap();
            let wrong: Vec<_> = validator
                .iter_errors(&content["example"])
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(
                wrong.is_empty(),
                "{operation}, {what}: {wrong:?} in {}",
                content["example"]
            );
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked}");
}

#[test]
fn keys_in_headers_are_security_schemes() {
    let document = crate::api::openapi("http://127.0.0.1:3000");
    let schemes = document["components"]["securitySchemes"]
        .as_object()
        .unwrap();
    assert_eq!(schemes["tenant"]["scheme"], "basic");
    let accounts = &document["paths"]["/v1/accounts"]["get"]["security"];
    assert_eq!(
        accounts,
        &json!([
            { "credentials_id": [], "access_token": [], "tenant": [] },
            { "credentials_id": [], "access_token": [], "client_id": [], "client_secret": [] },
        ])
    );
    let catalog = &document["paths"]["/v1/catalog/skills"]["get"]["security"];
    assert_eq!(catalog[0], json!({}), "the catalog is public");
    for (operation, described) in operations(&document) {
        for way in described["security"].as_array().into_iter().flatten() {
            for scheme in way.as_object().unwrap().keys() {
                assert!(schemes.contains_key(scheme), "{operation}: {scheme}");
            }
        }
    }
}
