//! What a bank says, as it is kept.

use app::domain::account::CreditDebit;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use rust_decimal::Decimal;

use crate::services::data::{AccountDetails, BalanceDetails, TransactionDetails};
use crate::services::utx::Stability;
use crate::skills::{BankAccount, BankBalance, BankTransaction};

pub fn account(account: &BankAccount) -> AccountDetails {
    AccountDetails {
        iban: account.iban.clone(),
        bic: account.bic.clone(),
        currency: account.currency.clone(),
        name: account.name.clone(),
        product: account.product.clone(),
        cash_account_type: account.cash_account_type.clone(),
        usage: account.usage,
        balances: account.balances.iter().map(balance).collect(),
        marker: None,
        stability: None,
    }
}

fn balance(balance: &BankBalance) -> BalanceDetails {
    BalanceDetails {
        balance_type: balance.balance_type,
        amount: balance.amount.abs().to_string(),
        currency: balance.currency.clone(),
        credit_debit: sign(balance.amount),
        credit_limit_included: balance.credit_limit_included,
        reference_date: balance.reference_date,
        changed_at: balance.changed_at,
    }
}

pub fn transaction(transaction: &BankTransaction, stability: Stability) -> TransactionDetails {
    let other = match sign(transaction.amount) {
        CreditDebit::Debit => &transaction.creditor,
        CreditDebit::Credit => &transaction.debtor,
    };
    TransactionDetails {
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
