//! Cached data, as answers are made from it: read when it is fresh enough, fetched from the bank when it is not
//! ([`super::fetch`]), and sealed for its own row where it may identify anybody.

use std::time::Duration as StdDuration;

use app::domain::account::{AccountUsage, BalanceType, CreditDebit};
use app::domain::ids::{AccountId, CredentialsId};
use app::domain::problem::Code;
use app::domain::skill::SkillType;
use chrono::{DateTime, Duration, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::budget::{BankBudget, BankCalls};
use super::fetch::{self, Fetched, Occasion};
use super::keys::Client;
use super::refusal::{Failure, Refusal};
use super::utx::Stability;
use super::{consents, consents::Credentials};
use crate::crypto::Digest;
use crate::state::AppState;
use crate::storage::consents::ConsentRow;
pub use crate::storage::unreadable::UnreadableCount;
use crate::text::fold;

/// How long a read waits for the first fetch before it sends its caller away for a while.
const PATIENCE: StdDuration = StdDuration::from_secs(20);
/// How long a read waits for fresher data before it answers with what is there.
const REFRESH_PATIENCE: StdDuration = StdDuration::from_secs(5);
/// How often it looks.
const GLANCE: StdDuration = StdDuration::from_millis(50);

/// Where the data of an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServedFrom {
    Cache,
    /// Fetched for this very call.
    Bank,
}

impl ServedFrom {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Bank => "bank",
        }
    }
}

/// A consent whose data is there.
pub struct Readable {
    pub consent: ConsentRow,
    pub fresh: Fresh,
}

/// How fresh data is, and whether the bank could be asked for fresher.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// When the data was fetched.
    pub as_of: DateTime<Utc>,
    pub served_from: ServedFrom,
    /// Of account data.
    pub budget: Option<BankBudget>,
    /// Whether the bank's last answer took so much away that what is here waits for a later one to confirm it.
    pub suspect: bool,
    /// Entries of the bank's last answer that could not be read.
    pub unreadable: i64,
}

/// What is kept sealed of an account.
#[derive(Serialize, Deserialize)]
pub struct AccountDetails {
    pub iban: Option<String>,
    pub bic: Option<String>,
    pub currency: String,
    pub name: Option<String>,
    pub product: Option<String>,
    pub cash_account_type: Option<String>,
    pub usage: Option<AccountUsage>,
    pub balances: Vec<BalanceDetails>,
    /// What its transactions are told by from those of another account of the same IBAN and currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
    /// What it is recognised by from one fetch to the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stability: Option<Stability>,
}

/// What is kept sealed of a balance.
#[derive(Clone, Serialize, Deserialize)]
pub struct BalanceDetails {
    pub balance_type: BalanceType,
    /// Without sign.
    pub amount: String,
    pub currency: String,
    pub credit_debit: CreditDebit,
    pub credit_limit_included: bool,
    pub reference_date: Option<NaiveDate>,
    pub changed_at: Option<DateTime<Utc>>,
}

