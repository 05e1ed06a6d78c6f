//! Cached data, as answers are made from it: read when it is fresh enough, fetched from the bank when it is not
//! ([`super::fetch`]).

use std::collections::BTreeMap;
use std::time::Duration as StdDuration;

use app::domain::ids::{AccountId, CredentialsId};
use app::domain::problem::Code;
use app::domain::skill::SkillType;
use chrono::{DateTime, Duration, Utc};

use super::bank_allowance::{BankAllowance, BankCalls};
use super::fetch::{self, FetchOutcome, FetchReason};
use super::lifecycle::{self, Credentials};
use crate::scope;
use crate::services::access::keys::Client;
use crate::services::refusal::{ApiError, Refusal};
use crate::state::AppState;
use crate::storage::consents::{CLOCKS, ConsentRow, fetch_ended};
pub use crate::storage::unreadable::UnreadableCount;

/// Interval at which a read that waits looks for the data: the signal that a fetch has ended may be lost.
const LOOK: StdDuration = StdDuration::from_secs(1);

/// Word for the field of a row that no longer opens, among the bank's own names.
const SEALED: &str = "sealed";

/// Source of the data in an answer.
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

/// A consent whose data has been fetched.
pub struct ReadableConsent {
    pub consent: ConsentRow,
    pub fresh: Freshness,
}

/// Freshness of the data, and the calls left to ask the bank for fresher.
#[derive(Clone, Copy, Debug)]
pub struct Freshness {
    /// Time the data was fetched.
    pub as_of: DateTime<Utc>,
    pub served_from: ServedFrom,
    /// The bank's budget of calls; `None` for data that has none.
    pub budget: Option<BankAllowance>,
    /// `true` if the bank's last answer lacked so much that the cached data is kept until a later answer confirms the
    /// removal.
    pub suspect: bool,
    /// Entries of the bank's last answer that could not be read.
    pub unreadable: i64,
}

/// Returns the entries of the bank's last answer that could not be read, counted by account and field.
pub async fn unreadable(
    state: &AppState,
    readable: &ReadableConsent,
) -> Result<Vec<UnreadableCount>, ApiError> {
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
) -> Result<ReadableConsent, ApiError> {
    let consent = alive(state, client, credentials).await?;
    let now = state.now_of(consent.tenant_id);
    let Some(as_of) = consent.fetched_at else {
        let as_of = wait(state, consent.id).await?;
        // With what the bank's answer lacked; and it may have ended meanwhile.
        let consent = alive(state, client, credentials).await?;
        return Ok(freshness(state, consent, as_of, ServedFrom::Bank));
    };
    let outdated = now - Duration::minutes(state.config.data.refresh_minutes);
    let ends = |until: DateTime<Utc>| until > now && until <= now + Duration::days(1) + CLOCKS;
    let quiet = consent.quiet_until.is_some_and(ends);
    let budget = calls(state, &consent).allowance(state.config.data.bank_calls_per_day);
    if fetch::is_fresh(as_of, outdated, now) || quiet || budget.left == 0 {
        return Ok(freshness(state, consent, as_of, ServedFrom::Cache));
    }
    let fetched = refresh(state, consent.id, outdated).await?;
    // Whatever the bank said since counts: it may have ended the consent.
    let consent = alive(state, client, credentials).await?;
    let (as_of, from) = match fetched {
        Some(at) => (at, ServedFrom::Bank),
        None => (consent.fetched_at.unwrap_or(as_of), ServedFrom::Cache),
    };
    Ok(freshness(state, consent, as_of, from))
}

async fn alive(
    state: &AppState,
    client: &Client,
    credentials: &Credentials,
) -> Result<ConsentRow, ApiError> {
    let mut tx = state.db.read().await?;
    let consent = lifecycle::authorise(state, &mut tx, client, credentials).await?;
    lifecycle::require_user(&consent, credentials)?;
    lifecycle::require_kind(state, &consent, SkillType::AccountInformation)?;
    Ok(consent)
}

