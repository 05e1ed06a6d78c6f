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

/// Calls `see` with every schema of a document: with those inside of it, too.
fn each_schema(value: &Value, see: &mut impl FnMut(&Value)) {
    match value {
        Value::Object(members) => {
            see(value);
            members.values().for_each(|member| each_schema(member, see));
        }
        Value::Array(items) => items.iter().for_each(|item| each_schema(item, see)),
        _ => {}
    }
}

#[test]
fn every_response_is_described() {
    let document = crate::api::openapi("http://127.0.0.1:3000");
    for (operation, described) in operations(&document) {
        for (status, response) in described["responses"].as_object().unwrap() {
            let words = response["description"].as_str().unwrap_or_default();
            assert!(!words.is_empty(), "{operation} {status}");
        }
    }
}

#[test]
fn nothing_is_left_out_that_linters_ask_for() {
    let document = crate::api::openapi("https://api.example.com");
    assert_eq!(
        document["info"]["contact"]["url"],
        "https://api.example.com"
    );
    let tags: BTreeSet<_> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| &tag["name"])
        .map(Value::to_string)
        .collect();
    let text = document.to_string();
    for (operation, described) in operations(&document) {
        assert!(described["security"].is_array(), "{operation}");
        for tag in described["tags"].as_array().unwrap() {
            assert!(tags.contains(&tag.to_string()), "{operation}: {tag}");
        }
    }
    for name in document["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys()
    {
        let reference = format!("\"#/components/schemas/{name}\"");
        assert!(text.contains(&reference), "{name} is used nowhere");
    }
}

#[test]
fn schemas_are_of_a_kind_that_generators_make_types_of() {
    let document = crate::api::openapi("http://127.0.0.1:3000");
    each_schema(&document["components"]["schemas"], &mut |schema| {
        if let Some(properties) = schema["properties"].as_object() {
            assert!(properties.values().all(Value::is_object), "{schema}");
            assert!(schema.get("oneOf").is_none(), "{schema}");
        }
    });
    let schemas = &document["components"]["schemas"];
    let words = |name: &str, field: &str| schemas[name]["properties"][field]["enum"].clone();
    for name in [
        "SessionOpened",
        "SessionStanding",
        "SessionCancelled",
        "StepTaken",
        "Uploaded",
    ] {
        assert_eq!(words(name, "status").as_array().unwrap().len(), 7, "{name}");
    }
    assert_eq!(
        words("Consent", "status"),
        json!(["ACTIVE", "DELETED", "EXPIRED"])
    );
    for (name, field) in [
        ("Payment", "status"),
        ("Payment", "kind"),
        ("TransactionData", "status"),
        ("BalanceData", "credit_debit_indicator"),
        ("Error", "type"),
        ("SkillSummary", "flavour"),
    ] {
        assert!(words(name, field).is_array(), "{name}.{field}");
    }
    assert_eq!(
        schemas["List_Account"]["properties"]["items"]["items"],
        json!({ "$ref": "#/components/schemas/Account" })
    );
}

#[test]
fn a_request_shows_one_key_and_not_two() {
    let document = crate::api::openapi("http://127.0.0.1:3000");
    let fits = |name: &str, keys: &[&str]| {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$ref": format!("#/components/schemas/{name}"),
            "components": document["components"],
        });
        let mut request = json!({ "skill": "xyz_ro_aisp_sbx_#1.0" });
        if name == "CatalogQuery" {
            request = json!({});
        }
        for key in keys {
            request[*key] = match *key {
                "client_id" => json!("7489fe74-a91d-4897-8895-cd5e05c0fc4b"),
                _ => json!("tsr_sbx_x"),
            };
        }
        jsonschema::is_valid(&schema, &request)
    };
    let (id, app, secret) = ("client_id", "client_app_key", "client_secret");
    for name in ["CreateSession", "CatalogQuery"] {
        assert!(
            fits(name, &[id, app]) && fits(name, &[id, secret]),
            "{name}"
        );
        for keys in [
            &[id][..],
            &[app],
            &[secret],
            &[app, secret],
            &[id, app, secret],
        ] {
            assert!(!fits(name, keys), "{name} {keys:?}");
        }
    }
    assert!(fits("CatalogQuery", &[]) && !fits("CreateSession", &[]));
}

#[test]
fn half_a_pair_is_no_valid_request() {
    let document = crate::api::openapi("http://127.0.0.1:3000");
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut ruled = Vec::new();
    for (name, schema) in schemas {
        let Some(rule) = schema.get("dependentRequired") else {
            continue;
        };
        let both = json!({"credentials_id": ["access_token"], "access_token": ["credentials_id"]});
        assert_eq!(rule, &both, "{name}");
        ruled.push(name.as_str());
    }
    assert_eq!(ruled, ["ExchangeToken", "ListConsents"]);
}
