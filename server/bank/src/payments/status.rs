//! Status of a payment at an instant.

use chrono::{DateTime, Duration, NaiveTime, Utc};

use super::order::{Order, creditor_exists};
use crate::ledger::Day;
use crate::storage::payments::BankPaymentRow;

/// Time from authorisation, or the beginning of the payment's day, until the bank begins to execute it.
const ACCEPTING: Duration = Duration::seconds(1);
const EXECUTING: Duration = Duration::seconds(3);
/// ISO 20022 `ExternalStatusReason1Code`: the creditor's account does not exist.
const NO_SUCH_CREDITOR: &str = "AC03";

/// Status of a payment as the bank reports it. Statuses are ISO 20022 codes.
#[derive(Debug, PartialEq, Eq)]
pub struct OrderStatus {
    pub status: &'static str,
    pub reason: Option<&'static str>,
    /// Status and reason of each transfer, in the order of the order's transfers.
    pub transfers: Vec<(&'static str, Option<&'static str>)>,
    /// Executions of a standing order; `None` for other payments.
    pub executions: Option<StandingOrderExecutions>,
}

/// Number of executions of a standing order, and the days of the last and the next one.
#[derive(Debug, PartialEq, Eq)]
pub struct StandingOrderExecutions {
    pub done: i64,
    pub last: Option<Day>,
    pub next: Option<Day>,
}

/// The instant a day begins.
fn midnight(day: Day) -> DateTime<Utc> {
    day.date().and_time(NaiveTime::MIN).and_utc()
}

/// Returns the instant from which an order that is authorised now can no longer be cancelled; `None` if it has no last
/// day.
pub fn binding_at(order: &Order, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    match (&order.schedule, order.on) {
        (Some(schedule), _) if schedule.end.is_none() => None,
        (Some(schedule), _) => schedule.due().last().map(midnight),
        (None, Some(on)) => Some(midnight(on).max(now)),
        (None, None) => Some(now),
    }
}

/// Works out the status of a payment at an instant.
pub fn standing(row: &BankPaymentRow, order: &Order, now: DateTime<Utc>) -> OrderStatus {
    let everywhere = |status, reason| OrderStatus {
        status,
        reason,
        transfers: vec![(status, reason); order.transfers.len()],
        executions: None,
    };
    let Some(authorised_at) = row.authorised_at else {
        let status = match (row.cancelled_at, row.refused_at) {
            (Some(_), _) => "CANC",
            (None, Some(_)) => "RJCT",
            (None, None) if row.authorise_by <= now => "RJCT",
            (None, None) => "RCVD",
        };
        return everywhere(status, None);
    };
    if order.schedule.is_some() {
        return periodic(row, order, authorised_at, now);
    }
    if row.cancelled_at.is_some() {
        return everywhere("CANC", None);
    }
    let begins = order
        .on
        .map_or(authorised_at, |on| midnight(on).max(authorised_at));
    if now < begins + ACCEPTING {
        everywhere("ACTC", None)
    } else if now < begins + EXECUTING {
        everywhere("ACSP", None)
    } else {
        executed(order)
    }
}

/// Every transfer, one way or the other.
fn executed(order: &Order) -> OrderStatus {
    let transfers: Vec<_> = order
        .transfers
        .iter()
        .map(|one| {
            if creditor_exists(&one.creditor_account.iban) {
                ("ACSC", None)
            } else {
                ("RJCT", Some(NO_SUCH_CREDITOR))
            }
        })
        .collect();
    let rejected = transfers
        .iter()
        .filter(|(status, _)| *status == "RJCT")
        .count();
    let (status, reason) = match rejected {
        0 => ("ACSC", None),
        all if all == transfers.len() => ("RJCT", Some(NO_SUCH_CREDITOR)),
        _ => ("PART", None),
    };
    OrderStatus {
        status,
        reason,
        transfers,
        executions: None,
    }
}

fn periodic(
    row: &BankPaymentRow,
    order: &Order,
    authorised_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> OrderStatus {
    // What happened after a cancellation did not happen.
    let now = row.cancelled_at.map_or(now, |at| at.min(now));
    let mut executions = StandingOrderExecutions {
        done: 0,
        last: None,
        next: None,
    };
    for day in order.schedule.iter().flat_map(|schedule| schedule.due()) {
        if midnight(day).max(authorised_at) + EXECUTING > now {
            executions.next = Some(day);
            break;
        }
        executions.done += 1;
        executions.last = Some(day);
    }
    let payable = order
        .transfers
        .iter()
        .all(|one| creditor_exists(&one.creditor_account.iban));
    let (status, reason) = match (&executions, payable) {
        _ if row.cancelled_at.is_some() => ("CANC", None),
        (StandingOrderExecutions { done: 0, .. }, _) => ("ACTC", None),
        (_, false) => ("RJCT", Some(NO_SUCH_CREDITOR)),
        (StandingOrderExecutions { next: Some(_), .. }, true) => ("ACSP", None),
        (StandingOrderExecutions { next: None, .. }, true) => ("ACSC", None),
    };
    if status == "CANC" || status == "RJCT" {
        executions.next = None;
    }
    if !payable {
        (executions.done, executions.last) = (0, None);
    }
    OrderStatus {
        status,
        reason,
        transfers: vec![(status, reason)],
        executions: Some(executions),
    }
}
