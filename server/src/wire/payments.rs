//! Payments as sent.

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::Time;
use crate::services::consents::payments::{self, ItemDetails};
use crate::skills::payment_intent::Transfer;

/// A payment: what was ordered, and how far it is.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Payment {
    pub id: Uuid,
    /// The record whose pair reads it.
    pub credentials_id: Option<Uuid>,
    /// The servicer that supplies the skill.
    pub servicer_id: Uuid,
    pub servicer_name: String,
    pub skill: String,
    /// `single`, `future_dated`, `periodic` or `bulk`.
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// ISO 20022: `RCVD`, `PDNG`, `PATC`, `ACTC`, `ACFC`, `ACCP`, `ACSP`, `ACWC`, `ACWP`, `PART`, `ACSC`, `ACCC`, `RJCT` or
    /// `CANC`.
    #[schema(value_type = String)]
    pub status: &'static str,
    /// The status in plain words.
    #[schema(value_type = String)]
    pub status_text: &'static str,
    /// `true` if the status cannot change any more.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// Reason of the rejection, ISO 20022 `ExternalStatusReason1Code`; `null` if there is none or the bank does not
    /// say.
    pub reason: Option<String>,
    /// The sum of all transfers: a decimal, without sign.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    /// Day the payment is executed; of a standing order the next one.
    pub execution_date: Option<NaiveDate>,
    /// The account that pays: as ordered, or as the end-user chose it.
    pub debtor_account: Option<PaymentAccount>,
    /// Every transfer; a single payment has one.
    pub items: Vec<PaymentItem>,
    /// Executions of a standing order; `null` for other payments, and before the bank has told them.
    pub executions: Option<Executions>,
    /// Payment as ordered: the step's `data`, without the fields about the end-user's browser.
    #[schema(value_type = Object)]
    pub ordered: Value,
    pub created_at: Time,
    /// Time the status last changed.
    pub updated_at: Time,
    /// Time the bank was last asked for the status; `null` before the first time.
    pub as_of: Option<Time>,
    /// `cache`, or `bank` if it was asked for this very call.
    #[schema(value_type = String)]
    pub served_from: &'static str,
}

/// An account, by its number.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PaymentAccount {
    pub iban: String,
}

/// One transfer.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PaymentItem {
    pub end_to_end_id: Option<String>,
    /// Status of the transfer, if the bank reports the transfers of a bulk one by one; otherwise that of the payment.
    #[schema(value_type = String)]
    pub status: &'static str,
    #[schema(value_type = String)]
    pub status_text: &'static str,
    #[serde(rename = "final")]
    pub is_final: bool,
    pub reason: Option<String>,
    pub amount: String,
    pub currency: String,
    pub creditor_name: String,
    pub creditor_account: PaymentAccount,
}

/// Executions of a standing order: their number, the last and the next.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Executions {
    pub done: i64,
    pub last_date: Option<NaiveDate>,
    pub next_date: Option<NaiveDate>,
}

impl From<payments::OpenedPayment> for Payment {
    fn from(payment: payments::OpenedPayment) -> Self {
        let info = payment.intent.info();
        let iban = payment.said.debtor_iban.clone();
        let iban = iban.or(info
            .debtor_account
            .as_ref()
            .map(|account| account.iban.clone()));
        let items = info.transfers.iter().enumerate();
        Self {
            items: items
                .map(|(place, one)| item(&payment, one, payment.said.items.get(place)))
                .collect(),
            id: payment.id.0,
            credentials_id: payment.credentials_id.map(|id| id.0),
            servicer_id: payment.servicer_id,
            kind: payment.kind.as_str(),
            status: payment.status.as_str(),
            status_text: payment.status.text(),
            is_final: payment.is_final,
            amount: payment.total.to_string(),
            currency: info.currency().to_owned(),
            execution_date: payment.execution_date(),
            debtor_account: iban.map(|iban| PaymentAccount { iban }),
            executions: payment.said.executions.map(|told| Executions {
                done: told.done,
                last_date: told.last,
                next_date: told.next,
            }),
            created_at: Time(payment.created_at),
            updated_at: Time(payment.updated_at),
            as_of: payment.as_of.map(Time),
            served_from: payment.served_from.as_str(),
            skill: payment.skill.to_string(),
            servicer_name: payment.servicer_name,
            reason: payment.said.reason,
            ordered: payment.ordered,
        }
    }
}

fn item(
    payment: &payments::OpenedPayment,
    one: &Transfer,
    told: Option<&ItemDetails>,
) -> PaymentItem {
    let status = told.map_or(payment.status, |told| told.status);
    let reason = told.map_or(&payment.said.reason, |told| &told.reason);
    let amount = &one.amount.instructed_amount;
    PaymentItem {
        end_to_end_id: one
            .payment_id
            .as_ref()
            .and_then(|id| id.end_to_end_id.clone()),
        status: status.as_str(),
        status_text: status.text(),
        is_final: told.map_or(payment.is_final, |told| told.status.is_final()),
        reason: reason.clone(),
        amount: amount.amount.clone(),
        currency: amount.currency.clone(),
        creditor_name: one.creditor.name.clone(),
        creditor_account: PaymentAccount {
            iban: one.creditor_account.iban.clone(),
        },
    }
}
