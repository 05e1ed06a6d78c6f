//! Balances as sent by the balances operations.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::Time;
use crate::services::consents::accounts;

/// One balance of an account.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Balance {
    pub id: Uuid,
    pub account_id: Uuid,
    /// Time the balance was fetched from the bank.
    pub timestamp: Time,
    pub data: BalanceData,
}

/// Balance as the bank states it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct BalanceData {
    /// `ClosingBooked`, `InterimAvailable` and so on (ISO 20022).
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// A decimal, without sign.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    /// `credit`, or `debit` below zero.
    #[schema(value_type = String)]
    pub credit_debit_indicator: &'static str,
    pub credit_limit_included: bool,
    /// Reserved.
    #[schema(value_type = Option<Value>)]
    pub credit_line: Option<()>,
    /// Day the balance belongs to; `null` if the bank does not say.
    pub native_date: Option<NaiveDate>,
    /// Time the balance last changed; `null` if the bank does not say.
    pub native_timestamp: Option<Time>,
}

impl From<accounts::OpenedBalance> for Balance {
    fn from(balance: accounts::OpenedBalance) -> Self {
        let details = balance.details;
        let time: Option<DateTime<Utc>> = details.changed_at;
        Self {
            id: balance.id.0,
            account_id: balance.account_id.0,
            timestamp: Time(balance.fetched_at),
            data: BalanceData {
                kind: details.balance_type.as_str(),
                amount: details.amount,
                currency: details.currency,
                credit_debit_indicator: details.credit_debit.as_str(),
                credit_limit_included: details.credit_limit_included,
                credit_line: None,
                native_date: details.reference_date,
                native_timestamp: time.map(Time),
            },
        }
    }
}
