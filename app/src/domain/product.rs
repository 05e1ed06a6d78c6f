//! A financial product that an end-user took out: a deposit, a card. Providers describe them in these words.

use chrono::NaiveDate;

string_enum! {
    /// Kind of a product.
    ProductKind {
        /// Money for a fixed time at a fixed rate.
        Deposit = "deposit",
        CreditCard = "credit_card",
    }
}

string_enum! {
    /// Status of a product.
    ProductStatus {
        /// Agreed on; the provider waits for documents before it can be used.
        AwaitingDocuments = "awaiting_documents",
        Active = "active",
        /// Ended: matured, closed or cancelled.
        Closed = "closed",
    }
}

/// Terms of a product. Amounts and rates are decimals as text, exact; a field is `None` if the kind of product has no
/// such term.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProductTerms {
    /// ISO 4217.
    pub currency: String,
    /// Amount deposited.
    pub principal: Option<String>,
    /// Time the amount is deposited for, in months.
    pub period_months: Option<i64>,
    /// Per cent a year.
    pub interest_rate: Option<String>,
    pub starts_on: Option<NaiveDate>,
    pub matures_on: Option<NaiveDate>,
    /// Amount paid out at maturity.
    pub maturity_amount: Option<String>,
    /// Highest amount that may be owed.
    pub credit_limit: Option<String>,
}
