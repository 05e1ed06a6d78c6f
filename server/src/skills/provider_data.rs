//! Data that providers return on accounts, transactions, payments and products. Amounts are exact decimals with their
//! sign; dates are the bank's own.

use app::domain::account::{AccountUsage, BalanceType};
use app::domain::payment::PaymentStatus;
use app::domain::product::{ProductKind, ProductStatus, ProductTerms};
use app::domain::transaction::BookingStatus;
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;

/// An account as the bank shows it under one consent (Berlin Group `accountDetails`).
#[derive(Clone, Debug, PartialEq)]
pub struct BankAccount {
    /// The bank's `resourceId`: stable within one consent only.
    pub id: String,
    pub iban: Option<String>,
    pub bic: Option<String>,
    /// ISO 4217.
    pub currency: String,
    pub name: Option<String>,
    /// The bank's own name for the kind of account.
    pub product: Option<String>,
    /// ISO 20022 `ExternalCashAccountType1Code`: `CACC`, `SVGS`.
    pub cash_account_type: Option<String>,
    pub usage: Option<AccountUsage>,
    pub balances: Vec<BankBalance>,
}

/// An entry of a bank's list that could not be read, and what it was.
#[derive(Clone, PartialEq, Eq)]
pub struct UnreadableEntry {
    /// The member that could not be read.
    pub field: &'static str,
    /// The bank's id of it, if that could be read.
    pub id: Option<String>,
    /// The entry's bytes as received; never to be logged.
    pub raw: Vec<u8>,
}

impl std::fmt::Debug for UnreadableEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unreadable({})", self.field)
    }
}

/// A balance, with its sign.
#[derive(Clone, Debug, PartialEq)]
pub struct BankBalance {
    pub balance_type: BalanceType,
    pub amount: Decimal,
    pub currency: String,
    pub credit_limit_included: bool,
    /// The day the balance belongs to, when the bank says so.
    pub reference_date: Option<NaiveDate>,
    /// Time it last changed, if the bank says so.
    pub changed_at: Option<DateTime<Utc>>,
}

/// A transaction (Berlin Group `transactions`, ISO 20022 camt.053 entries). Only the amount is sure to be there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BankTransaction {
    /// The bank's `transactionId`, if it gives one worth the name; unique within the account at best.
    pub id: Option<String>,
    pub entry_reference: Option<String>,
    pub status: BookingStatus,
    /// With its sign: below zero is money leaving the account.
    pub amount: Decimal,
    /// ISO 4217.
    pub currency: String,
    pub booking_date: Option<NaiveDate>,
    pub value_date: Option<NaiveDate>,
    pub creditor: Option<Counterparty>,
    pub debtor: Option<Counterparty>,
    /// Unstructured remittance information.
    pub remittance: Option<String>,
    pub end_to_end_id: Option<String>,
    /// ISO 20022 `PMNT-ICDT-STDO` and the like.
    pub bank_transaction_code: Option<String>,
    /// ISO 18245.
    pub merchant_category_code: Option<String>,
    /// The bank's own category of spending, if it names one.
    pub category: Option<String>,
    /// Balance of the account after the entry.
    pub balance_after: Option<Decimal>,
}

/// The other side of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counterparty {
    pub name: Option<String>,
    pub iban: Option<String>,
}

/// A financial product as its provider describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankProduct {
    /// The provider's own id.
    pub id: String,
    pub kind: ProductKind,
    pub status: ProductStatus,
    pub name: String,
    /// Reference known to the end-user: a contract's or a masked card's number.
    pub reference: Option<String>,
    pub terms: ProductTerms,
}

/// Selection of a page of transactions.
#[derive(Clone, Debug)]
pub enum PageRequest {
    /// The first one: everything from this booking date on, or all the history the bank gives.
    First { from: Option<NaiveDate> },
    /// The one that a page's `next` named.
    Next(String),
}

/// One page of transactions, newest first as far as the bank keeps to it.
#[derive(Clone, Debug, PartialEq)]
pub struct BankTransactionPage {
    pub transactions: Vec<BankTransaction>,
    /// Entries of the page that could not be read.
    pub unreadable: Vec<UnreadableEntry>,
    /// The bank's own link to the next page, opaque; `None` on the last one. An empty page may have one.
    pub next: Option<String>,
}

/// A payment as its bank shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankPayment {
    pub status: PaymentStatus,
    /// Reason of a rejection: ISO 20022 `ExternalStatusReason1Code`.
    pub reason: Option<String>,
    /// The account that pays, once the end-user has chosen it.
    pub debtor_iban: Option<String>,
    /// Payments of a bulk, in the order in which they were ordered. Empty for other payments, or if the bank does not
    /// say.
    pub items: Vec<BankPaymentItem>,
    /// Executions of a standing order; `None` for other payments.
    pub executions: Option<BankExecutions>,
}

/// One payment of a bulk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankPaymentItem {
    pub status: PaymentStatus,
    pub reason: Option<String>,
}

/// Number of executions of a standing order, and the days of the last and the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BankExecutions {
    pub done: i64,
    pub last: Option<NaiveDate>,
    pub next: Option<NaiveDate>,
}
