//! What these runs show, and what their forms do.

use std::sync::Arc;

use app::pages::{Answer, FormFile, Visit};
use serde_json::{Value, json};

use super::{TO_JSON, done};
use crate::fake::{World, actor, fields, id, visit};
use crate::{open, show};

fn page(n: u128, form: Option<&str>) -> Visit {
    let mut visit = visit(
        World::Full,
        &format!("/console/runs/{}", id(n)),
        Some(actor(false)),
    );
    visit.form = form.map(fields);
    visit
}

fn html(n: u128) -> String {
    let (status, html) = show(page(n, None));
    assert_eq!(status, 200);
    html
}

fn holds(html: &str, texts: &[&str]) {
    for text in texts {
        assert!(html.contains(text), "{text} is not in the page");
    }
}

#[test]
fn every_whitelisted_skill_is_offered_with_what_it_is_for() {
    let (_, html) = show(visit(World::Full, "/console", Some(actor(false))));
    holds(
        &html,
        &[
            "xyz_aisp_sbx_#1.0 · Account information",
            "/skills\">Allow it",
        ],
    );
    assert!(
        !html.contains("xyz_ro_aisp_sbx_#1.0 ·"),
        "it is not whitelisted"
    );
}

#[test]
fn a_steps_form_is_made_from_its_schema_and_filled_with_the_example() {
    holds(
        &html(431),
        &[
            "<label for=\"data.value\">",
            "inputmode=\"decimal\"",
            "value=\"100000\"",
            "<option value=\"EUR\" selected",
            "A decimal from 100 to 9999999.99.",
            "aria-describedby=\"data.period-hint\"",
        ],
    );
    holds(
        &html(436),
        &[
            "type=\"checkbox\" id=\"data.accept\"",
            "checked",
            "I accept the offer",
        ],
    );
    let order = html(438);
    holds(
        &order,
        &[
            "<fieldset id=\"data.payment_info\" class=\"field group\">",
            "name=\"data.payment_info[0].payment_information_id\" value=\"order-1001\"",
            "<textarea id=\"data.payment_info[0].credit_transfer_transaction_information\"",
            "type=\"date\" id=\"data.payment_info[0].requested_execution_date\"",
            "more, optional",
            // Needed only where its group is: a browser must let the form go without it.
            "autocomplete=\"off\" inputmode=\"text\" aria-describedby=\"data.payment_info[0].debtor_agent.bic-hint\"",
        ],
    );
}

#[test]
fn what_is_wrong_is_shown_at_its_field_and_the_rest_above_the_form() {
    let html = html(432);
    holds(
        &html,
        &[
            "value=\"much\"",
            "id=\"data.value-error\"",
            "Must match ^[1-9][0-9]{2,6}$.",
            "<code>data.colour<",
            "href=\"/docs/errors/invalid_input\"",
        ],
    );
    assert_eq!(html.matches("aria-invalid").count(), 1);
}

#[test]
fn a_form_and_its_json_lead_to_each_other_and_nothing_is_sent() {
    let (status, html) = show(page(431, Some(TO_JSON)));
    assert_eq!((status, done()), (200, None));
    holds(
        &html,
        &[
            "&quot;value&quot;: &quot;500&quot;",
            "Show as form",
            "name=\"shape\" value=\"json\"",
        ],
    );
    let form =
        r#"act=advance&at=1&shape=json&to=form&data={"value":"700","currency":"RON","period":"6"}"#;
    let (status, html) = show(page(431, Some(form)));
    assert_eq!((status, done()), (200, None));
    holds(
        &html,
        &[
            "value=\"700\"",
            "<option value=\"RON\" selected",
            "Show as JSON",
        ],
    );
    let (status, html) = show(page(
        431,
        Some("act=advance&at=1&shape=json&to=form&data={\"colour\":1}"),
    ));
    assert_eq!(status, 422);
    holds(
        &html,
        &[
            "The form has no place for some of this",
            "{&quot;colour&quot;:1}",
        ],
    );
}

#[test]
fn a_form_is_sent_as_the_data_it_says() {
    let form = "act=advance&at=1&shape=form&data.value=500&data.currency=RON&data.period=";
    let (answer, _) = open(page(431, Some(form)));
    assert!(matches!(answer, Answer::See(_)));
    let sent = done().unwrap();
    let sent: Value = serde_json::from_str(sent.strip_prefix("next ").unwrap()).unwrap();
    assert_eq!(sent, json!({"value": "500", "currency": "RON"}));
}

#[test]
fn a_part_that_is_no_json_keeps_the_form_as_it_was_typed() {
    let path = "data.payment_info[0].credit_transfer_transaction_information";
    let form = format!("act=advance&at=1&shape=form&data.psu_id=ana&{path}=[oops");
    let mut visit = page(438, None);
    visit.form = Some(fields(&form));
    let (status, html) = show(visit);
    assert_eq!((status, done()), (422, None));
    holds(
        &html,
        &[
            "[oops",
            "value=\"ana\"",
            "line 1, column 2",
            &format!("id=\"{path}-error\""),
        ],
    );
}

#[test]
fn files_are_asked_for_one_by_one_with_a_sample_for_each() {
    let html = html(433);
    holds(
        &html,
        &[
            "enctype=\"multipart/form-data\"",
            "<label for=\"file-selfie\">",
            "aria-label=\"Use a sample file: Selfie\"",
            "up to 10 MiB",
        ],
    );
    assert_eq!(
        html.matches("type=\"file\"").count(),
        1,
        "the other one is there"
    );
    let (answer, _) = open(page(433, Some("act=upload&at=3&kind=selfie&sample=yes")));
    assert!(matches!(answer, Answer::See(_)));
    assert_eq!(done().as_deref(), Some("sample selfie"));
    let mut own = page(433, Some("act=upload&at=3&kind=selfie"));
    own.file = Some(FormFile {
        name: "me.png".into(),
        bytes: Arc::from(&b"bytes"[..]),
    });
    open(own);
    assert_eq!(done().as_deref(), Some("file selfie me.png 5"));
}

#[test]
fn a_file_that_was_not_chosen_or_not_taken_is_told() {
    let (status, page) = show(page(433, Some("act=upload&at=3&kind=selfie")));
    assert_eq!((status, done()), (422, None));
    holds(&page, &["Choose a file first", "id=\"file-selfie-error\""]);
    holds(&html(434), &["<code>file<", "PDF, PNG, JPEG or WebP"]);
}

#[test]
fn a_decision_is_awaited_with_a_way_to_give_it() {
    let html = html(435);
    holds(
        &html,
        &[
            "Wait for the decision",
            "href=\"/verifications\"",
            "Check again",
            "data.poll_after: 2",
            "9f86d081",
        ],
    );
}

#[test]
fn each_kind_of_run_ends_with_what_it_is_for() {
    holds(
        &html(437),
        &[
            "Fixed deposit",
            "100,000.00 EUR",
            "103,200.00 EUR on 2027-02-02",
            "Read products again",
        ],
    );
    let payment = html(439);
    holds(
        &payment,
        &[
            "ACTC",
            "accepted",
            "not yet",
            "1,250.50 RON",
            "RO49 AAAA",
            "Cancel the payment",
        ],
    );
    assert!(
        !payment.contains("accounts/get"),
        "a payment's pair reads no accounts"
    );
    let (answer, _) = open(page(439, Some("act=offer&at=4&offer=cancel_payment")));
    assert!(matches!(answer, Answer::See(_)));
    assert_eq!(done().as_deref(), Some("offer cancel_payment"));
    assert_eq!(
        show(page(439, Some("act=offer&at=4&offer=everything"))).0,
        404
    );
}
