//! A financial product that an end-user took out: a deposit, a card. Providers describe them in these words.

use chrono::NaiveDate;

words! {
    /// What kind of product it is.
    ProductKind {
        /// Money for a fixed time at a fixed rate.
        Deposit = "deposit",
        CreditCard = "credit_card",
    }
}

words! {
    /// How far a product is.
    ProductStatus {
        /// Agreed on; the provider waits for documents before it can be used.
        AwaitingDocuments = "awaiting_documents",
        Active = "active",
        /// Ended: matured, closed or cancelled.
        Closed = "closed",
    }
}

/// What was agreed on. Amounts and rates are decimals as text, exact; only what a kind of product has is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProductTerms {
    /// ISO 4217.
    pub currency: String,
    /// What was deposited.
    pub principal: Option<String>,
    /// How long it is deposited for.
    pub period_months: Option<i64>,
    /// Per cent a year.
    pub interest_rate: Option<String>,
    pub starts_on: Option<NaiveDate>,
    pub matures_on: Option<NaiveDate>,
    /// What is paid out at maturity.
    pub maturity_amount: Option<String>,
    /// What may be owed at most.
    pub credit_limit: Option<String>,
}
