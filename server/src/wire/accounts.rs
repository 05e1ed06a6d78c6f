//! Accounts as sent.

use app::domain::account::AccountUsage;
use serde::Serialize;
use uuid::Uuid;

use super::Time;
use crate::services::consents::accounts;
use crate::services::consents::sealed::{StoredAccountDetails, StoredBalanceDetails};
use crate::services::consents::utx::Stability;

/// One account that the end-user consented to.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Account {
    /// Used as `account_id` in filters.
    pub id: Uuid,
    /// The servicer that supplies the skill.
    pub servicer_id: Uuid,
    pub servicer_name: String,
    /// Time the account was fetched from the bank.
    pub timestamp: Time,
    /// Basis on which the account is recognised from one fetch to the next: `bank` (its IBAN, or the bank's own id), or
    /// `positional` where the bank tells it from another in no way but their order.
    #[schema(value_type = String)]
    pub id_stability: &'static str,
    pub data: AccountData,
}

/// Account as the bank describes it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AccountData {
    pub account_schemes: Vec<AccountScheme>,
    /// The bank's own name for the kind of account, or a general one where it has none.
    pub account_type: String,
    /// `CurrentAccount`, `Savings`, `CreditCard`, `Loan` or `Other`.
    #[schema(value_type = String)]
    pub account_sub_type: &'static str,
    /// ISO 4217.
    pub currency: String,
    /// May be empty.
    pub name: String,
    /// May be empty.
    pub nickname: String,
    pub balances: Vec<AccountBalance>,
}

/// Identification of an account under a scheme.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AccountScheme {
    /// `IBAN` or `BICFI`.
    #[schema(value_type = String)]
    pub scheme_name: &'static str,
    pub identification: String,
}

/// A balance within its account.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AccountBalance {
    /// A decimal, without sign.
    pub balance_amount: String,
    pub balance_currency: String,
    #[schema(value_type = String)]
    pub balance_type: &'static str,
    pub credit_limit_included: bool,
    /// `credit`, or `debit` below zero.
    #[schema(value_type = String)]
    pub credit_debit_indicator: &'static str,
}

impl From<accounts::OpenedAccount> for Account {
    fn from(account: accounts::OpenedAccount) -> Self {
        Self {
            id: account.id.0,
            servicer_id: account.servicer_id,
            servicer_name: account.servicer_name,
            timestamp: Time(account.fetched_at),
            id_stability: account
                .details
                .stability
                .unwrap_or(Stability::Bank)
                .as_str(),
            data: account.details.into(),
        }
    }
}

impl From<StoredAccountDetails> for AccountData {
    fn from(details: StoredAccountDetails) -> Self {
        let sub_type = sub_type(details.cash_account_type.as_deref());
        let scheme = |scheme_name, identification: Option<String>| {
            identification.map(|identification| AccountScheme {
                scheme_name,
                identification,
            })
        };
        let schemes = [scheme("IBAN", details.iban), scheme("BICFI", details.bic)];
        Self {
            account_schemes: schemes.into_iter().flatten().collect(),
            account_type: details
                .product
                .unwrap_or_else(|| kind(details.usage, sub_type)),
            account_sub_type: sub_type,
            currency: details.currency,
            name: details.name.unwrap_or_default(),
            nickname: String::new(),
            balances: details.balances.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<StoredBalanceDetails> for AccountBalance {
    fn from(balance: StoredBalanceDetails) -> Self {
        Self {
            balance_amount: balance.amount,
            balance_currency: balance.currency,
            balance_type: balance.balance_type.as_str(),
            credit_limit_included: balance.credit_limit_included,
            credit_debit_indicator: balance.credit_debit.as_str(),
        }
    }
}

/// ISO 20022 `ExternalCashAccountType1Code` in the documents' words.
fn sub_type(code: Option<&str>) -> &'static str {
    match code {
        Some("CACC" | "TRAN") | None => "CurrentAccount",
        Some("SVGS") => "Savings",
        Some("CARD") => "CreditCard",
        Some("LOAN" | "MGLD") => "Loan",
        Some(_) => "Other",
    }
}

fn kind(usage: Option<AccountUsage>, sub_type: &str) -> String {
    let whose = match usage {
        Some(AccountUsage::Organisation) => "Business",
        Some(AccountUsage::Private) | None => "Personal",
    };
    let what = match sub_type {
        "CurrentAccount" => "current account",
        "Savings" => "savings account",
        "CreditCard" => "credit card",
        "Loan" => "loan",
        _ => "account",
    };
    format!("{whose} {what}")
}
