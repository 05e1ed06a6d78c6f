//! Counts of calls: how often each caller came, counted exactly (GCRA: no double burst at the edge of a window) and across
//! every process on one database. How much each may ask for is said in `services/access/rate_limits`.

pub mod concurrency;
mod leases;

use std::fmt;

use app::domain::ids::{PersonId, TenantId};
use kernel::gate::SourceAddress;
use kernel::gate::gcra::{QuotaPolicy, RateLimitState};
use kernel::gate::quota_store::QuotaStore;

use self::concurrency::{CallSlots, CoDelQueue};
use self::leases::Leases;
use crate::storage::{Db, DbResult};

const CALLS_AT_ONCE: u32 = 256;

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
    /// Quota of a browser, in calls per minute.
    pub browser: u32,
    /// Quota of a server, in calls per minute.
    pub server: u32,
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

    /// Counts a call among all processes, or refuses it and counts nothing. `now` is in microseconds since 1970, here and
    /// below.
    pub async fn count(
        &self,
        budget: Budget,
        rule: QuotaPolicy,
        now: i64,
    ) -> DbResult<RateLimitState> {
        match &self.shared {
            Some(shared) => shared.spend(budget, rule, now).await,
            None => Ok(self.count_here(budget, rule, now)),
        }
    }

    /// Counts a call in this process alone, or refuses it and counts nothing.
    pub fn count_here(&self, budget: Budget, rule: QuotaPolicy, now: i64) -> RateLimitState {
        self.memory.spend(budget, rule, now)
    }

    /// Gives back what a call cost that turned out to be another budget's.
    pub fn give_back(&self, budget: Budget, rule: QuotaPolicy) {
        self.memory.refund(budget, rule);
    }

    /// Notes until when a source counts as known: keys were proved from it.
    pub fn know(&self, source: SourceAddress, until: i64, now: i64) {
        self.proved.mark(source, until, now);
    }

    /// Returns `true` if a source counts as known.
    pub fn knows(&self, source: SourceAddress, now: i64) -> bool {
        self.proved.is_marked(source, now)
    }
}
