//! Products as sent.

use app::domain::product::ProductTerms;
use chrono::NaiveDate;
use serde::Serialize;
use uuid::Uuid;

use super::Time;
use crate::services::consents::products;

/// One financial product that the end-user took out.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Product {
    pub id: Uuid,
    /// The servicer that supplies the skill.
    pub servicer_id: Uuid,
    pub servicer_name: String,
    /// Time the product was fetched from the servicer.
    pub timestamp: Time,
    pub data: ProductData,
}

/// Product as its provider describes it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ProductData {
    /// `deposit` or `credit_card`.
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// `awaiting_documents`, `active` or `closed`.
    #[schema(value_type = String)]
    pub status: &'static str,
    pub name: String,
    /// Reference of the product that the provider gave the end-user; may be empty.
    pub reference: String,
    pub terms: Terms,
}

/// Agreed terms. Amounts and rates are decimals; terms that the kind of product does not have are absent.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Terms {
    /// ISO 4217.
    pub currency: String,
    /// Deposited amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_months: Option<i64>,
    /// Per cent a year.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interest_rate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_on: Option<NaiveDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matures_on: Option<NaiveDate>,
    /// Amount paid out at maturity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maturity_amount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit_limit: Option<String>,
}

impl From<products::OpenedProduct> for Product {
    fn from(product: products::OpenedProduct) -> Self {
        let details = product.details;
        Self {
            id: product.id.0,
            servicer_id: product.servicer_id,
            servicer_name: product.servicer_name,
            timestamp: Time(product.fetched_at),
            data: ProductData {
                kind: details.kind.as_str(),
                status: details.status.as_str(),
                name: details.name,
                reference: details.reference.unwrap_or_default(),
                terms: details.terms.into(),
            },
        }
    }
}

impl From<ProductTerms> for Terms {
    fn from(terms: ProductTerms) -> Self {
        Self {
            currency: terms.currency,
            principal: terms.principal,
            period_months: terms.period_months,
            interest_rate: terms.interest_rate,
            starts_on: terms.starts_on,
            matures_on: terms.matures_on,
            maturity_amount: terms.maturity_amount,
            credit_limit: terms.credit_limit,
        }
    }
}