fn freshness(
    state: &AppState,
    consent: ConsentRow,
    as_of: DateTime<Utc>,
    served_from: ServedFrom,
) -> ReadableConsent {
    let budget = calls(state, &consent).allowance(state.config.data.bank_calls_per_day);
    let fresh = Freshness {
        as_of,
        served_from,
        budget: Some(budget),
        suspect: consent.suspect_since.is_some(),
        unreadable: consent.unreadable,
    };
    ReadableConsent { consent, fresh }
}

fn calls(state: &AppState, consent: &ConsentRow) -> BankCalls {
    BankCalls::read(
        consent.bank_calls.as_deref(),
        state.now_of(consent.tenant_id),
    )
}

/// Fetches again. Returns `None` if that takes too long, too many calls wait for banks, another fetch is running, or the bank
/// refused.
async fn refresh(
    state: &AppState,
    id: CredentialsId,
    outdated: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, ApiError> {
    let Some(_leave) = state.rate_limits.slots.wait() else {
        return Ok(None);
    };
    let fetching = {
        let state = state.clone();
        // To the end, even if nobody waits any more: the call is counted.
        scope::spawn(async move { fetch::fetch(&state, id, FetchReason::Stale(outdated)).await })
    };
    let patience = StdDuration::from_secs(state.config.data.refresh_wait_seconds);
    match tokio::time::timeout(patience, fetching).await {
        Ok(Ok(Ok(FetchOutcome::Fresh(at)))) => Ok(Some(at)),
        // The bank's refusals were logged where they happened.
        Ok(Ok(Ok(_) | Err(ApiError::Refused(_)))) | Err(_) => Ok(None),
        Ok(Ok(Err(ApiError::Database(error)))) => Err(error.into()),
        // Our own fault, such as a way into the bank that does not open, costs no more than the bank's.
        Ok(Ok(Err(failure))) => {
            tracing::error!(consent = %id, %failure, "data could not be fetched again");
            Ok(None)
        }
        Ok(Err(error)) => {
            tracing::error!(consent = %id, %error, "a fetch broke off");
            Ok(None)
        }
    }
}

/// Fetches for the first time, or waits for whoever is fetching.
async fn wait(state: &AppState, id: CredentialsId) -> Result<DateTime<Utc>, ApiError> {
    let patience = StdDuration::from_secs(state.config.data.first_fetch_wait_seconds);
    let started = tokio::time::Instant::now();
    let leave = state.rate_limits.slots.wait();
    let mut ended = state.db.signals().subscribe(fetch_ended(id));
    while leave.is_some() && started.elapsed() < patience {
        let fetching = {
            let state = state.clone();
            // To the end, even if the caller hangs up: others may be waiting for it.
            scope::spawn(
                async move { fetch::fetch(&state, id, FetchReason::Consented(None)).await },
            )
        };
        let broke = |error| ApiError::Broken(format!("a fetch broke off: {error}"));
        match tokio::time::timeout(patience.saturating_sub(started.elapsed()), fetching).await {
            Ok(fetched) => match fetched.map_err(broke)?? {
                FetchOutcome::Fresh(at) => return Ok(at),
                FetchOutcome::InProgress | FetchOutcome::Deferred => {
                    let left = patience.saturating_sub(started.elapsed()).min(LOOK);
                    tokio::time::timeout(left, ended.heard()).await.ok();
                }
            },
            Err(_) => break,
        }
    }
    Err(Refusal::new(Code::ServiceUnavailable)
        .says("The data is still being fetched from the bank.")
        .after(2)
        .into())
}

/// Counts rows that are there and do not open, as entries that cannot be read: one lost row costs no list. Noted in the log,
/// where it is the operator's to see why.
pub fn lost(consent: CredentialsId, accounts: &[AccountId]) -> Vec<UnreadableCount> {
    if accounts.is_empty() {
        return Vec::new();
    }
    tracing::error!(%consent, rows = accounts.len(), "stored rows do not open: they were altered, or sealed under a key that is lost");
    let mut counts: BTreeMap<AccountId, i64> = BTreeMap::new();
    for account in accounts {
        *counts.entry(*account).or_default() += 1;
    }
    let count = |(account_id, count)| UnreadableCount {
        account_id,
        field: SEALED.to_owned(),
        count,
    };
    counts.into_iter().map(count).collect()
}
