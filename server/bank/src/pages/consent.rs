//! The page on which accounts are chosen for a consent to account information.

use chrono::{DateTime, Utc};

use super::checked::CheckedDecision;
use super::format::{grouped, thousands};
use super::views::{self, AccountChoice, RequestingParties};
use super::visit::{VisitError, path};
use crate::BankState;
use crate::storage::visits::VisitRow;
use crate::storage::{DbResult, Tx};
use crate::storage::{books, consents};

/// The accounts that were ticked.
pub struct ChosenAccounts(Vec<i64>);

/// The page with every account ticked: the end-user takes off what they want to keep to themselves.
pub async fn page(bank: &BankState, tx: &mut Tx, visit: &VisitRow) -> Result<String, VisitError> {
    let mut choices = choices(bank, tx, visit, &[]).await?;
    for choice in &mut choices {
        choice.ticked = true;
    }
    render(bank, tx, visit, &choices, None).await
}

/// Judges the form: only what is on the page can be ticked.
pub async fn judge(
    bank: &BankState,
    tx: &mut Tx,
    visit: &VisitRow,
    fields: &[(String, String)],
    approves: bool,
) -> Result<CheckedDecision<ChosenAccounts>, VisitError> {
    let accounts = fields.iter().filter(|(key, _)| key == "accounts");
    let accounts: Vec<i64> = accounts.filter_map(|(_, id)| id.parse().ok()).collect();
    let choices = choices(bank, tx, visit, &accounts).await?;
    let ticked = choices.iter().filter(|choice| choice.ticked);
    let ticked: Vec<i64> = ticked.map(|choice| choice.id).collect();
    let error = if !approves {
        "Choose Agree or Refuse."
    } else if ticked.is_empty() {
        "Tick at least one account, or choose Refuse."
    } else {
        return Ok(CheckedDecision::Yes(ChosenAccounts(ticked)));
    };
    let page = render(bank, tx, visit, &choices, Some(error)).await?;
    Ok(CheckedDecision::Again(page))
}

/// Makes the consent valid for the accounts ticked; false if it no longer waits.
pub async fn give(
    bank: &BankState,
    tx: &mut Tx,
    visit: &VisitRow,
    (ticked, browser): (&ChosenAccounts, Option<&str>),
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let user = visit.username.as_deref();
    if !consents::decide(tx, visit.subject_id, "valid", user, now).await? {
        return Ok(false);
    }
    if let Some(browser) = browser {
        consents::note_browser(tx, visit.subject_id, browser).await?;
    }
    for account in &ticked.0 {
        consents::tick(tx, visit.subject_id, bank.clock.id(), *account).await?;
    }
    Ok(true)
}

async fn choices(
    bank: &BankState,
    tx: &mut Tx,
    visit: &VisitRow,
    ticked: &[i64],
) -> Result<Vec<AccountChoice>, VisitError> {
    let mut choices = Vec::new();
    for account in books::accounts_of(tx, visit.username.as_deref().unwrap_or_default()).await? {
        let booked = books::holdings(tx, account.id, bank.today()).await?.booked;
        choices.push(AccountChoice {
            id: account.id,
            ticked: ticked.contains(&account.id),
            name: account.name,
            iban: grouped(&account.iban),
            balance: thousands(booked),
            currency: account.currency,
            overdrawn: booked < 0,
        });
    }
    Ok(choices)
}

async fn render(
    bank: &BankState,
    tx: &mut Tx,
    visit: &VisitRow,
    choices: &[AccountChoice],
    error: Option<&str>,
) -> Result<String, VisitError> {
    let path = path(visit);
    let asker = RequestingParties::of(bank, visit);
    if choices.is_empty() {
        return Ok(views::no_accounts(&path, &asker));
    }
    let consent = consents::find(tx, visit.subject_id).await?;
    let ends = consent.map_or(visit.expires_at, |consent| consent.expires_at);
    let last_day = ends.date_naive().pred_opt().unwrap_or_default();
    let today = bank.clock.now().date_naive();
    Ok(views::consent(
        &path,
        &asker,
        (today, last_day),
        choices,
        error,
    ))
}
