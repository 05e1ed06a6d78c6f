//! Details of cached data as they are stored: sealed for their own row where they may identify anybody, and found again by
//! keyed digests.

use app::domain::account::{AccountUsage, BalanceType, CreditDebit};
use app::domain::ids::CredentialsId;
use chrono::{DateTime, NaiveDate, Utc};
use kernel::crypto::Digest;
use serde::{Deserialize, Serialize};

use super::utx::Stability;
use crate::services::refusal::ApiError;
use crate::state::AppState;
use crate::text::fold;

/// Details of an account that are stored sealed.
#[derive(Serialize, Deserialize)]
pub struct StoredAccountDetails {
    pub iban: Option<String>,
    pub bic: Option<String>,
    pub currency: String,
    pub name: Option<String>,
    pub product: Option<String>,
    pub cash_account_type: Option<String>,
    pub usage: Option<AccountUsage>,
    pub balances: Vec<StoredBalanceDetails>,
    /// Text that tells its transactions from those of another account of the same IBAN and currency; `None` if there is
    /// no such account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
    /// Stability of what the account is recognised by from one fetch to the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stability: Option<Stability>,
    /// IBAN, or the bank's id where there was none, and currency by which its transactions are told, where the bank has
    /// said otherwise since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_as: Option<(String, String)>,
}

/// Details of a balance that are stored sealed.
#[derive(Clone, Serialize, Deserialize)]
pub struct StoredBalanceDetails {
    pub balance_type: BalanceType,
    /// Without sign.
    pub amount: String,
    pub currency: String,
    pub credit_debit: CreditDebit,
    pub credit_limit_included: bool,
    pub reference_date: Option<NaiveDate>,
    pub changed_at: Option<DateTime<Utc>>,
}

/// Details of a transaction that are stored sealed.
#[derive(Serialize, Deserialize)]
pub struct StoredTransactionDetails {
    /// Without sign.
    pub amount: String,
    pub balance: Option<String>,
    pub info: Option<String>,
    pub merchant: Option<String>,
    pub merchant_category_code: Option<String>,
    pub value_date: Option<NaiveDate>,
    pub stability: Stability,
    /// References that travel with it: a pending entry and its booking have them in common.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
}

impl StoredTransactionDetails {
    /// Returns `true` if the details equal the stored ones. Texts are compared folded, and references only if some are
    /// stored, as older rows have none.
    pub fn says_as(&self, kept: &Self) -> bool {
        let text = |text: &Option<String>| fold(text.as_deref().unwrap_or_default());
        self.amount == kept.amount
            && self.balance == kept.balance
            && text(&self.info) == text(&kept.info)
            && text(&self.merchant) == text(&kept.merchant)
            && self.merchant_category_code == kept.merchant_category_code
            && self.value_date == kept.value_date
            && self.stability == kept.stability
            && (kept.references.is_empty() || self.references == kept.references)
    }
}

/// The key a merchant's name is looked up by: names of one consent that are alike have equal keys, and that is all they
/// tell. [`fold`] says what is alike.
pub fn merchant_key(
    state: &AppState,
    consent: CredentialsId,
    name: &str,
) -> Result<Digest, ApiError> {
    exact_key(state, consent, &fold(name))
}

/// The keys that rows with a name may have: rows of before names were folded have that of the very text, and rows of
/// before there were data keys another.
pub fn merchant_keys(
    state: &AppState,
    consent: CredentialsId,
    name: &str,
) -> Result<Vec<Digest>, ApiError> {
    let folded = merchant_key(state, consent, name)?;
    let exact = exact_key(state, consent, name)?;
    let former = |key: &Digest| Digest::of(key.other().to_vec());
    let formers = [former(&folded), former(&exact)];
    Ok([folded, exact].into_iter().chain(formers).collect())
}

fn exact_key(state: &AppState, consent: CredentialsId, name: &str) -> Result<Digest, ApiError> {
    let text = format!("{consent}/{name}");
    Ok(state.vault.digest(&state.pepper, "merchant", &text)?)
}

/// Seals a row's details under its associated data.
pub fn seal<T: Serialize>(state: &AppState, aad: &str, details: &T) -> Result<Vec<u8>, ApiError> {
    let plain = serde_json::to_vec(details).map_err(ApiError::broken)?;
    Ok(state.vault.seal(&state.clock, aad, &plain)?)
}

/// Opens a row's details.
pub fn open<T: for<'de> Deserialize<'de>>(
    state: &AppState,
    aad: &str,
    sealed: &[u8],
) -> Result<T, ApiError> {
    let plain = state.vault.open(aad, sealed)?;
    serde_json::from_slice(&plain).map_err(|_| ApiError::broken("a row's details cannot be read"))
}
