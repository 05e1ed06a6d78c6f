//! Asking the bank for a consent's data: all of it once the end-user has consented, the recent part of it again when it
//! has become old. By a job or by a read, whichever is faster, and never by two at once; within the bank's budget.
//!
//! A fetch writes what is new, what has changed and what is gone, page by page, each page in a transaction of its own
//! that first makes sure of the fetch's claim. That locks the consent's row, so the numbers of its change log follow
//! each other as they are committed.

mod accounts;
mod changes;
mod conversion;
mod fingerprint;
mod pages;
mod reconciliation;
mod removals;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use app::domain::ids::{AccountId, BalanceId, CredentialsId, JobId};
use app::domain::problem::Code;
use app::domain::session::{ConsentStatus, EndedBy};
use chrono::{DateTime, Duration, NaiveTime, SubsecRound as _, Utc};

use self::accounts::{MatchedAccount, StoredAccount};
use self::reconciliation::AccountReconciliation;
use super::bank_allowance::BankCalls;
use super::grants;
use super::lifecycle::status_at;
use super::provider_access::provider_refusal;
use super::sealed::seal;
use super::utx::UtxKey;
use crate::aad;
use crate::services::lease::LEASE;
use crate::services::refusal::{ApiError, Refusal};
use crate::skills::{Connector, ConnectorError, Grant};
use crate::state::AppState;
use crate::storage::accounts::{AccountRow, BalanceRow};
use crate::storage::consents::{CLOCKS, ConsentRow, FetchClaim, FetchEnd};
use crate::storage::{DbError, Tx};

/// Period that a bank is asked for again: the one it must answer without a new consent by the end-user (Regulation (EU)
/// 2018/389, article 10). Older entries no longer change.
const RECENT: Duration = Duration::days(90);
/// Time after which an answer that lacks much is believed if another says the same.
const CONFIRMED_AFTER: Duration = Duration::hours(4);
/// Time a bank that failed is not asked again, at least and where it names none; and at most if it names one.
const QUIET: Duration = Duration::minutes(15);
const LONGEST_QUIET: Duration = Duration::hours(24);

/// Reason the bank is asked.
#[derive(Clone, Copy, Debug)]
pub enum FetchReason {
    /// The end-user has just consented, for the first time or again at a time: everything there is, not counted.
    Consented(Option<DateTime<Utc>>),
    /// Data fetched by then is too old: the recent part of it, counted against the bank's budget.
    Stale(DateTime<Utc>),
    /// Nobody has read it for a while: what `Stale` asks for, if it is too old by the tenant's time.
    Unread,
}

/// Outcome of a fetch that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchOutcome {
    /// The data is complete, as of this time.
    Fresh(DateTime<Utc>),
    /// Another fetch is running.
    InProgress,
    /// The bank's budget is used up, or the bank is not asked for a while after an error.
    Deferred,
}

/// Reason a fetch did not complete.
enum FetchError {
    Bank(ConnectorError),
    Failure(ApiError),
    /// Its claim ran out and somebody else took it, or the consent has ended.
    Lost,
}

