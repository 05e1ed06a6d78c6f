//! Manifests and step data, with connectors that reach nobody.

use std::sync::Arc;

use app::domain::skill::{SkillManifest, SkillName};
use serde_json::json;

use super::*;

fn connectors() -> Connectors {
    offline::connectors(&Registry::shipped().unwrap())
}

fn name(text: &str) -> SkillName {
    SkillName::parse(text).unwrap()
}

/// A two-step skill that no code of the server knows.
fn third() -> serde_json::Value {
    let object = |properties: serde_json::Value, required: serde_json::Value| json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    json!({
        "names": ["abc_sbx_#3.0"],
        "title": "Deposits of ABC",
        "provider": { "code": "abc", "name": "ABC" },
        "type": "marketplace",
        "connector": "sandbox",
        "session_minutes": 60,
        "data_contract": "A deposit.",
        "steps": [
            {
                "name": "product_form",
                "title": "The product",
                "schema": object(
                    json!({ "value": { "type": "string", "pattern": "^[0-9]+$" }, "currency": { "enum": ["EUR", "RON"] },
                            "holders": { "type": "array", "maxItems": 2, "items": object(json!({ "role": { "type": "string" } }), json!(["role"])) } }),
                    json!(["value", "currency"])),
                "example": { "value": "100000", "currency": "EUR" },
                "uploads": [{ "kind": "id_front", "title": "Front of the identity card", "required": true }]
            },
            { "name": "confirm", "title": "Confirmation", "last": true, "schema": object(json!({}), json!([])), "example": {} }
        ]
    })
}

fn manifest(value: serde_json::Value) -> SkillManifest {
    serde_json::from_value(value).unwrap()
}

#[test]
fn what_ships_is_published_under_both_names() {
    let registry = Registry::with(Registry::shipped().unwrap(), connectors()).unwrap();
    let names: Vec<_> = registry.all().map(|skill| skill.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "xyz_aisp_sbx_#1.0",
            "xyz_card_sbx_#1.0",
            "xyz_ro_aisp_sbx_#1.0",
            "xyz_ro_pisp_sbx_#1.0",
            "xyz_sbx_#3.0"
        ]
    );
    let one = registry.get(&name("xyz_aisp_sbx_#1.0")).unwrap();
    let two = registry.get(&name("xyz_ro_aisp_sbx_#1.0")).unwrap();
    assert!(Arc::ptr_eq(&one.manifest, &two.manifest));
    assert!(registry.connector(&one.manifest).is_some());
    assert!(registry.get(&name("xyz_aisp_#1.0")).is_none());
}

#[test]
fn a_third_skill_is_data_alone() {
    let mut manifests = Registry::shipped().unwrap();
    manifests.push(manifest(third()));
    let registry = Registry::with(manifests, connectors()).unwrap();
    let skill = registry.get(&name("abc_sbx_#3.0")).unwrap();
    assert_eq!(skill.manifest.first_step().unwrap().name, "product_form");
    assert_eq!(
        skill.manifest.steps[0].uploads[0].max_bytes,
        10 * 1024 * 1024
    );
    assert_eq!(skill.manifest.steps[0].max_uploads, 5);
    assert!(
        skill
            .check("product_form", &json!({ "value": "1", "currency": "RON" }))
            .is_empty()
    );
    assert!(skill.check("confirm", &json!({})).is_empty());
}

#[test]
fn faults_name_the_path_and_never_the_value() {
    let registry = Registry::with(vec![manifest(third())], connectors()).unwrap();
    let skill = registry.get(&name("abc_sbx_#3.0")).unwrap();
    let data = json!({ "value": "4111-secret", "holders": [{ "role": 5 }], "extra": 1 });
    let mut found: Vec<_> = skill
        .check("product_form", &data)
        .into_iter()
        .inspect(|fault| assert!(!fault.message.contains("4111"), "{}", fault.message))
        .map(|fault| (fault.path, fault.code))
        .collect();
    found.sort();
    let expected = [
        ("data.currency", "missing"),
        ("data.extra", "unknown"),
        ("data.holders[0].role", "type"),
        ("data.value", "format"),
    ];
    let found: Vec<_> = found
        .iter()
        .map(|(path, code)| (path.as_str(), *code))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(skill.check("product_form", &json!("text"))[0].path, "data");
    assert_eq!(skill.check("no_such_step", &json!({}))[0].path, "step");
}

#[test]
fn what_breaks_a_pattern_is_told_in_the_schemas_own_words() {
    let registry = Registry::with(Registry::shipped().unwrap(), connectors()).unwrap();
    let deposit = registry.get(&name("xyz_sbx_#3.0")).unwrap();
    let data = json!({ "value": "a lot", "currency": "EUR", "period": "12" });
    let faults = deposit.check("product_form", &data);
    let [fault] = faults.as_slice() else {
        panic!("{faults:?}")
    };
    assert_eq!((fault.path.as_str(), fault.code), ("data.value", "format"));
    let words = "A decimal from 100 to 9999999.99. Must match ^";
    assert!(fault.message.starts_with(words), "{}", fault.message);
}

