//! Conversion of a bank's data into rows.

use app::domain::account::CreditDebit;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use rust_decimal::Decimal;

use crate::services::consents::sealed::{
    StoredAccountDetails, StoredBalanceDetails, StoredTransactionDetails,
};
use crate::services::consents::utx::Stability;
use crate::skills::{BankAccount, BankBalance, BankTransaction};

pub fn account(account: &BankAccount) -> StoredAccountDetails {
    StoredAccountDetails {
        iban: account.iban.clone(),
        bic: account.bic.clone(),
        currency: account.currency.clone(),
        name: account.name.clone(),
        product: account.product.clone(),
        cash_account_type: account.cash_account_type.clone(),
        usage: account.usage,
        balances: latest(&account.balances).into_iter().map(balance).collect(),
        marker: None,
        stability: None,
        known_as: None,
    }
}

/// Returns the balances, of several of one type and currency the latest: some banks give one for each of the last days.
fn latest(all: &[BankBalance]) -> Vec<&BankBalance> {
    let mut latest: Vec<&BankBalance> = Vec::with_capacity(all.len());
    for balance in all {
        let time = |it: &BankBalance| (it.reference_date, it.changed_at);
        let same = latest
            .iter_mut()
            .find(|it| it.balance_type == balance.balance_type && it.currency == balance.currency);
        match same {
            None => latest.push(balance),
            Some(kept) if time(kept) < time(balance) => *kept = balance,
            Some(_) => {}
        }
    }
    latest
}

fn balance(balance: &BankBalance) -> StoredBalanceDetails {
    StoredBalanceDetails {
        balance_type: balance.balance_type,
        amount: balance.amount.abs().to_string(),
        currency: balance.currency.clone(),
        credit_debit: sign(balance.amount),
        credit_limit_included: balance.credit_limit_included,
        reference_date: balance.reference_date,
        changed_at: balance.changed_at,
    }
}

pub fn transaction(
    transaction: &BankTransaction,
    stability: Stability,
) -> StoredTransactionDetails {
    let other = match sign(transaction.amount) {
        CreditDebit::Debit => &transaction.creditor,
        CreditDebit::Credit => &transaction.debtor,
    };
    StoredTransactionDetails {
        amount: transaction.amount.abs().to_string(),
        balance: transaction.balance_after.map(|amount| amount.to_string()),
        info: transaction.remittance.clone(),
        merchant: other.as_ref().and_then(|party| party.name.clone()),
        merchant_category_code: transaction.merchant_category_code.clone(),
        value_date: transaction.value_date,
        stability,
        references: [&transaction.end_to_end_id, &transaction.entry_reference]
            .into_iter()
            .flatten()
            .cloned()
            .collect(),
    }
}

pub fn sign(amount: Decimal) -> CreditDebit {
    if amount.is_sign_negative() && !amount.is_zero() {
        CreditDebit::Debit
    } else {
        CreditDebit::Credit
    }
}

pub fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}
