//! An order as the specification writes it (1.3.12: `paymentInitiation_json`, `periodicPaymentInitiation_json`,
//! `bulkPaymentInitiation_json`), read and judged.

use chrono::NaiveDate;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schedule::{ExecutionRule, Frequency, Schedule};
use crate::ledger::Day;
use crate::ledger::accounts::ACCOUNTS;
use crate::xs2a_error::Xs2aError;

/// Largest number of transfers in one bulk.
const MOST_TRANSFERS: usize = 500;
/// Days ahead that a payment, or the start of a standing order, may be dated at most.
const FARTHEST: i64 = 366;
const LONGEST_PERIOD: i64 = 10 * 366;

/// The payment service of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Service {
    #[serde(rename = "payments")]
    Single,
    #[serde(rename = "periodic-payments")]
    Periodic,
    #[serde(rename = "bulk-payments")]
    Bulk,
}

impl Service {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Single => "payments",
            Self::Periodic => "periodic-payments",
            Self::Bulk => "bulk-payments",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Single, Self::Periodic, Self::Bulk]
            .into_iter()
            .find(|service| service.as_str() == text)
    }
}

/// The one currency of a payment product; none: there is no such product. The first is the specification's, the second
/// the bank's own.
pub fn currency_of(product: &str) -> Option<&'static str> {
    match product {
        "sepa-credit-transfers" => Some("EUR"),
        "domestic-credit-transfers" => Some("RON"),
        _ => None,
    }
}

#[derive(Clone, Deserialize, Serialize)]
pub struct OrderAmount {
    pub currency: String,
    pub amount: String,
}

