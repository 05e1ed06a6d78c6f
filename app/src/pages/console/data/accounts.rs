//! Accounts, balances and transactions.

use leptos::prelude::*;
use serde_json::Value;

use super::{grouped, section, signed, text};
use crate::ui::{Chip, Table, TableColumn, Tone};

/// The tables of what an account-information run has read so far.
pub(super) fn tables(answers: &super::Answers<'_>) -> AnyView {
    let accounts = answers.rows("/accounts/get");
    let names: Vec<(String, String)> = accounts
        .iter()
        .flat_map(|(_, rows)| rows)
        .map(|account| (text(account, "/id"), name(account)))
        .collect();
    let shown = accounts
        .map(|(at, rows)| section("Accounts", None, answers.json(at), accounts_table(&rows)));
    let balances = answers.rows("/balances/get").map(|(at, rows)| {
        section(
            "Balances",
            None,
            answers.json(at),
            balances_table(&rows, &names),
        )
    });
    let transactions = answers.rows("/transactions/get").map(|(at, rows)| {
        let newest = format!("the newest {}", rows.len());
        section(
            "Transactions",
            Some(newest),
            answers.json(at),
            transactions_table(&rows, &names),
        )
    });
    view! { {shown} {balances} {transactions} }.into_any()
}

fn accounts_table(accounts: &[Value]) -> AnyView {
    if accounts.is_empty() {
        return view! { <p class="pad muted">"No accounts: this user has none, or ticked none."</p> }.into_any();
    }
    let columns = vec![
        TableColumn::text("Account"),
        TableColumn::text("IBAN"),
        TableColumn::text("Type"),
        TableColumn::number("Balance"),
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

fn balances_table(rows: &[Value], names: &[(String, String)]) -> AnyView {
    let columns = vec![
        TableColumn::text("Account"),
        TableColumn::text("Type"),
        TableColumn::number("Amount"),
    ];
    let lines = rows
        .iter()
        .map(|row| {
            view! {
                <tr>
                    <th scope="row">{named(names, &text(row, "/account_id"))}</th>
                    <td>{text(row, "/data/type")}</td>
                    <td class="num">{amount(row)}</td>
                </tr>
            }
        })
        .collect_view();
    view! { <Table caption="Balances" columns=columns folds=true>{lines}</Table> }.into_any()
}

fn transactions_table(rows: &[Value], names: &[(String, String)]) -> AnyView {
    if rows.is_empty() {
        return view! { <p class="pad muted">"No transactions in these accounts."</p> }.into_any();
    }
    let columns = vec![
        TableColumn::text("Booked"),
        TableColumn::text("Description"),
        TableColumn::text("Account"),
        TableColumn::text("Status"),
        TableColumn::number("Amount"),
    ];
    let lines = rows
        .iter()
        .map(|row| {
            let account = named(names, &text(row, "/account_id"));
            let status = text(row, "/data/status");
            let tone = if status == "booked" {
                Tone::Neutral
            } else {
                Tone::Warn
            };
            let day: String = text(row, "/data/booking_date_time")
                .chars()
                .take(10)
                .collect();
            view! {
                <tr>
                    <th scope="row" class="nowrap">{day}</th>
                    <td>{text(row, "/data/info")}</td>
                    <td class="spare">{account}</td>
                    <td><Chip tone=tone plain=true text=status /></td>
                    <td class="num">{amount(row)}</td>
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

/// The amount of a balance or a transaction.
fn amount(row: &Value) -> String {
    signed(
        &text(row, "/data/amount"),
        &text(row, "/data/currency"),
        &text(row, "/data/credit_debit_indicator"),
    )
}

fn named(names: &[(String, String)], id: &str) -> String {
    let found = names.iter().find(|(known, _)| known == id);
    found.map(|(_, name)| name.clone()).unwrap_or_default()
}
