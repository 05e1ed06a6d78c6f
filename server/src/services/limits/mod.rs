//! Budgets: how much each caller may ask for, counted exactly (GCRA: no double burst at the edge of a window), fairly
//! (each tenant by itself) and across every process on one database.

mod gcra;
mod leases;
mod memory;

use std::fmt;
use std::net::IpAddr;

use app::domain::ids::TenantId;
use chrono::{DateTime, Utc};

use crate::storage::{Db, Stored};
use gcra::Rule;
use leases::Leases;
use memory::Memory;

/// Rows a minute in a tenant's log for calls that name it and prove nothing.
const UNPROVED_ROWS: u32 = 60;

/// Whose budget a call counts against. One never eats another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Budget {
    /// Browser-safe calls of a tenant from one source, which need no secret: a stranger spends only their own.
    Browser(TenantId, Source),
    /// Calls proved with a tenant's secret.
    Server(TenantId),
    /// Calls that name no tenant or prove nothing. Guards each process by itself: a flood of strangers must not become
    /// a flood of writes.
    Stranger(Source),
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
            Self::Unproved(tenant) => write!(f, "unproved/{tenant}"),
        }
    }
}

/// Where a call comes from: an IPv4 address, or the /64 of an IPv6 one (what one subscriber holds).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

impl From<IpAddr> for Source {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V6(v6) => Self(IpAddr::V6((u128::from(v6) >> 64 << 64).into())),
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(ip) => ip.fmt(f),
            IpAddr::V6(ip) => write!(f, "{ip}/64"),
        }
    }
}

/// What is left after a call was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// `browser`, `server` or `stranger`.
    pub policy: &'static str,
    /// Calls per window of a minute.
    pub quota: u32,
    pub remaining: u32,
    /// Seconds until the whole quota is there again.
    pub reset: u32,
    /// Seconds to wait when the call was one too many.
    pub wait: Option<u32>,
}

/// Counts calls. Shared by all requests of the process.
pub struct Limits {
    browser: u32,
    server: u32,
    memory: Memory,
    /// On Postgres, where other processes may serve the same tenants.
    shared: Option<Leases>,
}

impl Limits {
    /// Quotas are calls per minute.
    pub fn new(db: &Db, browser: u32, server: u32) -> Self {
        Self {
            browser: browser.max(1),
            server: server.max(1),
            memory: Memory::default(),
            shared: db.is_postgres().then(|| Leases::new(db.clone())),
        }
    }

    /// Counts a call, or refuses it and counts nothing.
    pub async fn spend(&self, budget: Budget, now: DateTime<Utc>) -> Stored<Left> {
        match (&self.shared, budget) {
            (Some(shared), Budget::Browser(..) | Budget::Server(_)) => {
                shared
                    .spend(budget, self.rule(budget), now.timestamp_micros())
                    .await
            }
            _ => Ok(self.spend_here(budget, now)),
        }
    }

    /// The same, counted in this process alone.
    pub fn spend_here(&self, budget: Budget, now: DateTime<Utc>) -> Left {
        self.memory
            .spend(budget, self.rule(budget), now.timestamp_micros())
    }

    fn rule(&self, budget: Budget) -> Rule {
        let (policy, quota) = match budget {
            Budget::Browser(..) => ("browser", self.browser),
            Budget::Server(_) => ("server", self.server),
            Budget::Stranger(_) => ("stranger", self.browser),
            Budget::Unproved(_) => ("unproved", UNPROVED_ROWS),
        };
        Rule { policy, quota }
    }
}

#[cfg(test)]
mod tests;