/// Fetches a consent's data, unless it is fresh enough, another fetch is running, or the bank must not be asked now.
pub async fn fetch(
    state: &AppState,
    id: CredentialsId,
    occasion: FetchReason,
) -> Result<FetchOutcome, ApiError> {
    let mut tx = state.db.read().await?;
    let seen = tx.consent(id).await?;
    let seen = seen.ok_or_else(|| ApiError::broken("a fetch without its consent"))?;
    drop(tx);
    let (now, real) = (state.now_of(seen.tenant_id), state.clock.now());
    let before = BankCalls::read(seen.bank_calls.as_deref(), now);
    let outdated = match occasion {
        FetchReason::Consented(again) => again,
        FetchReason::Stale(outdated) => Some(outdated),
        FetchReason::Unread => Some(now - Duration::minutes(state.config.data.refresh_minutes)),
    };
    let again = matches!(occasion, FetchReason::Stale(_) | FetchReason::Unread);
    let recent = again && seen.fetched_at.is_some();
    let limit = state.config.data.bank_calls_per_day;
    if recent && before.allowance(limit).left == 0 {
        return skip_reason(&seen, outdated, now, real);
    }
    let calls = if recent {
        before.with(now)
    } else {
        before.clone()
    };
    let claim = JobId(state.clock.id());
    let mut tx = state.db.write().await?;
    let claimed = tx
        .claim_fetch(
            id,
            &FetchClaim {
                claim,
                now,
                real,
                until: real + LEASE,
                outdated,
                counted: seen.bank_calls.as_deref(),
                calls: Some(&calls.write()),
            },
        )
        .await?;
    let Some(consent) = claimed else {
        let row = tx.consent(id).await?;
        let row = row.ok_or_else(|| ApiError::broken("a fetch without its consent"))?;
        return skip_reason(&row, outdated, now, real);
    };
    tx.commit().await?;
    let from = recent.then(|| midnight_before(now - RECENT));
    let state = &state.for_tenant_alone(consent.tenant_id).await?;
    let outcome = match Fetch::begin(state, &consent, claim, from).await {
        Ok(fetch) => fetch.all().await.map(|()| fetch.judged()),
        Err(failure) => Err(FetchError::Failure(failure)),
    };
    finish(state, &consent, (claim, now), (before, calls), outcome).await
}

/// Explains why a consent's fetch could not be claimed; fails with `InactiveCredentials` if the consent has ended.
fn skip_reason(
    row: &ConsentRow,
    outdated: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    real: DateTime<Utc>,
) -> Result<FetchOutcome, ApiError> {
    if status_at(row, now) != ConsentStatus::Active || row.bank_grant.is_none() {
        return Err(Code::InactiveCredentials.into());
    }
    match row.fetched_at {
        Some(at) if outdated.is_none_or(|outdated| is_fresh(at, outdated, now)) => {
            Ok(FetchOutcome::Fresh(at))
        }
        _ if row.fetch_until.is_some_and(|until| until > real) => Ok(FetchOutcome::InProgress),
        Some(_) => Ok(FetchOutcome::Deferred),
        None => Ok(FetchOutcome::InProgress),
    }
}

/// Returns `true` if data fetched at a time is fresh enough. What was fetched by a clock that ran far ahead is not.
pub fn is_fresh(at: DateTime<Utc>, outdated: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    at > outdated && at <= now + CLOCKS
}

/// Gives the claim back and writes down how it went, if it is still ours. The data is as old as the first question: of
/// what the bank got to know afterwards nothing is said.
async fn finish(
    state: &AppState,
    consent: &ConsentRow,
    (claim, began): (JobId, DateTime<Utc>),
    (before, calls): (BankCalls, BankCalls),
    outcome: Result<(bool, i64), FetchError>,
) -> Result<FetchOutcome, ApiError> {
    let now = state.now_of(consent.tenant_id);
    let fetched_at = outcome.is_ok().then(|| began.trunc_subsecs(0));
    let quiet = match &outcome {
        Err(FetchError::Bank(error)) => Some(backoff(error)),
        _ => None,
    };
    // A bank that was never reached has not counted the call either.
    let unheard = matches!(&outcome, Err(FetchError::Bank(ConnectorError::Unreachable)));
    let every = state.config.data.background_refresh_minutes;
    let end = FetchEnd {
        fetched_at,
        quiet_until: quiet.map(|quiet| now + quiet),
        // One look finds what is due of all tenants: it goes by the real time.
        refresh_at: (every > 0)
            .then(|| state.clock.now() + quiet.unwrap_or_else(|| Duration::minutes(every))),
        calls: Some(&if unheard { before } else { calls }.write()),
        judged: outcome.as_ref().ok().copied(),
        now,
    };
    let mut tx = state.db.write().await?;
    let ours = tx.finish_fetch(consent.id, claim, &end).await?;
    let refused = matches!(
        &outcome,
        Err(FetchError::Bank(ConnectorError::Unauthorized))
    );
    let ended = ours && refused && end_withdrawn(&mut tx, consent, now).await?;
    tx.commit().await?;
    if ended {
        return Err(Refusal::new(Code::InactiveCredentials)
            .says("The end-user ended this consent at their bank.")
            .into());
    }
    match outcome {
        Ok(_) if ours => Ok(FetchOutcome::Fresh(fetched_at.unwrap_or(now))),
        Ok(_) | Err(FetchError::Lost) => {
            let row = state.db.read().await?.consent(consent.id).await?;
            let alive = row.is_some_and(|row| status_at(&row, now) == ConsentStatus::Active);
            if alive {
                Ok(FetchOutcome::InProgress)
            } else {
                Err(Code::InactiveCredentials.into())
            }
        }
        Err(FetchError::Bank(error)) => Err(provider_refusal(&consent.skill, &error).into()),
        Err(FetchError::Failure(failure)) => Err(failure),
    }
}

