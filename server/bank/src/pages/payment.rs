//! The page on which a payment is confirmed.

use chrono::{DateTime, Utc};

use super::checked::{CheckedDecision, field};
use super::format::{grouped, thousands};
use super::payment_view::{self, Payer, PaymentView};
use super::views::RequestingParties;
use super::visit::{VisitError, path};
use crate::BankState;
use crate::payments::order::{Order, Service};
use crate::payments::status::binding_at;
use crate::storage::books;
use crate::storage::payments::{self, Authorised};
use crate::storage::visits::VisitRow;
use crate::storage::{DbResult, Tx};

/// The account that pays, and from when on that is binding.
pub struct Confirmed {
    account: i64,
    binding_at: Option<DateTime<Utc>>,
}

/// An account that could pay.
struct Candidate {
    id: i64,
    /// Amount that can be spent from it, in minor units.
    available: i64,
    payer: Payer,
}

/// The page with the first account chosen that has enough.
pub async fn page(bank: &BankState, tx: &mut Tx, visit: &VisitRow) -> Result<String, VisitError> {
    let order = order(tx, visit).await?;
    let mut candidates = candidates(bank, tx, visit, &order, None).await?;
    let enough = |candidate: &&mut Candidate| candidate.available >= order.total();
    if order.debtor_account.is_none()
        && let Some(first) = candidates.iter_mut().find(enough)
    {
        first.payer.chosen = true;
    }
    Ok(render(bank, visit, &order, candidates, None))
}

/// Judges the form: only an account on the page can pay, and only what is there.
pub async fn judge(
    bank: &BankState,
    tx: &mut Tx,
    visit: &VisitRow,
    fields: &[(String, String)],
    approves: bool,
) -> Result<CheckedDecision<Confirmed>, VisitError> {
    let order = order(tx, visit).await?;
    let chosen = field(fields, "account").and_then(|id| id.parse().ok());
    let candidates = candidates(bank, tx, visit, &order, chosen).await?;
    let payer = candidates.iter().find(|candidate| candidate.payer.chosen);
    // What falls due later is paid from what will be there then.
    let at_once = order.schedule.is_none() && order.on.is_none_or(|on| on <= bank.today());
    let error = match (approves, payer) {
        (false, _) => "Choose Confirm or Refuse.",
        (true, None) => "Choose the account to pay from.",
        (true, Some(payer)) if at_once && payer.available < order.total() => {
            "There is not enough on this account. Choose another one, or Refuse."
        }
        (true, Some(payer)) => {
            return Ok(CheckedDecision::Yes(Confirmed {
                account: payer.id,
                binding_at: binding_at(&order, bank.clock.now()),
            }));
        }
    };
    let page = render(bank, visit, &order, candidates, Some(error));
    Ok(CheckedDecision::Again(page))
}

/// Authorises the payment; false if it no longer waits.
pub async fn authorise(
    tx: &mut Tx,
    visit: &VisitRow,
    confirmed: &Confirmed,
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let yes = Authorised {
        username: visit.username.as_deref().unwrap_or_default(),
        account: confirmed.account,
        binding_at: confirmed.binding_at,
    };
    payments::authorise(tx, visit.subject_id, &yes, now).await
}

async fn order(tx: &mut Tx, visit: &VisitRow) -> Result<Order, VisitError> {
    let unreadable = || VisitError::BadRequest("the payment is not one of ours");
    let row = payments::find(tx, visit.subject_id)
        .await?
        .ok_or_else(unreadable)?;
    let service = Service::parse(&row.service).ok_or_else(unreadable)?;
    let body = serde_json::from_str(&row.body).unwrap_or_default();
    Order::read(service, &row.product, &body).map_err(|_| unreadable())
}

/// The user's accounts in the payment's currency, or the one that the order names.
async fn candidates(
    bank: &BankState,
    tx: &mut Tx,
    visit: &VisitRow,
    order: &Order,
    chosen: Option<i64>,
) -> Result<Vec<Candidate>, VisitError> {
    let named = order.debtor_account.as_ref().map(|account| &account.iban);
    let mut candidates = Vec::new();
    for account in books::accounts_of(tx, visit.username.as_deref().unwrap_or_default()).await? {
        if account.currency != order.currency || named.is_some_and(|iban| *iban != account.iban) {
            continue;
        }
        let holdings = books::holdings(tx, account.id, bank.today()).await?;
        let available = holdings.booked + holdings.pending + account.credit_limit;
        candidates.push(Candidate {
            id: account.id,
            available,
            payer: Payer {
                id: account.id,
                chosen: named.is_some() || chosen == Some(account.id),
                name: account.name,
                iban: grouped(&account.iban),
                available: thousands(available),
                currency: account.currency,
            },
        });
    }
    Ok(candidates)
}

fn render(
    bank: &BankState,
    visit: &VisitRow,
    order: &Order,
    candidates: Vec<Candidate>,
    error: Option<&str>,
) -> String {
    let payers: Vec<Payer> = candidates.into_iter().map(|one| one.payer).collect();
    payment_view::confirm(&PaymentView {
        path: &path(visit),
        asker: &RequestingParties::of(bank, visit),
        order,
        payers: &payers,
        error,
    })
}
