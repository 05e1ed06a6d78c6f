//! Budgets: how much each caller may ask for, counted exactly (GCRA: no double burst at the edge of a window).
//!
//! In this process only: with several processes each has the whole budget.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use app::domain::ids::TenantId;
use chrono::{DateTime, Utc};

const WINDOW_SECONDS: u32 = 60;
const SHARDS: usize = 32;
/// A shard this full forgets everybody whose budget is whole again.
const SWEEP_AT: usize = 4096;

/// Whose budget a call counts against. One never eats another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Budget {
    /// Browser-safe calls of a tenant from one source, which need no secret: a stranger spends only their own.
    Browser(TenantId, Source),
    /// Calls proved with a tenant's secret.
    Server(TenantId),
    /// Calls that name no tenant or prove nothing.
    Stranger(Source),
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

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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

/// Counts calls. Shared by all requests; a shard's lock is held for one look-up.
pub struct Limits {
    browser: u32,
    server: u32,
    hasher: RandomState,
    /// For each budget, when it will be whole again ("theoretical arrival time"), in microseconds.
    shards: Vec<Mutex<HashMap<Budget, i64>>>,
}

impl Limits {
    /// Quotas are calls per minute.
    pub fn new(browser: u32, server: u32) -> Self {
        Self {
            browser: browser.max(1),
            server: server.max(1),
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// Counts a call, or refuses it and counts nothing.
    pub fn spend(&self, budget: Budget, now: DateTime<Utc>) -> Left {
        let (policy, quota) = match budget {
            Budget::Browser(..) => ("browser", self.browser),
            Budget::Server(_) => ("server", self.server),
            Budget::Stranger(_) => ("stranger", self.browser),
        };
        let window = i64::from(WINDOW_SECONDS) * 1_000_000;
        // A quota beyond one call a microsecond is no limit: it still costs something.
        let cost = (window / i64::from(quota)).max(1);
        let now = now.timestamp_micros();
        let shard = usize::try_from(self.hasher.hash_one(budget) % SHARDS as u64).unwrap_or(0);
        let Some(shard) = self.shards.get(shard) else {
            return Left {
                policy,
                quota,
                remaining: quota,
                reset: 0,
                wait: None,
            };
        };
        let mut whole_at = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if whole_at.len() >= SWEEP_AT {
            whole_at.retain(|_, at| *at > now);
        }
        let at = whole_at.entry(budget).or_insert(now);
        let after = (*at).max(now) + cost;
        let refused = after - now > cost * i64::from(quota);
        if !refused {
            *at = after;
        }
        let debt = (*at - now).max(0);
        Left {
            policy,
            quota,
            remaining: u32::try_from((cost * i64::from(quota) - debt).max(0) / cost).unwrap_or(0),
            reset: seconds(debt),
            wait: refused.then(|| seconds(after - now - cost * i64::from(quota)).max(1)),
        }
    }
}

/// Whole seconds, rounded up.
fn seconds(micros: i64) -> u32 {
    u32::try_from(micros.div_euclid(1_000_000) + i64::from(micros.rem_euclid(1_000_000) > 0))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use chrono::Duration;

    use super::*;

    fn start() -> DateTime<Utc> {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn tenant(n: u128) -> TenantId {
        TenantId(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn exactly_the_quota_passes_and_then_one_per_share() {
        let limits = Limits::new(6, 6);
        let budget = Budget::Server(tenant(1));
        let passed = (0..64).filter(|_| limits.spend(budget, start()).wait.is_none());
        assert_eq!(passed.count(), 6);
        let refused = limits.spend(budget, start());
        assert_eq!((refused.remaining, refused.wait), (0, Some(10)));
        let later = start() + Duration::seconds(10);
        assert_eq!(limits.spend(budget, later).wait, None);
        assert!(
            limits.spend(budget, later).wait.is_some(),
            "no double burst at an edge"
        );
        let rested = limits.spend(budget, later + Duration::minutes(2));
        assert_eq!((rested.remaining, rested.reset), (5, 10));
    }

    #[test]
    fn a_quota_beyond_all_measure_lets_everybody_pass() {
        let limits = Limits::new(u32::MAX, u32::MAX);
        for _ in 0..1_000 {
            let left = limits.spend(Budget::Server(tenant(1)), start());
            assert_eq!((left.wait, left.quota), (None, u32::MAX));
        }
    }

    #[test]
    fn one_budget_never_eats_another() {
        let limits = Limits::new(2, 2);
        let source = Source::from("192.0.2.1".parse::<IpAddr>().unwrap());
        let other = Source::from("192.0.2.2".parse::<IpAddr>().unwrap());
        for _ in 0..9 {
            limits.spend(Budget::Browser(tenant(1), source), start());
        }
        for budget in [
            Budget::Browser(tenant(1), other),
            Budget::Browser(tenant(2), source),
            Budget::Server(tenant(1)),
            Budget::Stranger(source),
        ] {
            assert_eq!(limits.spend(budget, start()).wait, None, "{budget:?}");
        }
    }

    #[test]
    fn a_64_way_race_lets_exactly_the_quota_pass() {
        let limits = Limits::new(10, 10);
        let passed = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..64)
                .map(|_| {
                    scope.spawn(|| {
                        limits
                            .spend(Budget::Server(tenant(1)), start())
                            .wait
                            .is_none()
                    })
                })
                .collect();
            threads
                .into_iter()
                .filter(|_| true)
                .map(|thread| thread.join().unwrap())
                .filter(|ok| *ok)
                .count()
        });
        assert_eq!(passed, 10);
    }

    #[test]
    fn a_subscriber_of_ipv6_is_one_source() {
        let source = |text: &str| Source::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_eq!(source("2001:db8::1").to_string(), "2001:db8::/64");
    }
}