/// What is kept sealed of a transaction.
#[derive(Serialize, Deserialize)]
pub struct TransactionDetails {
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

impl TransactionDetails {
    /// Whether it says the same as what is kept: a text in another spelling says nothing new, and references were not
    /// always kept.
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

/// What could not be read of the bank's last answer.
pub async fn unreadable(
    state: &AppState,
    readable: &Readable,
) -> Result<Vec<UnreadableCount>, Failure> {
    if readable.fresh.unreadable == 0 {
        return Ok(Vec::new());
    }
    let mut tx = state.db.read().await?;
    Ok(tx.unreadable(readable.consent.id).await?)
}

/// The consent of a pair with its data there: fetched now if it never was, or if it has become old and the bank lets
/// itself be asked. A bank that does not answer costs freshness, not the answer.
pub async fn readable(
    state: &AppState,
    client: &Client,
    credentials: &Credentials,
) -> Result<Readable, Failure> {
    let consent = alive(state, client, credentials).await?;
    let now = state.clock.now();
    let Some(as_of) = consent.fetched_at else {
        let as_of = wait(state, consent.id).await?;
        return Ok(told(state, consent, as_of, ServedFrom::Bank));
    };
    let outdated = now - Duration::minutes(state.config.data.refresh_minutes);
    let quiet = consent.quiet_until.is_some_and(|until| until > now);
    let budget = calls(state, &consent).budget(state.config.data.bank_calls_per_day);
    if as_of > outdated || quiet || budget.left == 0 {
        return Ok(told(state, consent, as_of, ServedFrom::Cache));
    }
    let fetched = refresh(state, consent.id, outdated).await?;
    // Whatever the bank said since counts: it may have ended the consent.
    let consent = alive(state, client, credentials).await?;
    let (as_of, from) = match fetched {
        Some(at) => (at, ServedFrom::Bank),
        None => (consent.fetched_at.unwrap_or(as_of), ServedFrom::Cache),
    };
    Ok(told(state, consent, as_of, from))
}

async fn alive(
    state: &AppState,
    client: &Client,
    credentials: &Credentials,
) -> Result<ConsentRow, Failure> {
    let mut tx = state.db.read().await?;
    let consent = consents::authorise(state, &mut tx, client, credentials).await?;
    consents::require_user(&consent, credentials)?;
    consents::require_kind(state, &consent, SkillType::AccountInformation)?;
    Ok(consent)
}

fn told(
    state: &AppState,
    consent: ConsentRow,
    as_of: DateTime<Utc>,
    served_from: ServedFrom,
) -> Readable {
    let budget = calls(state, &consent).budget(state.config.data.bank_calls_per_day);
    let fresh = Fresh {
        as_of,
        served_from,
        budget: Some(budget),
        suspect: consent.suspect_since.is_some(),
        unreadable: consent.unreadable,
    };
    Readable { consent, fresh }
}

fn calls(state: &AppState, consent: &ConsentRow) -> BankCalls {
    BankCalls::read(consent.bank_calls.as_deref(), state.clock.now())
}

/// Fetches again; `None` if that takes too long, somebody else is at it, or the bank would not.
async fn refresh(
    state: &AppState,
    id: CredentialsId,
    outdated: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Failure> {
    let fetching = {
        let state = state.clone();
        // To the end, even if nobody waits any more: the call is counted.
        tokio::spawn(async move { fetch::fetch(&state, id, Occasion::Stale(outdated)).await })
    };
    match tokio::time::timeout(REFRESH_PATIENCE, fetching).await {
        Ok(Ok(Ok(Fetched::At(at)))) => Ok(Some(at)),
        // The bank's refusals were logged where they happened.
        Ok(Ok(Ok(_) | Err(Failure::Refused(_)))) | Err(_) => Ok(None),
        Ok(Ok(Err(failure))) => Err(failure),
        Ok(Err(error)) => Err(Failure::Broken(format!("a fetch broke off: {error}"))),
    }
}

/// Fetches for the first time, or waits for whoever is fetching.
async fn wait(state: &AppState, id: CredentialsId) -> Result<DateTime<Utc>, Failure> {
    let started = tokio::time::Instant::now();
    while started.elapsed() < PATIENCE {
        let fetching = {
            let state = state.clone();
            // To the end, even if the caller hangs up: others may be waiting for it.
            tokio::spawn(async move { fetch::fetch(&state, id, Occasion::Consented(None)).await })
        };
        let broke = |error| Failure::Broken(format!("a fetch broke off: {error}"));
        match tokio::time::timeout(PATIENCE.saturating_sub(started.elapsed()), fetching).await {
            Ok(fetched) => match fetched.map_err(broke)?? {
                Fetched::At(at) => return Ok(at),
                Fetched::Elsewhere | Fetched::NotNow => tokio::time::sleep(GLANCE).await,
            },
            Err(_) => break,
        }
    }
    Err(Refusal::new(Code::ServiceUnavailable)
        .says("The data is still being fetched from the bank.")
        .after(2)
        .into())
}

/// The key a merchant's name is looked up by: names of one consent that are alike have equal keys, and that is all they
/// tell. [`fold`] says what is alike.
pub fn merchant_key(
    state: &AppState,
    consent: CredentialsId,
    name: &str,
) -> Result<Digest, Failure> {
    exact_key(state, consent, &fold(name))
}

/// The keys that rows with a name may have: rows of before names were folded have that of the very text, and rows of
/// before there were data keys another.
pub fn merchant_keys(
    state: &AppState,
    consent: CredentialsId,
    name: &str,
) -> Result<Vec<Digest>, Failure> {
    let folded = merchant_key(state, consent, name)?;
    let exact = exact_key(state, consent, name)?;
    let former = |key: &Digest| Digest::of(key.other().to_vec());
    let formers = [former(&folded), former(&exact)];
    Ok([folded, exact].into_iter().chain(formers).collect())
}

fn exact_key(state: &AppState, consent: CredentialsId, name: &str) -> Result<Digest, Failure> {
    let text = format!("{consent}/{name}");
    Ok(state.vault.digest(&state.pepper, "merchant", &text)?)
}

/// Seals a row's details for its place.
pub fn seal<T: Serialize>(state: &AppState, place: &str, details: &T) -> Result<Vec<u8>, Failure> {
    let plain = serde_json::to_vec(details).map_err(|error| Failure::Broken(error.to_string()))?;
    Ok(state.vault.seal(&state.clock, place, &plain)?)
}

/// Opens a row's details.
pub fn open<T: for<'de> Deserialize<'de>>(
    state: &AppState,
    place: &str,
    sealed: &[u8],
) -> Result<T, Failure> {
    let plain = state.vault.open(place, sealed)?;
    serde_json::from_slice(&plain)
        .map_err(|_| Failure::Broken("a row's details cannot be read".into()))
}

/// Where an account's details are sealed.
pub fn account_place(consent: CredentialsId, bank_key: &Digest) -> String {
    format!("accounts.sealed/{consent}/{}", hex(&bank_key.0))
}

/// Where a balance's details are sealed.
pub fn balance_place(account: AccountId, balance_type: &str, currency: &str) -> String {
    format!("balances.sealed/{account}/{balance_type}/{currency}")
}

/// Where a transaction's details are sealed.
pub fn transaction_place(consent: CredentialsId, utx: &Digest) -> String {
    format!("transactions.sealed/{consent}/{}", hex(&utx.0))
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    // Each row is opened under such a name: formatting would cost a third of what opening it does.
    text.extend(halves.filter_map(|half| char::from_digit(half.into(), 16)));
    text
}
