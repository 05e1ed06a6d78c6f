//! Transactions as sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use uuid::Uuid;

use super::Time;
use crate::services::consents::transactions;

/// One transaction of an account.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Transaction {
    /// Id of this row, under this consent.
    pub id: Uuid,
    /// Id of the transaction itself, the same in every consent of your tenant. Upsert on it.
    pub utx_id: String,
    pub account_id: Uuid,
    /// Time the row was stored here.
    pub timestamp: Time,
    /// Basis of `utx_id`: `bank` (the bank's own id), `derived` (the transaction's fields as the bank gives them) or
    /// `positional` (those fields, and its place among others that look just like it).
    #[schema(value_type = String)]
    pub id_stability: &'static str,
    /// `utx_id` of the pending transaction this one took the place of, if that is known.
    pub replaces: Option<String>,
    pub data: TransactionData,
}

/// Transaction as the bank describes it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TransactionData {
    /// A decimal, without sign.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    /// `credit`, or `debit` for money that leaves the account.
    #[schema(value_type = String)]
    pub credit_debit_indicator: &'static str,
    /// `booked` or `pending`.
    #[schema(value_type = String)]
    pub status: &'static str,
    /// Day the transaction was booked; of a pending one, the day it is known from.
    pub booking_date_time: Time,
    /// Day of `booking_date_time` as the bank gave it, without a time zone.
    #[schema(value_type = String, format = Date)]
    pub booking_date: String,
    /// Day from which it counts for interest; `null` if the bank does not say.
    #[schema(value_type = Option<String>, format = Date)]
    pub value_date: Option<String>,
    /// Balance of the account after the transaction, a decimal; `null` if the bank does not say.
    pub balance: Option<String>,
    /// Text of the transaction on the end-user's statement.
    pub info: String,
    pub details: Option<TransactionDetails>,
    /// Reserved.
    #[schema(value_type = Option<Value>)]
    pub exchange_rate: Option<()>,
}

/// Further details of a transaction.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TransactionDetails {
    /// Reserved.
    #[schema(value_type = Vec<String>)]
    pub attach: [&'static str; 0],
    pub category: Option<String>,
    /// Reserved.
    #[schema(value_type = Option<String>)]
    pub location: Option<()>,
    /// Name of the counterparty.
    pub merchant: Option<String>,
    /// Reserved.
    #[schema(value_type = Vec<String>)]
    pub tags: [&'static str; 0],
}

impl From<transactions::OpenedTransaction> for Transaction {
    fn from(transaction: transactions::OpenedTransaction) -> Self {
        let transactions::OpenedTransaction { row, details, .. } = transaction;
        let more =
            (row.category.is_some() || details.merchant.is_some()).then_some(TransactionDetails {
                attach: [],
                category: row.category,
                location: None,
                merchant: details.merchant,
                tags: [],
            });
        Self {
            id: row.id.0,
            utx_id: STANDARD.encode(&row.utx.0),
            account_id: row.account_id.0,
            timestamp: Time(row.inserted_at),
            id_stability: details.stability.as_str(),
            replaces: row.replaces.map(|utx| STANDARD.encode(utx.0)),
            data: TransactionData {
                amount: details.amount,
                currency: row.currency,
                credit_debit_indicator: row.credit_debit.as_str(),
                status: row.status.as_str(),
                booking_date_time: Time(row.booked_at),
                booking_date: row.booked_at.date_naive().to_string(),
                value_date: details.value_date.map(|day| day.to_string()),
                balance: details.balance,
                info: details.info.unwrap_or_default(),
                details: more,
                exchange_rate: None,
            },
        }
    }
}
