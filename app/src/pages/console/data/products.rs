//! Products: deposits and cards, with their terms.

use leptos::prelude::*;
use serde_json::Value;

use super::{Answers, section, signed, text};
use crate::ui::{Chip, Table, TableColumn, Tone};

pub(super) fn table(answers: &Answers<'_>) -> Option<AnyView> {
    let (at, rows) = answers.rows("/products/get")?;
    let columns = vec![
        TableColumn::text("Product"),
        TableColumn::text("Reference"),
        TableColumn::text("Status"),
        TableColumn::text("Terms"),
        TableColumn::number("Amount"),
    ];
    let lines = rows
        .iter()
        .map(|row| {
            let status = text(row, "/data/status");
            let tone = match status.as_str() {
                "active" => Tone::Ok,
                "closed" => Tone::Neutral,
                _ => Tone::Warn,
            };
            view! {
                <tr>
                    <th scope="row">{text(row, "/data/name")}</th>
                    <td><code class="break">{text(row, "/data/reference")}</code></td>
                    <td><Chip tone=tone text=status.replace('_', " ") /></td>
                    <td>{terms(row)}</td>
                    <td class="num">{amount(row)}</td>
                </tr>
            }
        })
        .collect_view();
    let table = view! { <Table caption="Products" columns=columns folds=true>{lines}</Table> };
    Some(section(
        "Products",
        None,
        answers.json(at),
        table.into_any(),
    ))
}

/// Returns the amount deposited, or else the credit limit; empty if the product has neither.
fn amount(row: &Value) -> String {
    let terms = |name: &str| text(row, &format!("/data/terms/{name}"));
    let amount = [terms("principal"), terms("credit_limit")];
    let amount = amount.iter().find(|amount| !amount.is_empty());
    amount
        .map(|amount| signed(amount, &terms("currency"), ""))
        .unwrap_or_default()
}

/// `12 months at 4.25 % a year, 104,250.00 EUR on 2027-01-01`, as far as a product has it.
fn terms(row: &Value) -> String {
    let terms = |name: &str| text(row, &format!("/data/terms/{name}"));
    let months = row
        .pointer("/data/terms/period_months")
        .and_then(Value::as_i64);
    let mut words = Vec::new();
    if let Some(months) = months {
        words.push(format!("{months} months"));
    }
    if !terms("interest_rate").is_empty() {
        words.push(format!("{} % a year", terms("interest_rate")));
    }
    if !terms("maturity_amount").is_empty() {
        let paid = signed(&terms("maturity_amount"), &terms("currency"), "");
        words.push(format!("{paid} on {}", terms("matures_on")));
    }
    words.join(", ")
}