/// Returns the time for which a bank is not asked after an error.
fn backoff(error: &ConnectorError) -> Duration {
    let asked = match error {
        ConnectorError::TooManyRequests { retry_after }
        | ConnectorError::Unavailable { retry_after } => {
            retry_after.and_then(|wait| Duration::from_std(wait).ok())
        }
        _ => None,
    };
    asked.unwrap_or(QUIET).clamp(QUIET, LONGEST_QUIET)
}

/// Ends a consent that the bank no longer knows: what the end-user withdrew there must not be read here. It is kept
/// while it is being renewed, since the bank may have ended the former consent by itself. Returns `true` if it was
/// ended now.
async fn end_withdrawn(
    tx: &mut Tx,
    consent: &ConsentRow,
    now: DateTime<Utc>,
) -> Result<bool, DbError> {
    if consent.exchanged_at.is_none() || tx.is_renewing(consent.id, now).await? {
        return Ok(false);
    }
    let until = consent.data_until;
    let ended = tx
        .end_consent(consent.id, now, until, EndedBy::Bank)
        .await?;
    if ended {
        tracing::info!(consent = %consent.id, "a consent was withdrawn at the bank");
    }
    Ok(ended)
}

fn midnight_before(time: DateTime<Utc>) -> DateTime<Utc> {
    time.date_naive().and_time(NaiveTime::MIN).and_utc()
}

/// One fetch under way.
struct Fetch<'a> {
    state: &'a AppState,
    consent: &'a ConsentRow,
    claim: JobId,
    connector: Arc<dyn Connector>,
    grant: Grant,
    utx: UtxKey,
    /// Earliest booking time that is asked for; `None` asks for everything.
    from: Option<DateTime<Utc>>,
    /// `true` if a removal waits to be confirmed.
    suspect: AtomicBool,
    /// Entries that could not be read.
    unreadable: AtomicI64,
}

impl<'a> Fetch<'a> {
    async fn begin(
        state: &'a AppState,
        consent: &'a ConsentRow,
        claim: JobId,
        from: Option<DateTime<Utc>>,
    ) -> Result<Self, ApiError> {
        let (connector, grant) = grants::open_access(state, consent)?;
        let mut tx = state.db.read().await?;
        let sealed = tx.sealed_utx_key(consent.tenant_id).await?;
        let (sealed, version) =
            sealed.ok_or_else(|| ApiError::broken("a consent without its tenant"))?;
        Ok(Self {
            state,
            consent,
            claim,
            connector,
            grant,
            utx: UtxKey::open(state, consent.tenant_id, &sealed, version)?,
            from,
            suspect: AtomicBool::new(false),
            unreadable: AtomicI64::new(0),
        })
    }

    async fn all(&self) -> Result<(), FetchError> {
        let shown = accounts::without_repeats(self.connector.accounts(&self.grant).await?);
        let rows = self
            .state
            .db
            .read()
            .await?
            .accounts(self.consent.id)
            .await?;
        let kept = accounts::opened(self.state, rows);
        let matched = accounts::match_accounts(self.state, self.consent.id, &shown, &kept)?;
        let mut seen = Vec::with_capacity(shown.len());
        for (place, (account, matched)) in shown.iter().zip(matched).enumerate() {
            let id = self.put_account(place, &matched).await?;
            AccountReconciliation::open(self, id, &account.id, matched)
                .await?
                .fetch()
                .await?;
            seen.push(id);
        }
        self.drop_accounts(&kept, &seen).await
    }

