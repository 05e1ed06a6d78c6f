//! Transactions as sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use uuid::Uuid;

use super::Time;
use crate::services::transactions;

/// One transaction of an account.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Transaction {
    /// This row, under this consent.
    pub id: Uuid,
    /// The transaction itself: the same in every consent of your tenant. Upsert on it.
    pub utx_id: String,
    pub account_id: Uuid,
    /// When the row was stored here.
    pub timestamp: Time,
    /// What `utx_id` was made from: `bank` (the bank's own id), `derived` (what the bank says about the transaction) or
    /// `positional` (the same, and its place among others that look just like it).
    #[schema(value_type = String)]
    pub id_stability: &'static str,
    /// `utx_id` of the pending transaction this one took the place of, if that is known.
    pub replaces: Option<String>,
    pub data: TransactionData,
}

/// What the bank says about a transaction.
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
    /// The day it was booked, or for a pending one the day it is known from.
    pub booking_date_time: Time,
    /// The same as the bank said it: a day of no time zone.
    #[schema(value_type = String, format = Date)]
    pub booking_date: String,
    /// The day from which it counts for interest, if the bank says so.
    #[schema(value_type = Option<String>, format = Date)]
    pub value_date: Option<String>,
    /// What the account held afterwards, if the bank says so.
    pub balance: Option<String>,
    /// What the end-user reads on the statement.
    pub info: String,
    pub details: Option<TransactionDetails>,
    /// Reserved.
    #[schema(value_type = Option<Value>)]
    pub exchange_rate: Option<()>,
}

/// What more is known about a transaction.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TransactionDetails {
    /// Reserved.
    #[schema(value_type = Vec<String>)]
    pub attach: [&'static str; 0],
    pub category: Option<String>,
    /// Reserved.
    #[schema(value_type = Option<String>)]
    pub location: Option<()>,
    /// The other side.
    pub merchant: Option<String>,
    /// Reserved.
    #[schema(value_type = Vec<String>)]
    pub tags: [&'static str; 0],
}

impl From<transactions::Transaction> for Transaction {
    fn from(transaction: transactions::Transaction) -> Self {
        let transactions::Transaction { row, details } = transaction;
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
