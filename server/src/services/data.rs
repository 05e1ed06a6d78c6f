//! Cached data: fetched from the provider once a consent stands, by a job or by the first read, whichever is faster,
//! and never by two at once. What may identify anybody is sealed for its own row.

use std::collections::HashMap;
use std::time::Duration as StdDuration;

use app::domain::account::{AccountUsage, BalanceType, CreditDebit};
use app::domain::ids::{AccountId, BalanceId, CredentialsId, JobId, TransactionId};
use app::domain::money::Scaled;
use app::domain::problem::Code;
use app::domain::skill::SkillType;
use chrono::{DateTime, Duration, NaiveDate, NaiveTime, SubsecRound as _, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::grants;
use super::keys::Client;
use super::providers::provider_refusal;
use super::refusal::{Failure, Refusal};
use super::utx::{Identity, Stability, UtxKey};
use super::{consents, consents::Credentials};
use crate::crypto::Digest;
use crate::skills::{
    BankAccount, BankBalance, BankTransaction, Connector, ConnectorError, Grant, PageRequest,
};
use crate::state::AppState;
use crate::storage::accounts::{AccountRow, BalanceRow};
use crate::storage::consents::ConsentRow;
use crate::storage::transactions::TransactionRow;

/// How long a fetch holds its claim without a sign of life.
const LEASE: Duration = Duration::seconds(60);
/// How long a read waits for the first fetch before it sends its caller away for a while.
const PATIENCE: StdDuration = StdDuration::from_secs(20);
/// How often it looks.
const GLANCE: StdDuration = StdDuration::from_millis(50);
/// No account has more pages: a provider that goes on forever is told from one that ends.
const MOST_PAGES: usize = 10_000;

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
    /// When the data was fetched.
    pub as_of: DateTime<Utc>,
    pub served_from: ServedFrom,
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
}

/// The consent of a pair with its data there, fetched now if need be.
pub async fn readable(
    state: &AppState,
    client: &Client,
    credentials: &Credentials,
) -> Result<Readable, Failure> {
    let mut tx = state.db.read().await?;
    let consent = consents::authorise(state, &mut tx, client, credentials).await?;
    consents::require_user(&consent, credentials)?;
    consents::require_kind(state, &consent, SkillType::AccountInformation)?;
    if let Some(as_of) = consent.fetched_at {
        return Ok(Readable {
            consent,
            as_of,
            served_from: ServedFrom::Cache,
        });
    }
    drop(tx);
    let as_of = wait(state, consent.id).await?;
    Ok(Readable {
        consent,
        as_of,
        served_from: ServedFrom::Bank,
    })
}

/// Fetches, or waits for whoever is fetching.
async fn wait(state: &AppState, id: CredentialsId) -> Result<DateTime<Utc>, Failure> {
    let started = tokio::time::Instant::now();
    while started.elapsed() < PATIENCE {
        let fetching = {
            let state = state.clone();
            // To the end, even if the caller hangs up: others may be waiting for it.
            tokio::spawn(async move { fetch(&state, id).await })
        };
        let broke = |error| Failure::Broken(format!("a fetch broke off: {error}"));
        match tokio::time::timeout(PATIENCE.saturating_sub(started.elapsed()), fetching).await {
            Ok(fetched) => match fetched.map_err(broke)?? {
                Fetched::At(at) => return Ok(at),
                Fetched::Elsewhere => tokio::time::sleep(GLANCE).await,
            },
            Err(_) => break,
        }
    }
    Err(Refusal::new(Code::ServiceUnavailable)
        .says("The data is still being fetched from the bank.")
        .after(2)
        .into())
}

/// What became of a fetch.
pub enum Fetched {
    /// All is there since then.
    At(DateTime<Utc>),
    /// Another process is at it.
    Elsewhere,
}

