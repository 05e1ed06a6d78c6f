//! Rate limits: how much each caller may ask for, counted exactly (GCRA: no double burst at the edge of a window), fairly
//! (each tenant by itself) and across every process on one database.

pub mod concurrency;
mod leases;

use std::fmt;

use app::domain::ids::{PersonId, TenantId};
use chrono::{DateTime, Utc};

use crate::gate::gcra::{MINUTE, QuotaPolicy};
use crate::gate::quota_store::QuotaStore;
use crate::storage::{Db, DbResult};
use concurrency::{CallSlots, CoDelQueue};
use leases::Leases;

pub use crate::gate::SourceAddress;
pub use crate::gate::gcra::RateLimitState;

/// Rows an hour in a tenant's log for calls that name it and prove nothing.
const UNPROVED_ROWS: u32 = 60;
const HOUR: u32 = 3600;
const CALLS_AT_ONCE: u32 = 256;
/// Time a source counts as known after keys were proved from it, in microseconds.
const KNOWN: i64 = 600 * 1_000_000;
/// Factor of the `Stranger` quota for the `Doubt` budget: unproved calls of a source while others from there prove
/// their keys.
const DOUBT: u32 = 10;
/// Factor of the `browser` quota for pages and returns.
const PAGES: u32 = 2;
/// Divisor of the `browser` quota for forms sent before anybody is signed in.
const FORMS: u32 = 5;

/// The budget a call counts against. Each is counted by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Budget {
    /// Browser-safe calls of a tenant from one source, which need no secret: a stranger spends only their own.
    Browser(TenantId, SourceAddress),
    /// Calls proved with a tenant's secret.
    Server(TenantId),
    /// Calls that name no tenant or prove nothing. Spent before anything is read, and given back to whoever proves keys.
    /// Guards each process by itself: a flood of strangers must not become a flood of writes.
    Stranger(SourceAddress),
    /// Calls that prove nothing, beyond `Stranger`, from a source that keys were proved from lately: a faulty program
    /// does not shut out the one beside it.
    Doubt(SourceAddress),
    /// Preflights of browsers.
    Preflight(SourceAddress),
    /// End-users who come back from a bank.
    Return(SourceAddress),
    /// Pages of the portal, by where they are asked from.
    Pages(SourceAddress),
    /// Pages of the portal, by who asks.
    Person(PersonId),
    /// Forms of the portal, sent by nobody in particular.
    Forms(SourceAddress),
    /// Rows in a tenant's log that anybody who knows its `client_id` can cause. In each process by itself, too.
    Unproved(TenantId),
}

/// The name of a budget that processes share.
impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Browser(tenant, source) => write!(f, "browser/{tenant}/{source}"),
            Self::Server(tenant) => write!(f, "server/{tenant}"),
            Self::Stranger(source) => write!(f, "stranger/{source}"),
            Self::Doubt(source) => write!(f, "doubt/{source}"),
            Self::Preflight(source) => write!(f, "preflight/{source}"),
            Self::Return(source) => write!(f, "return/{source}"),
            Self::Pages(source) => write!(f, "pages/{source}"),
            Self::Person(person) => write!(f, "person/{person}"),
            Self::Forms(source) => write!(f, "forms/{source}"),
            Self::Unproved(tenant) => write!(f, "unproved/{tenant}"),
        }
    }
}

/// Counts calls. Shared by all requests of the process.
pub struct RateLimiter {
    browser: u32,
    server: u32,
    memory: QuotaStore<Budget>,
    /// Sources from which keys were proved lately.
    proved: QuotaStore<SourceAddress>,
    /// Places for calls that are worked on.
    pub slots: CallSlots,
    /// The queue for the database.
    pub crowd: CoDelQueue,
    /// On Postgres, where other processes may serve the same tenants.
    shared: Option<Leases>,
}

