//! Forms of the shipped manifests, and of schemas that have one of everything.

use serde_json::json;

use super::*;

const DEPOSIT: &str = include_str!("../../../../../server/src/skills/manifests/xyz_sbx.json");
const PAYMENT: &str = include_str!("../../../../../server/src/skills/manifests/xyz_pisp_sbx.json");

fn step(manifest: &str, name: &str) -> (StepForm, Value) {
    let manifest: Value = serde_json::from_str(manifest).unwrap();
    let steps = manifest["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["name"] == name).unwrap();
    (StepForm::of(&step["schema"]), step["example"].clone())
}

fn fields(pairs: &[(&str, &str)]) -> FormFields {
    let pairs = pairs.iter().copied();
    FormFields(
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    )
}

#[test]
fn every_example_goes_through_its_form_unchanged() {
    for (manifest, name) in [
        (DEPOSIT, "product_form"),
        (DEPOSIT, "kyc"),
        (DEPOSIT, "source_of_funds"),
        (DEPOSIT, "contract"),
        (PAYMENT, "payment_intent"),
    ] {
        let (form, example) = step(manifest, name);
        let filled = form.fill(&example.to_string());
        assert_eq!(form.read(&filled.unwrap()).unwrap(), example, "{name}");
    }
}

#[test]
fn an_array_of_one_object_is_a_group_and_a_longer_one_a_text() {
    let (form, example) = step(PAYMENT, "payment_intent");
    let filled = form.fill(&example.to_string()).unwrap();
    assert_eq!(filled.get("data.payment_info[0].payment_method"), "TRF");
    let transfers = filled.get("data.payment_info[0].credit_transfer_transaction_information");
    assert!(transfers.contains("\"Corner Shop\""), "{transfers}");
}

#[test]
fn what_is_left_empty_is_left_out_and_what_is_no_number_is_sent_as_typed() {
    let (form, _) = step(PAYMENT, "payment_intent");
    let read = form.read(&fields(&[
        ("data.psu_redirect_link", "myapp://return"),
        ("data.psu_id", ""),
        ("data.group_header.txs_no", "many"),
        ("data.payment_info[0].debtor_account.iban", ""),
    ]));
    let expected = json!({
        "psu_redirect_link": "myapp://return",
        "group_header": {"txs_no": "many"},
        "payment_info": [{}],
    });
    assert_eq!(read.unwrap(), expected);
    let numbered = form.read(&fields(&[("data.group_header.txs_no", "3")]));
    assert_eq!(numbered.unwrap()["group_header"]["txs_no"], 3);
}

#[test]
fn what_is_no_json_is_told_with_its_place() {
    let (form, _) = step(PAYMENT, "payment_intent");
    let path = "data.payment_info[0].credit_transfer_transaction_information";
    let errors = form.read(&fields(&[(path, "[{oops")])).unwrap_err();
    assert_eq!(errors[0].0, path);
    assert!(errors[0].1.contains("line 1, column 3"), "{}", errors[0].1);
}

#[test]
fn data_that_the_form_cannot_say_stays_a_text() {
    let (form, _) = step(DEPOSIT, "product_form");
    for data in [
        "{oops",
        "[]",
        r#"{"value": 100, "currency": "EUR"}"#,
        r#"{"value": "100", "colour": "blue"}"#,
    ] {
        assert!(form.fill(data).is_none(), "{data}");
    }
    let odd = r#"{"value": "all of it", "currency": "GBP"}"#;
    assert_eq!(form.fill(odd).unwrap().get("data.currency"), "GBP");
}

#[test]
fn an_error_is_shown_at_its_field_or_at_the_text_around_it() {
    let (form, _) = step(PAYMENT, "payment_intent");
    let list = "data.payment_info[0].credit_transfer_transaction_information";
    let said = |path: &str| (path.to_owned(), "is wrong".to_owned());
    let (placed, left) = form.place(vec![
        said(&format!("{list}[0].amount.instructed_amount.amount")),
        said("data.psu_redirect_link"),
        said("data.colour"),
    ]);
    assert_eq!(placed[0].0, "data.psu_redirect_link");
    assert_eq!(placed[1].0, list);
    assert_eq!(placed[1].1, "[0].amount.instructed_amount.amount: is wrong");
    assert_eq!(left, [said("data.colour")]);
}

#[test]
fn each_type_has_its_control() {
    let form = StepForm::of(
        &json!({"type": "object", "required": ["sure"], "properties": {
            "sure": {"type": "boolean"}, "maybe": {"type": "boolean"}, "many": {"type": "array", "items": {"type": "string"}},
            "either": {"oneOf": [{"type": "string"}, {"type": "integer"}]}, "never": false,
            "amount": {"type": "string", "pattern": "^[0-9]+$"}, "day": {"type": "string", "format": "date"},
        }}),
    );
    let controls::ControlKind::Group(parts) = &form.root.kind else {
        panic!("{:?}", form.root)
    };
    let kinds: Vec<String> = parts
        .iter()
        .map(|part| format!("{:?}", part.kind))
        .collect();
    let expected = [
        "Switch",
        "Choice([Bool(true), Bool(false)])",
        "Json",
        "Json",
        "Text(Some(\"decimal\"))",
        "Date",
    ];
    assert_eq!(kinds, expected);
    let read = form.read(&fields(&[
        ("data.maybe", "false"),
        ("data.many", "[\"a\"]"),
    ]));
    assert_eq!(
        read.unwrap(),
        json!({"sure": false, "maybe": false, "many": ["a"]})
    );
}