/// Fetches a consent's data for the first time, unless that is done or somebody else is at it.
pub async fn fetch(state: &AppState, id: CredentialsId) -> Result<Fetched, Failure> {
    let claim = JobId(state.clock.id());
    let now = state.clock.now();
    let mut tx = state.db.write().await?;
    let Some(consent) = tx.claim_fetch(id, claim, now, now + LEASE).await? else {
        let row = tx.consent(id).await?;
        let row = row.ok_or_else(|| Failure::Broken("a fetch without its consent".into()))?;
        return match (row.fetched_at, row.fetch_until) {
            (Some(at), _) => Ok(Fetched::At(at)),
            (None, Some(until)) if until > now => Ok(Fetched::Elsewhere),
            _ => Err(Code::InactiveCredentials.into()),
        };
    };
    tx.commit().await?;
    let outcome = Fetch::begin(state, &consent, claim).await;
    let outcome = match outcome {
        Ok(fetch) => fetch.all().await,
        Err(failure) => Err(failure),
    };
    let fetched_at = outcome.is_ok().then(|| state.clock.now().trunc_subsecs(0));
    let mut tx = state.db.write().await?;
    tx.finish_fetch(id, claim, fetched_at).await?;
    tx.commit().await?;
    outcome?;
    Ok(Fetched::At(fetched_at.unwrap_or(now)))
}

/// One fetch under way.
struct Fetch<'a> {
    state: &'a AppState,
    consent: &'a ConsentRow,
    claim: JobId,
    connector: std::sync::Arc<dyn Connector>,
    grant: Grant,
    utx: UtxKey,
}

impl<'a> Fetch<'a> {
    async fn begin(
        state: &'a AppState,
        consent: &'a ConsentRow,
        claim: JobId,
    ) -> Result<Self, Failure> {
        let skill = state.skills.get(&consent.skill);
        let connector = skill.and_then(|skill| state.skills.connector(&skill.manifest));
        let mut tx = state.db.read().await?;
        let sealed = tx.sealed_utx_key(consent.tenant_id).await?;
        let sealed =
            sealed.ok_or_else(|| Failure::Broken("a consent without its tenant".into()))?;
        Ok(Self {
            state,
            consent,
            claim,
            connector: connector.ok_or_else(|| {
                Failure::Broken("a consent's skill is no longer published".into())
            })?,
            grant: grants::open(state, consent)?.ok_or(Code::InactiveCredentials)?,
            utx: UtxKey::open(state, consent.tenant_id, &sealed)?,
        })
    }

    async fn all(&self) -> Result<(), Failure> {
        let accounts = self.connector.accounts(&self.grant).await;
        let accounts = accounts.map_err(|error| self.refusal(&error))?;
        for (place, account) in accounts.iter().enumerate() {
            let id = self.put_account(place, account).await?;
            self.transactions(id, account).await?;
        }
        Ok(())
    }

    fn refusal(&self, error: &ConnectorError) -> Failure {
        provider_refusal(&self.consent.skill, error).into()
    }

    /// Begins a transaction that writes, if the fetch still holds its claim.
    async fn write(&self) -> Result<crate::storage::Tx, Failure> {
        let mut tx = self.state.db.write().await?;
        let until = self.state.clock.now() + LEASE;
        if tx.hold_fetch(self.consent.id, self.claim, until).await? {
            Ok(tx)
        } else {
            Err(Code::InactiveCredentials.into())
        }
    }

    async fn put_account(&self, place: usize, account: &BankAccount) -> Result<AccountId, Failure> {
        let clock = &self.state.clock;
        let now = clock.now().trunc_subsecs(0);
        let details = account_details(account);
        let bank_key = account_key(self.state, self.consent, account);
        let mut tx = self.write().await?;
        let row = AccountRow {
            id: AccountId(clock.id()),
            consent_id: self.consent.id,
            sealed: seal(
                self.state,
                &account_place(self.consent.id, &bank_key),
                &details,
            )?,
            bank_key,
            place: i64::try_from(place).unwrap_or(i64::MAX),
            fetched_at: now,
        };
        let id = tx.put_account(&row).await?;
        for balance in &details.balances {
            let place = balance_place(id, balance.balance_type.as_str(), &balance.currency);
            tx.put_balance(&BalanceRow {
                id: BalanceId(clock.id()),
                consent_id: self.consent.id,
                account_id: id,
                balance_type: balance.balance_type.as_str().to_owned(),
                currency: balance.currency.clone(),
                sealed: seal(self.state, &place, balance)?,
                fetched_at: now,
            })
            .await?;
        }
        tx.commit().await?;
        Ok(id)
    }

