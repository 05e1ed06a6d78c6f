//! Formats of the bank's answers, and their conversion into facts. Lenient where real banks differ: unknown members,
//! unknown balance types, amounts as numbers and placeholder ids do no harm; a balance whose amount is no decimal is
//! left out ([`super::accounts`]), and an entry that cannot be read costs itself alone ([`super::entries`]).

use app::domain::payment::PaymentStatus;
use app::domain::transaction::BookingStatus;
use chrono::NaiveDate;
use json::{ExactValue, JsonValue, ReadLimits};
use serde::Deserialize;

use super::{accounts, entries};
use crate::skills::connector::{
    BankAccount, BankExecutions, BankPayment, BankPaymentItem, BankTransaction, ConnectorError,
    UnreadableEntry,
};

#[derive(Deserialize)]
pub struct BankLink {
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
    pub sca_oauth: BankLink,
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
pub struct PaymentResponse {
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

impl PaymentResponse {
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

/// Returns `true` if a text has the form of an ISO 20022 reason code: four capital letters or digits.
fn is_reason(code: &str) -> bool {
    code.len() == 4
        && code
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// Reads an ISO 20022 payment status code. Fails if it is none of the standard's.
pub fn payment_status(code: &str) -> Result<PaymentStatus, ConnectorError> {
    code.parse().map_err(|_| {
        ConnectorError::BadAnswer("a payment has a status that is not in the standard")
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsentResponse {
    pub consent_status: String,
    pub valid_until: NaiveDate,
}

#[derive(Deserialize)]
pub struct TokenResponse {
    pub access_token: String,
}

/// A bank's list of accounts, each read by itself ([`super::accounts`]).
#[derive(Deserialize)]
pub struct Accounts {
    accounts: Vec<ExactValue>,
}

impl Accounts {
    /// The accounts as facts.
    pub fn read(&self) -> Result<Vec<BankAccount>, ConnectorError> {
        let accounts = self.accounts.iter();
        accounts.map(|account| accounts::read(&account.0)).collect()
    }
}

#[derive(Deserialize)]
pub struct TransactionReport {
    pub transactions: AccountReport,
}

#[derive(Deserialize)]
pub struct AccountReport {
    booked: Option<Vec<ExactValue>>,
    pending: Option<Vec<ExactValue>>,
    #[serde(rename = "_links")]
    links: Option<ReportLinks>,
}

#[derive(Deserialize)]
struct ReportLinks {
    next: Option<BankLink>,
}

#[derive(Deserialize)]
struct Reference {
    iban: Option<String>,
}

impl AccountReport {
    /// The address of the page that follows.
    pub fn next(&self) -> Option<&str> {
        let next = self.links.as_ref()?.next.as_ref()?;
        Some(next.href.trim()).filter(|href| !href.is_empty())
    }

    /// Returns the entries that can be read, pending ones first as they are the newest, and those that cannot.
    pub fn read(self) -> (Vec<BankTransaction>, Vec<UnreadableEntry>) {
        let with = |status| move |entry: ExactValue| entries::read(entry.0, status);
        let pending = self
            .pending
            .into_iter()
            .flatten()
            .map(with(BookingStatus::Pending));
        let booked = self
            .booked
            .into_iter()
            .flatten()
            .map(with(BookingStatus::Booked));
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

/// The code of an error body: `tppMessages`, or the RFC 7807 form that some banks prefer.
pub fn message_code(body: &[u8]) -> String {
    let Ok(body) = json::read(body, ReadLimits::BODY) else {
        return word("");
    };
    let messages = body.get("tppMessages").and_then(JsonValue::as_list);
    let first = messages.and_then(|all| all.first()?.get("code"));
    let code = first.or_else(|| body.get("code"));
    word(code.and_then(JsonValue::as_str).unwrap_or_default())
}

/// The `error` of an OAuth error body.
pub fn oauth_error(body: &[u8]) -> String {
    let body = json::read(body, ReadLimits::BODY).ok();
    let error = body.as_ref().and_then(|body| body.get("error")?.as_str());
    word(error.unwrap_or_default())
}

/// A bank's own word if its interface has it, fit for logs and answers; any other is `UNKNOWN`, for it may be about somebody.
pub fn word(text: &str) -> String {
    let known = WORDS.contains(&text);
    let text = if known { text } else { "UNKNOWN" };
    text.to_owned()
}

/// Message codes of NextGenPSD2 (Implementation Guidelines 1.3.12, section 14.11), consent states (14.12), errors of OAuth 2
/// (RFC 6749, sections 4.1.2.1 and 5.2), and errors of the sandbox bank's marketplace with its reasons to refuse a
/// verification.
const WORDS: &[&str] = &[
    "CERTIFICATE_INVALID",
    "ROLE_INVALID",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_BLOCKED",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_MISSING",
    "SIGNATURE_INVALID",
    "SIGNATURE_MISSING",
    "FORMAT_ERROR",
    "PARAMETER_NOT_CONSISTENT",
    "PARAMETER_NOT_SUPPORTED",
    "PSU_CREDENTIALS_INVALID",
    "SERVICE_INVALID",
    "SERVICE_BLOCKED",
    "CORPORATE_ID_INVALID",
    "CONSENT_UNKNOWN",
    "CONSENT_INVALID",
    "CONSENT_EXPIRED",
    "TOKEN_UNKNOWN",
    "TOKEN_INVALID",
    "TOKEN_EXPIRED",
    "RESOURCE_UNKNOWN",
    "RESOURCE_EXPIRED",
    "RESOURCE_BLOCKED",
    "TIMESTAMP_INVALID",
    "PERIOD_INVALID",
    "SCA_METHOD_UNKNOWN",
    "SCA_INVALID",
    "STATUS_INVALID",
    "PRODUCT_INVALID",
    "PRODUCT_UNKNOWN",
    "PAYMENT_FAILED",
    "REQUIRED_KID_MISSING",
    "EXECUTION_DATE_INVALID",
    "CANCELLATION_INVALID",
    "CARD_INVALID",
    "NO_PIIS_ACTIVATION",
    "SESSIONS_NOT_SUPPORTED",
    "ACCESS_EXCEEDED",
    "REQUESTED_FORMATS_INVALID",
    "REFERENCE_MIX_INVALID",
    "REFERENCE_STATUS_INVALID",
    "INTERNAL_SERVER_ERROR",
    "received",
    "rejected",
    "valid",
    "partiallyAuthorised",
    "revokedByPsu",
    "expired",
    "terminatedByTpp",
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "invalid_scope",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
    "access_denied",
    "server_error",
    "temporarily_unavailable",
    "stranger",
    "unknown",
    "out_of_turn",
    "too_large",
    "malformed",
    "nobody_applies",
    "no_source",
    "not_accepted",
    "id_is_no_uuid",
    "amount_out_of_range",
    "period_out_of_range",
    "broken_off",
    "empty",
    "unavailable",
    "document_unreadable",
    "document_rejected",
    "documents_missing",
    "rejected_by_bank",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_without_a_list_is_one_without_entries() {
        let read =
            |text: &str| json::from_slice::<TransactionReport>(text.as_bytes(), ReadLimits::ANSWER);
        for empty in [
            r#"{"transactions":{"booked":null,"pending":null,"_links":null}}"#,
            r#"{"transactions":{"_links":{"next":null}}}"#,
            r#"{"transactions":{"_links":{"next":{"href":" "}}}}"#,
        ] {
            let report = read(empty).unwrap().transactions;
            assert_eq!(report.next(), None);
            let (entries, unreadable) = report.read();
            assert!(entries.is_empty() && unreadable.is_empty());
        }
        // An error with status 200 is no empty list, nor is half a link the end of one.
        for odd in [
            r#"{"tppMessages":[{"code":"ACCESS_EXCEEDED"}]}"#,
            r#"{"transactions":null}"#,
            r#"{"transactions":{"booked":{}}}"#,
            r#"{"transactions":{"_links":{"next":{}}}}"#,
        ] {
            assert!(read(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn placeholders_are_no_ids() {
        assert_eq!(entries::real(" x ".into()).as_deref(), Some("x"));
        assert_eq!(entries::real("NotProvided".into()), None);
        assert_eq!(entries::real(" ".into()), None);
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
        // A name is made of letters, too.
        for body in [
            r#"{"code":"IONESCU_MARIA"}"#,
            r#"{"error":"maria_ionescu"}"#,
        ] {
            assert_eq!(message_code(body.as_bytes()), "UNKNOWN");
            assert_eq!(oauth_error(body.as_bytes()), "UNKNOWN");
        }
    }
}
