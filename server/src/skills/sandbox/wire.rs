//! What the bank's answers look like, and how they become ours. Lenient where real banks differ: unknown members,
//! unknown balance types, amounts as numbers and placeholder ids do no harm; a balance whose amount is no decimal is left
//! out, and an entry that cannot be read costs itself alone ([`super::entries`]).

use app::domain::account::{AccountUsage, BalanceType};
use app::domain::json::{self, Exact, ExactValue, Json, Limits};
use app::domain::payment::PaymentStatus;
use app::domain::transaction::BookingStatus;
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::entries;
use crate::skills::connector::{
    BankAccount, BankBalance, BankExecutions, BankPayment, BankPaymentItem, BankTransaction,
    ConnectorError, Party, Unreadable,
};

#[derive(Deserialize)]
pub struct Link {
    pub href: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewConsent {
    pub consent_id: String,
    #[serde(rename = "_links")]
    pub links: Links,
}

#[derive(Deserialize)]
pub struct Links {
    #[serde(rename = "scaOAuth")]
    pub sca_oauth: Link,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewPayment {
    pub payment_id: String,
    #[serde(rename = "_links")]
    pub links: Links,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentState {
    pub transaction_status: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    transaction_status: String,
    reason_code: Option<String>,
    debtor_account: Option<Reference>,
    #[serde(default)]
    payments: Vec<PaymentItem>,
    executions: Option<Executions>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymentItem {
    transaction_status: Option<String>,
    reason_code: Option<String>,
}

#[derive(Deserialize)]
struct Executions {
    done: i64,
    last: Option<NaiveDate>,
    next: Option<NaiveDate>,
}

impl Payment {
    /// The payment in our words. Of a bulk whose payments have no status of their own, none is told.
    pub fn read(self) -> Result<BankPayment, ConnectorError> {
        let told = self
            .payments
            .iter()
            .all(|item| item.transaction_status.is_some());
        let items = self.payments.into_iter().filter(|_| told);
        let items = items.map(|item| {
            Ok(BankPaymentItem {
                status: payment_status(item.transaction_status.as_deref().unwrap_or_default())?,
                reason: item.reason_code.filter(|code| is_reason(code)),
            })
        });
        Ok(BankPayment {
            status: payment_status(&self.transaction_status)?,
            reason: self.reason_code.filter(|code| is_reason(code)),
            debtor_iban: self.debtor_account.and_then(|account| account.iban),
            items: items.collect::<Result<_, _>>()?,
            executions: self.executions.map(|told| BankExecutions {
                done: told.done,
                last: told.last,
                next: told.next,
            }),
        })
    }
}

/// Whether a text is a reason code of ISO 20022: four letters or digits.
fn is_reason(code: &str) -> bool {
    code.len() == 4
        && code
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// ISO 20022's code for how far a payment is.
pub fn payment_status(code: &str) -> Result<PaymentStatus, ConnectorError> {
    code.parse().map_err(|_| {
        ConnectorError::BadAnswer("a payment has a status that is not in the standard")
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Consent {
    pub consent_status: String,
    pub valid_until: NaiveDate,
}

#[derive(Deserialize)]
pub struct Token {
    pub access_token: String,
}

#[derive(Deserialize)]
pub struct Accounts {
    pub accounts: Vec<Account>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    resource_id: String,
    iban: Option<String>,
    bic: Option<String>,
    #[serde(default)]
    currency: Option<String>,
    name: Option<String>,
    product: Option<String>,
    cash_account_type: Option<String>,
    usage: Option<String>,
    #[serde(default)]
    balances: Vec<ExactValue>,
}

#[derive(Deserialize)]
struct Amount {
    currency: String,
    #[serde(deserialize_with = "exact")]
    amount: Decimal,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_field_names,
    reason = "the members' names are the specification's"
)]
struct Balance {
    balance_amount: Amount,
    balance_type: String,
    #[serde(default)]
    credit_limit_included: bool,
    reference_date: Option<NaiveDate>,
    last_change_date_time: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
pub struct Report {
    pub transactions: AccountReport,
}

#[derive(Deserialize)]
pub struct AccountReport {
    #[serde(default)]
    booked: Vec<ExactValue>,
    #[serde(default)]
    pending: Vec<ExactValue>,
    #[serde(rename = "_links", default)]
    pub links: ReportLinks,
}

#[derive(Default, Deserialize)]
pub struct ReportLinks {
    pub next: Option<Link>,
}

#[derive(Deserialize)]
struct Reference {
    iban: Option<String>,
}

impl From<Account> for BankAccount {
    fn from(account: Account) -> Self {
        Self {
            id: account.resource_id,
            iban: account.iban,
            bic: account.bic,
            // ISO 4217's word for a unit that nobody named.
            currency: account
                .currency
                .and_then(|code| entries::currency(&code))
                .unwrap_or_else(|| "XXX".into()),
            name: account.name,
            product: account.product,
            cash_account_type: account.cash_account_type,
            usage: account.usage.and_then(|usage| match usage.as_str() {
                "PRIV" => Some(AccountUsage::Private),
                "ORGA" => Some(AccountUsage::Organisation),
                _ => None,
            }),
            balances: account
                .balances
                .into_iter()
                .filter_map(|balance| Balance::deserialize(balance.0).ok()?.known())
                .collect(),
        }
    }
}

impl Balance {
    /// The balance, unless it is of a type that only its bank knows.
    fn known(self) -> Option<BankBalance> {
        Some(BankBalance {
            balance_type: balance_type(&self.balance_type)?,
            amount: self.balance_amount.amount,
            currency: entries::currency(&self.balance_amount.currency)?,
            credit_limit_included: self.credit_limit_included,
            reference_date: self.reference_date,
            changed_at: self.last_change_date_time,
        })
    }
}

/// `closingBooked` is our `ClosingBooked`.
fn balance_type(name: &str) -> Option<BalanceType> {
    let mut letters = name.chars();
    let first = letters.next()?.to_ascii_uppercase();
    format!("{first}{}", letters.as_str()).parse().ok()
}

impl AccountReport {
    /// What can be read, pending ones first: they are the newest. And what cannot.
    pub fn read(self) -> (Vec<BankTransaction>, Vec<Unreadable>) {
        let with = |status| move |entry: ExactValue| entries::read(entry.0, status);
        let pending = self.pending.into_iter().map(with(BookingStatus::Pending));
        let booked = self.booked.into_iter().map(with(BookingStatus::Booked));
        let (mut read, mut unreadable) = (Vec::new(), Vec::new());
        for entry in pending.chain(booked) {
            match entry {
                Ok(transaction) => read.push(transaction),
                Err(odd) => unreadable.push(odd),
            }
        }
        (read, unreadable)
    }
}

pub fn party(name: Option<String>, iban: Option<String>) -> Option<Party> {
    (name.is_some() || iban.is_some()).then_some(Party { name, iban })
}

/// Banks without an id send blanks or `NOTPROVIDED`: the same for every entry, so no id at all.
pub fn real(id: String) -> Option<String> {
    let trimmed = id.trim();
    let real = !trimmed.is_empty() && !trimmed.eq_ignore_ascii_case("NOTPROVIDED");
    real.then(|| trimmed.to_owned())
}

/// A decimal from a JSON string or number, digit by digit: never through binary floating point.
fn exact<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    let Exact(text) = Exact::deserialize(deserializer)?;
    let decimal = entries::decimal(&text);
    decimal.ok_or_else(|| D::Error::custom("an amount is a decimal"))
}

/// The code of an error body: `tppMessages`, or the RFC 7807 form that some banks prefer.
pub fn message_code(body: &[u8]) -> String {
    let Ok(body) = json::read(body, Limits::BODY) else {
        return word("");
    };
    let messages = body.get("tppMessages").and_then(Json::as_list);
    let first = messages.and_then(|all| all.first()?.get("code"));
    let code = first.or_else(|| body.get("code"));
    word(code.and_then(Json::as_str).unwrap_or_default())
}

/// The `error` of an OAuth error body.
pub fn oauth_error(body: &[u8]) -> String {
    let body = json::read(body, Limits::BODY).ok();
    let error = body.as_ref().and_then(|body| body.get("error")?.as_str());
    word(error.unwrap_or_default())
}

/// A bank's own word, fit for logs and answers: letters and `_`, or `UNKNOWN`.
pub fn word(text: &str) -> String {
    let fits = (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
    if fits {
        text.to_owned()
    } else {
        "UNKNOWN".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(written: &str) -> Option<String> {
        let text = format!(r#"{{"currency":"RON","amount":{written}}}"#);
        let amount: Result<Amount, _> = json::from_slice(text.as_bytes(), Limits::BODY);
        amount.ok().map(|amount| amount.amount.to_string())
    }

    #[test]
    fn amounts_are_exact_or_refused() {
        assert_eq!(amount("\"-12.50\"").as_deref(), Some("-12.50"));
        assert_eq!(amount("-256.67").as_deref(), Some("-256.67"));
        assert_eq!(amount("\"1e3\"").as_deref(), Some("1000"));
        assert_eq!(
            amount("4.27000000000000001").as_deref(),
            Some("4.27000000000000001")
        );
        for bad in [
            "\"\"",
            "\"12,50\"",
            "null",
            "\"NaN\"",
            "\"99999999999999999999999999999999\"",
        ] {
            assert_eq!(amount(bad), None, "{bad}");
        }
    }

    #[test]
    fn unknown_balance_types_are_left_out() {
        for known in BalanceType::ALL {
            let (first, rest) = known.as_str().split_at(1);
            let theirs = format!("{}{rest}", first.to_lowercase());
            assert_eq!(balance_type(&theirs), Some(*known), "{theirs}");
        }
        assert_eq!(balance_type("nonInvoiced"), None);
        assert_eq!(balance_type(""), None);
    }

    #[test]
    fn placeholders_are_no_ids() {
        assert_eq!(real(" x ".into()).as_deref(), Some("x"));
        assert_eq!(real("NotProvided".into()), None);
        assert_eq!(real(" ".into()), None);
    }

    #[test]
    fn a_banks_words_do_not_smuggle_anything() {
        assert_eq!(
            message_code(br#"{"tppMessages":[{"code":"CONSENT_EXPIRED"}]}"#),
            "CONSENT_EXPIRED"
        );
        assert_eq!(
            message_code(br#"{"code":"SERVICE_BLOCKED"}"#),
            "SERVICE_BLOCKED"
        );
        assert_eq!(
            message_code(br#"{"code":"RO49 belongs to somebody"}"#),
            "UNKNOWN"
        );
        assert_eq!(message_code(b"<html>"), "UNKNOWN");
    }
}
