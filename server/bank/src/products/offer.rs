//! Products that the bank offers, and their terms. All of it is arithmetic: nothing is stored but what was asked for.

use chrono::{Months, NaiveDate};
use json::Exact;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::problem::ProductError;

/// Deposits above this need a word about where the money comes from, in any currency.
const SOURCE_OF_FUNDS_ABOVE: Decimal = Decimal::from_parts(250_000, 0, 0, false, 0);
const SMALLEST: Decimal = Decimal::from_parts(100, 0, 0, false, 0);
const LARGEST: Decimal = Decimal::from_parts(10_000_000, 0, 0, false, 0);
const LONGEST_MONTHS: u32 = 60;
/// Interest rate on what a card's holder owes, in per cent a year.
const CARD_RATE: &str = "21.90";
/// Kinds of documents that every applicant must hand in.
pub const DOCUMENTS: [&str; 2] = ["id_document", "selfie"];

/// Product that is applied for, with its amount and period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestedProduct {
    product: Kind,
    /// Amount of the deposit, or credit limit of the card.
    #[serde(deserialize_with = "written")]
    amount: Decimal,
    currency: Currency,
    /// Term of a deposit in months; `None` for a card.
    #[serde(default)]
    months: Option<u32>,
}

/// An amount digit by digit, never through binary floating point.
fn written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    let Exact(text) = Exact::deserialize(deserializer)?;
    Decimal::from_str_exact(&text).map_err(|_| D::Error::custom("an amount is a decimal"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Deposit,
    CreditCard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Currency {
    Eur,
    Ron,
    Usd,
}

impl RequestedProduct {
    /// Refuses what the bank does not offer: an amount or a term out of range.
    pub fn check(&self) -> Result<(), ProductError> {
        if !(SMALLEST..=LARGEST).contains(&self.amount) || self.amount.normalize().scale() > 2 {
            return Err(ProductError::Unfit("amount_out_of_range"));
        }
        match (self.product, self.months) {
            (Kind::CreditCard, None) => Ok(()),
            (Kind::Deposit, Some(months)) if (1..=LONGEST_MONTHS).contains(&months) => Ok(()),
            _ => Err(ProductError::Unfit("period_out_of_range")),
        }
    }

    /// Returns the word that its applications are stored under.
    pub const fn kind(&self) -> &'static str {
        match self.product {
            Kind::Deposit => "deposit",
            Kind::CreditCard => "credit_card",
        }
    }

    /// The name on the shelf.
    pub const fn name(&self) -> &'static str {
        match self.product {
            Kind::Deposit => "XYZ Fixed Deposit",
            Kind::CreditCard => "XYZ Credit Card",
        }
    }

    /// Returns `true` if the applicant is verified before the contract; otherwise the documents may follow it.
    pub fn is_verified_first(&self) -> bool {
        self.product == Kind::Deposit
    }

    /// Returns `true` if the bank asks for the source of the funds.
    pub fn needs_source_of_funds(&self) -> bool {
        self.product == Kind::Deposit && self.amount > SOURCE_OF_FUNDS_ABOVE
    }

    /// Returns the terms of a product that is opened on this day.
    pub fn terms(&self, day: NaiveDate) -> Value {
        let Some(months) = self.months else {
            return json!({
                "currency": self.currency,
                "creditLimit": money(self.amount),
                "interestRate": CARD_RATE,
                "startsOn": day,
            });
        };
        let rate = rate(self.currency, months);
        let years = Decimal::from(months) / Decimal::from(12);
        let interest = self.amount * rate / Decimal::ONE_HUNDRED * years;
        json!({
            "currency": self.currency,
            "principal": money(self.amount),
            "periodMonths": months,
            "interestRate": money(rate),
            "startsOn": day,
            "maturesOn": day.checked_add_months(Months::new(months)).unwrap_or(day),
            "maturityAmount": money(self.amount + interest),
        })
    }
}

/// Per cent a year: longer is better, and leu pays more than euro.
fn rate(currency: Currency, months: u32) -> Decimal {
    let base = match months {
        0..=5 => 200,
        6..=11 => 275,
        12..=23 => 325,
        _ => 350,
    };
    let more = match currency {
        Currency::Eur => 0,
        Currency::Usd => 75,
        Currency::Ron => 250,
    };
    Decimal::new(base + more, 2)
}

/// With two digits after the point, half cents to the even one.
fn money(amount: Decimal) -> String {
    let rounded = amount.round_dp_with_strategy(2, RoundingStrategy::MidpointNearestEven);
    format!("{rounded:.2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deposit_pays_what_its_rate_says() {
        let wanted: RequestedProduct = serde_json::from_value(
            json!({ "product": "deposit", "amount": "100000", "currency": "EUR", "months": 12 }),
        )
        .unwrap();
        wanted.check().unwrap();
        let terms = wanted.terms("2026-01-31".parse().unwrap());
        assert_eq!(terms["principal"], "100000.00");
        assert_eq!(terms["interestRate"], "3.25");
        assert_eq!(terms["maturityAmount"], "103250.00");
        assert_eq!(terms["maturesOn"], "2027-01-31");
        assert!(!wanted.needs_source_of_funds());
    }

    #[test]
    fn what_the_bank_does_not_offer_is_refused() {
        let deposit = |amount: &str, months: Option<u32>| RequestedProduct {
            product: Kind::Deposit,
            amount: amount.parse().unwrap(),
            currency: Currency::Ron,
            months,
        };
        assert!(deposit("250000.01", Some(1)).needs_source_of_funds());
        for (amount, months) in [
            ("99.99", Some(1)),
            ("10000000.01", Some(1)),
            ("100.001", Some(1)),
            ("100", Some(0)),
            ("100", Some(61)),
            ("100", None),
        ] {
            assert!(
                deposit(amount, months).check().is_err(),
                "{amount} {months:?}"
            );
        }
    }
}
