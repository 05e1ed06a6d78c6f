//! A payment: how far it is, and each of its transfers.

use leptos::prelude::*;
use serde_json::Value;

use super::{Answers, grouped, section, signed, text};
use crate::ui::{Chip, Facts, Table, TableColumn, Tone};

/// The payment as it was read last, by asking or by calling it off.
pub(super) fn table(answers: &Answers<'_>) -> Option<AnyView> {
    let (at, payment) = answers.last(&["/payments/get", "/payments/cancel"])?;
    let items = payment.get("items").and_then(Value::as_array);
    let items = items.cloned().unwrap_or_default();
    let body = view! {
        <div class="pad">{facts(&payment)}</div>
        {transfers(&items)}
    };
    Some(section("Payment", None, answers.json(at), body.into_any()))
}

fn facts(payment: &Value) -> impl IntoView + use<> {
    let total = signed(&text(payment, "/amount"), &text(payment, "/currency"), "");
    let mut facts = vec![
        ("Status", status(payment)),
        ("Final", is_final(payment).into_any()),
        ("Kind", text(payment, "/kind").replace('_', " ").into_any()),
        ("Total", total.into_any()),
    ];
    let told = [
        ("Reason", text(payment, "/reason")),
        ("Day", text(payment, "/execution_date")),
        ("From", grouped(&text(payment, "/debtor_account/iban"))),
    ];
    for (name, value) in told {
        if !value.is_empty() {
            facts.push((name, value.into_any()));
        }
    }
    view! { <Facts facts=facts /> }
}

fn transfers(items: &[Value]) -> impl IntoView + use<> {
    let columns = vec![
        TableColumn::text("To"),
        TableColumn::text("IBAN"),
        TableColumn::text("Status"),
        TableColumn::number("Amount"),
    ];
    let rows = items
        .iter()
        .map(|item| {
            view! {
                <tr>
                    <th scope="row">{text(item, "/creditor_name")}</th>
                    <td><code>{grouped(&text(item, "/creditor_account/iban"))}</code></td>
                    <td>{status(item)}</td>
                    <td class="num">{signed(&text(item, "/amount"), &text(item, "/currency"), "")}</td>
                </tr>
            }
        })
        .collect_view();
    view! { <Table caption="Transfers of the payment" columns=columns folds=true>{rows}</Table> }
}

/// The ISO 20022 code and its plain word.
fn status(of: &Value) -> AnyView {
    let (code, words) = (text(of, "/status"), text(of, "/status_text"));
    let tone = match code.as_str() {
        "ACSC" | "ACCC" => Tone::Ok,
        "RJCT" => Tone::Err,
        "CANC" => Tone::Neutral,
        _ => Tone::Accent,
    };
    view! { <span class="status"><Chip tone=tone text=code /> " " {words}</span> }.into_any()
}

fn is_final(payment: &Value) -> &'static str {
    if payment.get("final") == Some(&Value::Bool(true)) {
        "yes: nothing can happen to it any more"
    } else {
        "not yet"
    }
}