#[test]
fn an_order_of_mixed_kinds_is_refused_at_the_field() {
    let registry = Registry::with(Registry::shipped().unwrap(), connectors()).unwrap();
    let skill = registry.get(&name("xyz_ro_pisp_sbx_#1.0")).unwrap();
    let step = skill.manifest.step("payment_intent").unwrap();
    let wrong = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut data = step.example.clone();
        change(&mut data["payment_info"][0]);
        let mut found: Vec<_> = skill
            .check("payment_intent", &data)
            .into_iter()
            .map(|fault| format!("{} {}", fault.path, fault.code))
            .collect();
        found.sort();
        found.join(", ")
    };
    let info = "data.payment_info[0]";
    assert_eq!(wrong(&|_| {}), "");
    let standing = |info: &mut serde_json::Value| {
        info["frequency"] = json!("Monthly");
        info["start_date"] = json!("2030-01-05");
    };
    assert_eq!(wrong(&standing), "");
    let dated = |info: &mut serde_json::Value| {
        standing(info);
        info["requested_execution_date"] = json!("2030-01-05");
    };
    assert_eq!(
        wrong(&dated),
        format!("{info}.requested_execution_date unknown")
    );
    let several = |info: &mut serde_json::Value| {
        standing(info);
        let one = info["credit_transfer_transaction_information"][0].clone();
        info["credit_transfer_transaction_information"] = json!([one, one]);
    };
    assert_eq!(
        wrong(&several),
        format!("{info}.credit_transfer_transaction_information length")
    );
    let unstarted = |info: &mut serde_json::Value| info["frequency"] = json!("Monthly");
    assert_eq!(wrong(&unstarted), format!("{info}.start_date missing"));
    let unrepeated = |info: &mut serde_json::Value| info["end_date"] = json!("2030-01-05");
    assert_eq!(wrong(&unrepeated), format!("{info}.frequency missing"));
    for amount in [
        "0",
        "0.00",
        "-1",
        "1.234",
        "1,5",
        "01",
        "1e3",
        "",
        "1234567890123",
    ] {
        let path = "credit_transfer_transaction_information[0].amount.instructed_amount.amount";
        let wrong = wrong(&|info| {
            let transfer = &mut info["credit_transfer_transaction_information"][0];
            transfer["amount"]["instructed_amount"]["amount"] = json!(amount);
        });
        assert_eq!(wrong, format!("{info}.{path} format"), "{amount}");
    }
    let number = wrong(&|info| {
        let transfer = &mut info["credit_transfer_transaction_information"][0];
        transfer["amount"]["instructed_amount"]["amount"] = json!(12.5);
    });
    assert!(number.ends_with("amount type"), "{number}");
}

#[test]
fn a_manifest_that_cannot_work_is_not_published() {
    let upload = |kind: &str| json!({ "kind": kind, "title": kind, "required": true });
    let breaks: [(&str, serde_json::Value, &str); 11] = [
        ("/names", json!([]), "no name"),
        ("/names", json!(["abc_sbx_#3.0", "abc_#3.0"]), "flavours"),
        ("/names", json!(["other_sbx_#3.0"]), "provider's code"),
        ("/connector", json!("pigeon"), "no connector pigeon"),
        ("/session_minutes", json!(1441), "session_minutes"),
        ("/steps/1/last", json!(false), "no step is the last"),
        (
            "/steps/0/schema",
            json!({ "type": "obj" }),
            "schema of step product_form",
        ),
        (
            "/steps/0/example",
            json!({ "value": "1" }),
            "example of step product_form",
        ),
        (
            "/steps/0/uploads",
            json!([upload("id"), upload("id")]),
            "of one kind",
        ),
        (
            "/steps/0/uploads",
            json!(["a", "b", "c", "d", "e", "f"].map(upload)),
            "more uploads",
        ),
        (
            "/steps/0/uploads/0",
            json!({ "kind": "id", "title": "", "required": true, "max_bytes": 0 }),
            "no bytes",
        ),
    ];
    for (place, value, why) in breaks {
        let mut broken = third();
        *broken.pointer_mut(place).unwrap() = value;
        let error = Registry::with(vec![manifest(broken)], connectors())
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(why), "{place}: {error}");
    }
    let mut open = third();
    open.pointer_mut("/steps/1/schema")
        .unwrap()
        .as_object_mut()
        .unwrap()
        .remove("additionalProperties");
    assert!(Registry::with(vec![manifest(open)], connectors()).is_err());
    assert!(Registry::with(vec![manifest(third()), manifest(third())], connectors()).is_err());
    let mut unknown = third();
    unknown
        .as_object_mut()
        .unwrap()
        .insert("colour".into(), json!("red"));
    assert!(serde_json::from_value::<SkillManifest>(unknown).is_err());
}

#[test]
fn what_a_connector_keeps_is_read_back_by_it_alone() {
    let kept = Opaque::of(&("consent", 7)).unwrap();
    assert_eq!(
        kept.read::<(String, i32)>().unwrap(),
        ("consent".to_owned(), 7)
    );
    assert!(kept.read::<Vec<i32>>().is_err());
}