#[derive(Clone, Deserialize, Serialize)]
pub struct AccountReference {
    pub iban: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

/// One transfer: what single, periodic and bulk payments have in common.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderTransfer {
    pub end_to_end_identification: Option<String>,
    pub instructed_amount: OrderAmount,
    pub creditor_account: AccountReference,
    pub creditor_name: String,
    pub remittance_information_unstructured: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Terms {
    debtor_account: Option<AccountReference>,
    requested_execution_date: Option<NaiveDate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Period {
    start_date: NaiveDate,
    end_date: Option<NaiveDate>,
    frequency: Frequency,
    day_of_execution: Option<String>,
    execution_rule: Option<ExecutionRule>,
}

#[derive(Deserialize)]
struct Several {
    payments: Vec<OrderTransfer>,
}

/// An order that the bank would take.
pub struct Order {
    pub debtor_account: Option<AccountReference>,
    /// The day it is to be executed; `None` to execute it at once.
    pub on: Option<Day>,
    /// Due days of a standing order; `None` for other payments.
    pub schedule: Option<Schedule>,
    pub transfers: Vec<OrderTransfer>,
    pub currency: &'static str,
}

impl Order {
    /// Reads an order as it came, without judging dates: they were right when it came.
    pub fn read(service: Service, product: &str, body: &Value) -> Result<Self, Xs2aError> {
        let currency = currency_of(product).ok_or(Xs2aError::product_unknown())?;
        let terms: Terms = part(body)?;
        let transfers = match service {
            Service::Bulk => part::<Several>(body)?.payments,
            Service::Single | Service::Periodic => vec![part(body)?],
        };
        let schedule = match service {
            Service::Periodic => Some(schedule(part(body)?)?),
            Service::Single | Service::Bulk => None,
        };
        Ok(Self {
            debtor_account: terms.debtor_account,
            on: terms.requested_execution_date.map(Day::from_date),
            schedule,
            transfers,
            currency,
        })
    }

    /// Refuses an order that the bank does not accept today.
    pub fn judge(&self, today: Day) -> Result<(), Xs2aError> {
        if self.transfers.is_empty() || self.transfers.len() > MOST_TRANSFERS {
            return Err(Xs2aError::format("a bulk has 1 to 500 payments"));
        }
        for transfer in &self.transfers {
            judge_transfer(transfer, self.currency)?;
        }
        if self
            .debtor_account
            .as_ref()
            .is_some_and(|account| !is_ours(&account.iban))
        {
            return Err(Xs2aError::debtor_unknown());
        }
        if self
            .on
            .is_some_and(|on| on < today || on > today.plus(FARTHEST))
        {
            return Err(Xs2aError::execution_date());
        }
        let Some(schedule) = &self.schedule else {
            return Ok(());
        };
        let end = schedule.end.unwrap_or(schedule.start);
        let sensible = self.on.is_none()
            && schedule.start >= today
            && schedule.start <= today.plus(FARTHEST)
            && end <= schedule.start.plus(LONGEST_PERIOD)
            && schedule.due().next().is_some();
        if sensible {
            Ok(())
        } else {
            Err(Xs2aError::period())
        }
    }

    /// The sum of all transfers, in minor units.
    pub fn total(&self) -> i64 {
        let amounts = self
            .transfers
            .iter()
            .map(|one| minor(&one.instructed_amount.amount));
        amounts.fold(0, |sum, amount| sum.saturating_add(amount.unwrap_or(0)))
    }
}

fn part<T: DeserializeOwned>(body: &Value) -> Result<T, Xs2aError> {
    T::deserialize(body).map_err(|_| {
        Xs2aError::format(
            "the body lacks members of its payment service, or has them in another form",
        )
    })
}

fn schedule(period: Period) -> Result<Schedule, Xs2aError> {
    let day = match &period.day_of_execution {
        None => None,
        Some(text) => {
            let day = text
                .parse()
                .ok()
                .filter(|day| (1..=31).contains(day) && !text.starts_with('0'));
            Some(day.ok_or(Xs2aError::format("dayOfExecution must be from 1 to 31"))?)
        }
    };
    if day.is_some() && !period.frequency.is_monthly() {
        return Err(Xs2aError::parameter(
            "dayOfExecution is for monthly and rarer payments",
        ));
    }
    Ok(Schedule {
        start: Day::from_date(period.start_date),
        end: period.end_date.map(Day::from_date),
        frequency: period.frequency,
        day,
        rule: period.execution_rule.unwrap_or(ExecutionRule::Following),
    })
}

fn judge_transfer(transfer: &OrderTransfer, currency: &str) -> Result<(), Xs2aError> {
    let amount = &transfer.instructed_amount;
    if amount.currency != currency {
        return Err(Xs2aError::parameter(
            "sepa-credit-transfers are in EUR, domestic-credit-transfers in RON",
        ));
    }
    if minor(&amount.amount).is_none_or(|amount| amount <= 0) {
        return Err(Xs2aError::format(
            "an amount is a decimal above zero with at most two decimals",
        ));
    }
    if transfer
        .creditor_account
        .iban
        .parse::<iban::Iban>()
        .is_err()
    {
        return Err(Xs2aError::format("creditorAccount has no valid IBAN"));
    }
    let fits = |text: &str, most: usize| !text.trim().is_empty() && text.chars().count() <= most;
    let reference = transfer.end_to_end_identification.as_deref();
    let remittance = transfer.remittance_information_unstructured.as_deref();
    if !fits(&transfer.creditor_name, 70)
        || reference.is_some_and(|text| !fits(text, 35))
        || remittance.is_some_and(|text| !fits(text, 140))
    {
        return Err(Xs2aError::format(
            "a name, reference or text is empty or too long",
        ));
    }
    Ok(())
}

/// `12.5` is 1250; at most 14 digits before the point and two after it.
pub fn minor(text: &str) -> Option<i64> {
    let (whole, cents) = text.split_once('.').unwrap_or((text, "00"));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !(1..=14).contains(&whole.len())
        || !(1..=2).contains(&cents.len())
        || !digits(whole)
        || !digits(cents)
    {
        return None;
    }
    format!("{whole}{cents:0<2}").parse().ok()
}

fn is_ours(iban: &str) -> bool {
    ACCOUNTS.iter().any(|account| account.iban() == iban)
}

/// Returns `true` if a creditor can be paid: an account at another bank, or one of this bank's that exists.
pub fn creditor_exists(iban: &str) -> bool {
    iban.get(4..8) != Some("XYZB") || is_ours(iban)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::accounts::LedgerAccount;

    #[test]
    fn amounts_are_read_to_the_cent() {
        for (text, amount) in [
            ("12.5", Some(1250)),
            ("12.05", Some(1205)),
            ("1056", Some(105_600)),
            ("0.01", Some(1)),
            ("99999999999999.99", Some(9_999_999_999_999_999)),
            ("-1", None),
            ("1.", None),
            (".5", None),
            ("1.234", None),
            ("1e3", None),
            ("", None),
            ("123456789012345", None),
        ] {
            assert_eq!(minor(text), amount, "{text}");
        }
    }

    #[test]
    fn of_this_banks_accounts_only_existing_ones_can_be_paid() {
        let own = ACCOUNTS.iter().map(LedgerAccount::iban);
        assert!(own.into_iter().all(|iban| creditor_exists(&iban)));
        assert!(creditor_exists("DE89370400440532013000"));
        assert!(!creditor_exists("RO00XYZB0000000000000042"));
    }
}
