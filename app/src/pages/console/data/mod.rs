//! What a run has read, as tables: by what its consent is for.

mod accounts;
mod payments;
mod products;

use leptos::prelude::*;
use serde_json::Value;

use crate::domain::ids::RunId;
use crate::domain::skill::SkillType;
use crate::portal::console::Run;

/// The answers of a run's calls, and where each can be seen as it came.
struct Answers<'a> {
    run: &'a Run,
    json: fn(RunId, usize) -> String,
}

impl Answers<'_> {
    /// Returns the newest successful answer of an operation, and the index of the call that brought it.
    fn last(&self, endings: &[&str]) -> Option<(usize, Value)> {
        let calls = self.run.calls.iter().enumerate();
        let mut calls = calls.rev().filter(|(_, call)| call.status < 300);
        let (at, call) =
            calls.find(|(_, call)| endings.iter().any(|ending| call.path.ends_with(ending)))?;
        Some((at, serde_json::from_str(&call.response_body).ok()?))
    }

    /// Returns the items of the newest successful answer of an operation that answers a list, and the index of its
    /// call; `None` if that answer is not a list.
    fn rows(&self, ending: &str) -> Option<(usize, Vec<Value>)> {
        match self.last(&[ending])? {
            (at, Value::Array(rows)) => Some((at, rows)),
            _ => None,
        }
    }

    fn json(&self, at: usize) -> String {
        (self.json)(self.run.id, at)
    }
}

/// The tables of what a run has read so far. `json` is the link to an answer as it came.
pub(super) fn tables(run: &Run, json: fn(RunId, usize) -> String) -> AnyView {
    let answers = Answers { run, json };
    match run.kind {
        Some(SkillType::PaymentInitiation) => payments::table(&answers).into_any(),
        Some(SkillType::Marketplace) => products::table(&answers).into_any(),
        _ => accounts::tables(&answers),
    }
}

/// A table with its name, a word on it, and the link to the answer as it came.
fn section(title: &'static str, note: Option<String>, json: String, table: AnyView) -> AnyView {
    view! {
        <section class="card">
            <div class="bar">
                <h2>{title}</h2>
                {note.map(|note| view! { <span>{note}</span> })}
                <span class="spacer"></span>
                <a href=json>"As JSON"</a>
            </div>
            {table}
        </section>
    }
    .into_any()
}

/// `−1,234.50 RON`: thousands apart, a true minus before debits.
fn signed(amount: &str, currency: &str, indicator: &str) -> String {
    let sign = if indicator == "debit" { "−" } else { "" };
    let amount = amount.trim_start_matches('-');
    let (whole, cents) = amount.split_once('.').unwrap_or((amount, ""));
    let digits = whole.len();
    let spaced: String = whole
        .chars()
        .enumerate()
        .flat_map(|(at, digit)| {
            let comma = (at > 0 && (digits - at).is_multiple_of(3)).then_some(',');
            comma.into_iter().chain([digit])
        })
        .collect();
    let point = if cents.is_empty() { "" } else { "." };
    format!("{sign}{spaced}{point}{cents} {currency}")
}

/// An IBAN in groups of four, as banks print it (ISO 13616).
fn grouped(iban: &str) -> String {
    let letters: Vec<char> = iban.chars().collect();
    letters
        .chunks(4)
        .map(String::from_iter)
        .collect::<Vec<_>>()
        .join(" ")
}

fn text(value: &Value, path: &str) -> String {
    value
        .pointer(path)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_as_banks_print_them() {
        assert_eq!(signed("1234567.50", "RON", "credit"), "1,234,567.50 RON");
        assert_eq!(signed("999", "EUR", "debit"), "−999 EUR");
        assert_eq!(signed("-12.00", "EUR", "debit"), "−12.00 EUR");
        assert_eq!(grouped("RO49AAAA1B31"), "RO49 AAAA 1B31");
    }
}