    /// Returns `true` if a removal in the answer waits to be confirmed, and the number of entries that could not be
    /// read.
    fn judged(&self) -> (bool, i64) {
        let unreadable = self.unreadable.load(Ordering::Relaxed);
        if unreadable > 0 {
            tracing::warn!(consent = %self.consent.id, unreadable, "entries of a bank's answer could not be read");
        }
        (self.suspect.load(Ordering::Relaxed), unreadable)
    }

    /// Marks the data as suspect until the removal is confirmed.
    fn suspects(&self) {
        self.suspect.store(true, Ordering::Relaxed);
    }

    /// The tenant's time.
    fn now(&self) -> DateTime<Utc> {
        self.state.now_of(self.consent.tenant_id)
    }

    /// Begins a transaction that writes, if the fetch still holds its claim.
    async fn write(&self) -> Result<Tx, FetchError> {
        let mut tx = self.state.db.write().await?;
        let until = self.state.clock.now() + LEASE;
        let held = tx.hold_fetch(self.consent.id, self.claim, self.now(), until);
        if held.await? {
            Ok(tx)
        } else {
            Err(FetchError::Lost)
        }
    }

    async fn put_account(
        &self,
        place: usize,
        matched: &MatchedAccount,
    ) -> Result<AccountId, FetchError> {
        let (clock, consent) = (&self.state.clock, self.consent.id);
        let now = self.now().trunc_subsecs(0);
        let (bank_key, details) = (matched.bank_key.clone(), &matched.details);
        let row = AccountRow {
            id: AccountId(clock.id()),
            consent_id: consent,
            sealed: seal(self.state, &aad::account(consent, &bank_key), details)?,
            bank_key,
            place: i64::try_from(place).unwrap_or(i64::MAX),
            fetched_at: now,
            resource_key: Some(matched.resource_key.clone()),
            missing_since: None,
            ids_reused_at: None,
        };
        let mut tx = self.write().await?;
        if self.consent.fetched_at.is_some() {
            tx.rename_account(consent, &row.bank_key).await?;
        }
        let id = tx.put_account(&row).await?;
        let mut kept = Vec::with_capacity(details.balances.len());
        for balance in &details.balances {
            let (kind, currency) = (balance.balance_type.as_str(), &balance.currency);
            let row = BalanceRow {
                id: BalanceId(clock.id()),
                consent_id: consent,
                account_id: id,
                balance_type: kind.to_owned(),
                currency: currency.clone(),
                sealed: seal(self.state, &aad::balance(id, kind, currency), balance)?,
                fetched_at: now,
            };
            kept.push(tx.put_balance(&row).await?);
        }
        // A bank that says nothing of balances takes none back.
        if !kept.is_empty() {
            tx.keep_balances(id, &kept).await?;
        }
        tx.commit().await?;
        Ok(id)
    }

    /// Takes out the accounts that the bank no longer shows, with all that is in them, once a later answer confirms it.
    async fn drop_accounts(
        &self,
        kept: &[StoredAccount],
        seen: &[AccountId],
    ) -> Result<(), FetchError> {
        let gone = accounts::missing(kept, seen);
        if seen.is_empty() && !gone.is_empty() {
            return Err(FetchError::Bank(ConnectorError::BadAnswer(
                "all accounts gone",
            )));
        }
        let now = self.now();
        for account in gone {
            let id = account.row.id;
            let since = account.row.missing_since;
            if since.is_none_or(|since| now - since < CONFIRMED_AFTER) {
                self.suspects();
                let mut tx = self.write().await?;
                tx.mark_account_missing(id, now).await?;
                tx.commit().await?;
                continue;
            }
            removals::empty(self, id).await?;
            let mut tx = self.write().await?;
            tx.keep_balances(id, &[]).await?;
            tx.keep_unreadable(self.consent.id, id, &[]).await?;
            tx.delete_account(id).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

impl From<ConnectorError> for FetchError {
    fn from(error: ConnectorError) -> Self {
        Self::Bank(error)
    }
}

impl From<ApiError> for FetchError {
    fn from(failure: ApiError) -> Self {
        Self::Failure(failure)
    }
}

impl From<DbError> for FetchError {
    fn from(error: DbError) -> Self {
        Self::Failure(error.into())
    }
}