impl RateLimiter {
    /// Quotas are calls per minute.
    pub fn new(db: &Db, browser: u32, server: u32) -> Self {
        Self {
            browser: browser.max(1),
            server: server.max(1),
            memory: QuotaStore::default(),
            proved: QuotaStore::default(),
            slots: CallSlots::new(CALLS_AT_ONCE),
            crowd: CoDelQueue::default(),
            shared: db.is_postgres().then(|| Leases::new(db.clone())),
        }
    }

    /// Returns these limits with another number of calls that may run at once.
    #[must_use]
    pub fn with_slots(self, calls: u32) -> Self {
        Self {
            slots: CallSlots::new(calls),
            ..self
        }
    }

    /// Counts a call, or refuses it and counts nothing.
    pub async fn spend(&self, budget: Budget, now: DateTime<Utc>) -> DbResult<RateLimitState> {
        match (&self.shared, budget) {
            (Some(shared), Budget::Browser(..) | Budget::Server(_)) => {
                shared
                    .spend(budget, self.rule(budget), now.timestamp_micros())
                    .await
            }
            _ => Ok(self.spend_here(budget, now)),
        }
    }

    /// Counts a call in this process alone, or refuses it and counts nothing.
    pub fn spend_here(&self, budget: Budget, now: DateTime<Utc>) -> RateLimitState {
        self.memory
            .spend(budget, self.rule(budget), now.timestamp_micros())
    }

    /// Counts a call before anything is known of it: against its source's own budget, or, where that is spent and keys
    /// were proved from there lately, against a second one.
    pub fn enter(&self, source: SourceAddress, now: DateTime<Utc>) -> EntryCount {
        let stranger = Budget::Stranger(source);
        let left = self.spend_here(stranger, now);
        if left.wait.is_none() || !self.is_known(source, now) {
            return EntryCount {
                budget: stranger,
                left,
                unless_proved: None,
            };
        }
        let budget = Budget::Doubt(source);
        EntryCount {
            budget,
            left: self.spend_here(budget, now),
            unless_proved: Some(left),
        }
    }

    /// Gives back what a call cost at its entry: it proved its keys, and is counted with them.
    pub fn prove(&self, source: SourceAddress, entered: EntryCount, now: DateTime<Utc>) {
        self.memory
            .refund(entered.budget, self.rule(entered.budget));
        let now = now.timestamp_micros();
        self.proved.mark(source, now + KNOWN, now);
    }

    /// Returns `true` if keys were proved from this source lately.
    fn is_known(&self, source: SourceAddress, now: DateTime<Utc>) -> bool {
        self.proved.is_marked(source, now.timestamp_micros())
    }

    fn rule(&self, budget: Budget) -> QuotaPolicy {
        let browser = self.browser;
        let (policy, quota, window) = match budget {
            Budget::Browser(..) => ("browser", browser, MINUTE),
            Budget::Server(_) => ("server", self.server, MINUTE),
            Budget::Stranger(_) => ("stranger", browser, MINUTE),
            Budget::Doubt(_) => ("stranger", browser.saturating_mul(DOUBT), MINUTE),
            Budget::Preflight(_) => ("preflight", browser, MINUTE),
            Budget::Return(_) => ("return", browser.saturating_mul(PAGES), MINUTE),
            Budget::Pages(_) | Budget::Person(_) => {
                ("pages", browser.saturating_mul(PAGES), MINUTE)
            }
            Budget::Forms(_) => ("forms", (browser / FORMS).max(1), MINUTE),
            Budget::Unproved(_) => ("unproved", UNPROVED_ROWS, HOUR),
        };
        QuotaPolicy {
            policy,
            quota,
            window,
        }
    }
}

/// A call that was counted before anything was known of it.
#[derive(Clone, Copy, Debug)]
pub struct EntryCount {
    budget: Budget,
    pub left: RateLimitState,
    /// In doubt: the refusal that it gets in any case, unless it proves keys.
    pub unless_proved: Option<RateLimitState>,
}

#[cfg(test)]
mod tests;
