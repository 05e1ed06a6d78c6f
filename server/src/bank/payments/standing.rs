//! How far a payment is at an instant.

use chrono::{DateTime, Duration, NaiveTime, Utc};

use super::order::{Order, creditor_exists};
use crate::bank::ledger::Day;
use crate::bank::storage::payments::PaymentRow;

/// From authorisation, or the beginning of its day, until the bank begins with a payment, and until it is through.
const ACCEPTING: Duration = Duration::seconds(1);
const EXECUTING: Duration = Duration::seconds(3);
/// ISO 20022 `ExternalStatusReason1Code`: the creditor's account does not exist.
const NO_SUCH_CREDITOR: &str = "AC03";

/// What the bank says about a payment. Statuses are ISO 20022 codes.
#[derive(Debug, PartialEq, Eq)]
pub struct Standing {
    pub status: &'static str,
    pub reason: Option<&'static str>,
    /// One for each transfer.
    pub transfers: Vec<(&'static str, Option<&'static str>)>,
    /// Of a standing order.
    pub executions: Option<Executions>,
}

/// How often a standing order was executed.
#[derive(Debug, PartialEq, Eq)]
pub struct Executions {
    pub done: i64,
    pub last: Option<Day>,
    pub next: Option<Day>,
}

/// The instant a day begins.
fn midnight(day: Day) -> DateTime<Utc> {
    day.date().and_time(NaiveTime::MIN).and_utc()
}

/// From when on an order cannot be cancelled if it is authorised now; none: it has no last day.
pub fn binding_at(order: &Order, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    match (&order.schedule, order.on) {
        (Some(schedule), _) if schedule.end.is_none() => None,
        (Some(schedule), _) => schedule.due().last().map(midnight),
        (None, Some(on)) => Some(midnight(on).max(now)),
        (None, None) => Some(now),
    }
}

/// How far it is.
pub fn standing(row: &PaymentRow, order: &Order, now: DateTime<Utc>) -> Standing {
    let everywhere = |status, reason| Standing {
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
fn executed(order: &Order) -> Standing {
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
    Standing {
        status,
        reason,
        transfers,
        executions: None,
    }
}

fn periodic(
    row: &PaymentRow,
    order: &Order,
    authorised_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Standing {
    // What happened after a cancellation did not happen.
    let now = row.cancelled_at.map_or(now, |at| at.min(now));
    let mut executions = Executions {
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
        (Executions { done: 0, .. }, _) => ("ACTC", None),
        (_, false) => ("RJCT", Some(NO_SUCH_CREDITOR)),
        (Executions { next: Some(_), .. }, true) => ("ACSP", None),
        (Executions { next: None, .. }, true) => ("ACSC", None),
    };
    if status == "CANC" || status == "RJCT" {
        executions.next = None;
    }
    if !payable {
        (executions.done, executions.last) = (0, None);
    }
    Standing {
        status,
        reason,
        transfers: vec![(status, reason)],
        executions: Some(executions),
    }
}
