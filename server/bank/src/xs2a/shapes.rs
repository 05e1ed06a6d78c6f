//! Accounts, balances and transactions as the specification writes them. Absent members are left out, never null.

use serde::Serialize;

use crate::ledger::accounts::BIC;
use crate::ledger::{Day, LedgerEntry};
use crate::storage::books::{ConsentedRow, Holdings};

/// Minor units as the specification writes amounts: `-12.50`.
pub fn amount(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let minor = minor.unsigned_abs();
    format!("{sign}{}.{:02}", minor / 100, minor % 100)
}

#[derive(Serialize)]
pub struct Xs2aAmount {
    currency: String,
    amount: String,
}

impl Xs2aAmount {
    fn of(minor: i64, currency: &str) -> Self {
        Self {
            currency: currency.to_owned(),
            amount: amount(minor),
        }
    }
}

#[derive(Serialize)]
pub struct HrefType {
    pub href: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Xs2aAccount {
    resource_id: String,
    iban: String,
    bic: &'static str,
    currency: String,
    name: String,
    product: String,
    cash_account_type: String,
    status: &'static str,
    usage: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    balances: Option<Vec<Xs2aBalance>>,
    #[serde(rename = "_links")]
    links: AccountLinks,
}

#[derive(Serialize)]
struct AccountLinks {
    balances: HrefType,
    transactions: HrefType,
}

impl Xs2aAccount {
    pub fn of(row: ConsentedRow, balances: Option<Vec<Xs2aBalance>>) -> Self {
        let ConsentedRow {
            resource_id,
            account,
        } = row;
        let link = |what: &str| HrefType {
            href: format!("/v1/accounts/{resource_id}/{what}"),
        };
        Self {
            links: AccountLinks {
                balances: link("balances"),
                transactions: link("transactions"),
            },
            resource_id: resource_id.to_string(),
            iban: account.iban,
            bic: BIC,
            currency: account.currency,
            name: account.name,
            product: account.product,
            cash_account_type: account.cash_account_type,
            status: "enabled",
            usage: account.usage,
            balances,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Xs2aBalance {
    balance_amount: Xs2aAmount,
    balance_type: &'static str,
    credit_limit_included: bool,
    reference_date: String,
}

impl Xs2aBalance {
    /// Booked, booked and pending, and what can be spent with the credit line.
    pub fn all(holdings: Holdings, row: &ConsentedRow, today: Day) -> Vec<Self> {
        let expected = holdings.booked + holdings.pending;
        let limit = row.account.credit_limit;
        let balance = |balance_type, minor, day: Day, credit_limit_included| Self {
            balance_amount: Xs2aAmount::of(minor, &row.account.currency),
            balance_type,
            credit_limit_included,
            reference_date: day.date().to_string(),
        };
        vec![
            balance("closingBooked", holdings.booked, holdings.booked_on, false),
            balance("expected", expected, today, false),
            balance("interimAvailable", expected + limit, today, limit > 0),
        ]
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Xs2aTransaction {
    transaction_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_to_end_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    booking_date: Option<String>,
    value_date: String,
    transaction_amount: Xs2aAmount,
    #[serde(skip_serializing_if = "Option::is_none")]
    creditor_name: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    creditor_account: Option<AccountReference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    debtor_name: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    debtor_account: Option<AccountReference>,
    remittance_information_unstructured: String,
    /// The bank's own word for the kind of spending.
    additional_information: &'static str,
    bank_transaction_code: &'static str,
    /// The merchant category code (ISO 18245) of card payments: 1.3.12 has no member of its own for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    proprietary_bank_transaction_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    balance_after_transaction: Option<BalanceAfter>,
}

#[derive(Serialize)]
struct AccountReference {
    iban: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BalanceAfter {
    balance_amount: Xs2aAmount,
    balance_type: &'static str,
}

impl Xs2aTransaction {
    /// An entry as seen on a day: pending until its booking day, without booking date and balance.
    pub fn of(entry: &LedgerEntry, currency: &str, today: Day) -> Option<Self> {
        let words = entry.words()?;
        let booked = entry.booking_day <= today;
        let account = words.iban.map(|iban| AccountReference { iban });
        let (creditor, debtor) = if entry.amount < 0 {
            ((words.name, account), (None, None))
        } else {
            ((None, None), (words.name, account))
        };
        Some(Self {
            transaction_id: entry.id(),
            entry_reference: booked.then(|| format!("{}-{}", entry.booking_day.0, entry.position)),
            end_to_end_id: words.end_to_end_id,
            booking_date: booked.then(|| entry.booking_day.date().to_string()),
            value_date: entry.made_day.date().to_string(),
            transaction_amount: Xs2aAmount::of(entry.amount, currency),
            creditor_name: creditor.0,
            creditor_account: creditor.1,
            debtor_name: debtor.0,
            debtor_account: debtor.1,
            remittance_information_unstructured: words.remittance,
            additional_information: words.category,
            bank_transaction_code: words.code,
            proprietary_bank_transaction_code: words.mcc,
            balance_after_transaction: booked.then(|| BalanceAfter {
                balance_amount: Xs2aAmount::of(entry.balance_after, currency),
                balance_type: "interimBooked",
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::amount;

    #[test]
    fn amounts_keep_their_sign_and_cents() {
        let cases = [
            (0, "0.00"),
            (5, "0.05"),
            (-5, "-0.05"),
            (-1250, "-12.50"),
            (100_000, "1000.00"),
        ];
        for (minor, text) in cases {
            assert_eq!(amount(minor), text);
        }
    }
}