    async fn transactions(&self, id: AccountId, account: &BankAccount) -> Result<(), Failure> {
        let mut page = PageRequest::First { from: None };
        let mut seen: HashMap<Vec<u8>, u64> = HashMap::new();
        for _ in 0..MOST_PAGES {
            let got = self
                .connector
                .transactions(&self.grant, &account.id, page)
                .await
                .map_err(|error| self.refusal(&error))?;
            let mut rows = Vec::with_capacity(got.transactions.len());
            for transaction in &got.transactions {
                let identity = Identity::of(account, transaction);
                let identity = self.utx.identify(&identity, &mut seen);
                rows.push(self.row(id, transaction, identity)?);
            }
            if !rows.is_empty() {
                let mut tx = self.write().await?;
                tx.put_transactions(&rows).await?;
                tx.commit().await?;
            }
            match got.next {
                Some(next) => page = PageRequest::Next(next),
                None => return Ok(()),
            }
        }
        Err(self.refusal(&ConnectorError::BadAnswer("transactions without end")))
    }

    fn row(
        &self,
        account: AccountId,
        transaction: &BankTransaction,
        (utx, stability): (Digest, Stability),
    ) -> Result<TransactionRow, Failure> {
        let amount = Scaled::try_from(transaction.amount.abs())
            .map_err(|_| self.refusal(&ConnectorError::BadAnswer("amount")))?;
        let now = self.state.clock.now().trunc_subsecs(0);
        let details = transaction_details(transaction, stability);
        let day = transaction.booking_date.or(transaction.value_date);
        let merchant = details.merchant.as_deref();
        Ok(TransactionRow {
            id: TransactionId(self.state.clock.id()),
            consent_id: self.consent.id,
            account_id: account,
            sealed: seal(
                self.state,
                &transaction_place(self.consent.id, &utx),
                &details,
            )?,
            utx,
            status: transaction.status,
            credit_debit: sign(transaction.amount),
            currency: transaction.currency.clone(),
            amount: amount.0,
            booked_at: midnight(day.unwrap_or_else(|| now.date_naive())),
            category: transaction.category.clone(),
            merchant: merchant.map(|name| merchant_key(self.state, self.consent.id, name)),
            inserted_at: now,
        })
    }
}

/// The key a merchant's name is looked up by: equal names of one consent have equal keys, and that is all they tell.
pub fn merchant_key(state: &AppState, consent: CredentialsId, name: &str) -> Digest {
    state
        .pepper
        .digest("merchant", &format!("{consent}/{name}"))
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
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// An account is known by IBAN and currency; a bank's own id is good within one consent, which is all that is needed.
fn account_key(state: &AppState, consent: &ConsentRow, account: &BankAccount) -> Digest {
    let known_by = account.iban.as_ref().unwrap_or(&account.id);
    let text = format!("{}/{known_by}/{}", consent.id, account.currency);
    state.pepper.digest("account", &text)
}

fn account_details(account: &BankAccount) -> AccountDetails {
    AccountDetails {
        iban: account.iban.clone(),
        bic: account.bic.clone(),
        currency: account.currency.clone(),
        name: account.name.clone(),
        product: account.product.clone(),
        cash_account_type: account.cash_account_type.clone(),
        usage: account.usage,
        balances: account.balances.iter().map(balance_details).collect(),
    }
}

fn balance_details(balance: &BankBalance) -> BalanceDetails {
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

fn transaction_details(transaction: &BankTransaction, stability: Stability) -> TransactionDetails {
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
    }
}

fn sign(amount: Decimal) -> CreditDebit {
    if amount.is_sign_negative() && !amount.is_zero() {
        CreditDebit::Debit
    } else {
        CreditDebit::Credit
    }
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}
