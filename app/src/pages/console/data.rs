//! Accounts and transactions as tables, read from the answers of a run.

use leptos::prelude::*;
use serde_json::Value;

use crate::portal::console::Run;
use crate::ui::{Chip, Column, Table, Tone};

/// The tables of what a run has read so far. `json` is the link to an answer as it came.
pub(super) fn tables(run: &Run, json: impl Fn(usize) -> String) -> Option<AnyView> {
    let answer = |ending: &str| {
        let (at, call) = run
            .calls
            .iter()
            .enumerate()
            .rfind(|(_, call)| call.path.ends_with(ending) && call.status < 300)?;
        let rows: Vec<Value> = serde_json::from_str(&call.response_body).ok()?;
        Some((at, rows))
    };
    let accounts = answer("/accounts/get")?;
    let names: Vec<(String, String)> = accounts
        .1
        .iter()
        .map(|account| (text(account, "/id"), name(account)))
        .collect();
    let transactions = answer("/transactions/get");
    Some(
        view! {
            <section class="card">
                <div class="bar">
                    <h2>"Accounts"</h2>
                    <span class="spacer"></span>
                    <a href=json(accounts.0)>"As JSON"</a>
                </div>
                {accounts_table(&accounts.1)}
            </section>
            {transactions.map(|(at, rows)| view! {
                <section class="card">
                    <div class="bar">
                        <h2>"Transactions"</h2>
                        <span>{format!("the newest {}", rows.len())}</span>
                        <span class="spacer"></span>
                        <a href=json(at)>"As JSON"</a>
                    </div>
                    {transactions_table(&rows, &names)}
                </section>
            })}
        }
        .into_any(),
    )
}

fn accounts_table(accounts: &[Value]) -> AnyView {
    if accounts.is_empty() {
        return view! { <p class="pad muted">"No accounts: this user has none, or ticked none."</p> }.into_any();
    }
    let columns = vec![
        Column::text("Account"),
        Column::text("IBAN"),
        Column::text("Type"),
        Column::number("Balance"),
    ];
    let rows = accounts
        .iter()
        .map(|account| {
            let schemes = account
                .pointer("/data/account_schemes")
                .and_then(Value::as_array);
            let iban = schemes
                .into_iter()
                .flatten()
                .find(|scheme| text(scheme, "/scheme_name") == "IBAN");
            let iban = iban
                .map(|scheme| text(scheme, "/identification"))
                .unwrap_or_default();
            view! {
                <tr>
                    <th scope="row">{name(account)}</th>
                    <td><code>{grouped(&iban)}</code></td>
                    <td>{text(account, "/data/account_sub_type")}</td>
                    <td class="num">{balance(account)}</td>
                </tr>
            }
        })
        .collect_view();
    view! { <Table caption="Accounts" columns=columns folds=true>{rows}</Table> }.into_any()
}

fn transactions_table(rows: &[Value], names: &[(String, String)]) -> AnyView {
    if rows.is_empty() {
        return view! { <p class="pad muted">"No transactions in these accounts."</p> }.into_any();
    }
    let columns = vec![
        Column::text("Booked"),
        Column::text("What for"),
        Column::text("Account"),
        Column::text("Status"),
        Column::number("Amount"),
    ];
    let lines = rows
        .iter()
        .map(|row| {
            let of = text(row, "/account_id");
            let account = names.iter().find(|(id, _)| *id == of).map(|(_, name)| name.clone()).unwrap_or_default();
            let status = text(row, "/data/status");
            let tone = if status == "booked" { Tone::Neutral } else { Tone::Warn };
            let day: String = text(row, "/data/booking_date_time").chars().take(10).collect();
            view! {
                <tr>
                    <th scope="row" class="nowrap">{day}</th>
                    <td>{text(row, "/data/info")}</td>
                    <td class="spare">{account}</td>
                    <td><Chip tone=tone plain=true text=status /></td>
                    <td class="num">{signed(&text(row, "/data/amount"), &text(row, "/data/currency"), &text(row, "/data/credit_debit_indicator"))}</td>
                </tr>
            }
        })
        .collect_view();
    view! { <Table caption="Transactions, newest first" columns=columns folds=true>{lines}</Table> }
        .into_any()
}

/// The name an account is spoken of by: its own, its nickname or its kind.
fn name(account: &Value) -> String {
    ["/data/nickname", "/data/name", "/data/account_type"]
        .iter()
        .map(|path| text(account, path))
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| "Account".to_owned())
}

fn balance(account: &Value) -> String {
    let first = account
        .pointer("/data/balances/0")
        .cloned()
        .unwrap_or_default();
    signed(
        &text(&first, "/balance_amount"),
        &text(&first, "/balance_currency"),
        &text(&first, "/credit_debit_indicator"),
    )
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
