//! Budgets shared by every process on one Postgres. The count is a row there; a process takes calls out of it a few at a
//! time and spends them from memory, so that most calls ask nobody.
//!
//! What was taken is counted, used or not: all processes together never let more pass than the quota. A lease grows
//! with the tenant's pace and shrinks with what is left, down to single calls, so that hardly anything is held by one
//! process while another has to refuse; what is not used within a second lapses.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use kernel::gate::gcra::{QuotaPolicy, RateLimitState};
use kernel::gate::quota_store::{SWEEP_AT, Sharded};

use super::Budget;
use crate::storage::{Db, DbResult};

/// Lifetime of a lease, in microseconds.
const LIFE: i64 = 1_000_000;
/// The most calls taken at once.
const MOST: u32 = 256;
/// A lease takes at most this part of what is left.
const SHARE: u32 = 16;

/// This process's leases.
pub struct Leases {
    db: Db,
    shards: Sharded<Shard>,
}

#[derive(Default)]
struct Shard {
    held: Mutex<HashMap<Budget, Lease>>,
    /// Held while the database is asked: one asks, the others find what was taken.
    asking: tokio::sync::Mutex<()>,
}

/// Calls taken out of one budget. Times are microseconds since 1970.
#[derive(Clone, Copy)]
struct Lease {
    taken: u32,
    left: u32,
    lapses_at: i64,
    /// Time at which the budget will be full again, as the database reported it last.
    whole_at: i64,
    /// Time until which nothing can be taken.
    shut_until: i64,
}

impl Leases {
    /// Leases over a database that several processes share.
    pub fn new(db: Db) -> Self {
        Self {
            db,
            shards: Sharded::default(),
        }
    }

    /// Counts a call, or refuses it and counts nothing.
    pub async fn spend(
        &self,
        budget: Budget,
        rule: QuotaPolicy,
        now: i64,
    ) -> DbResult<RateLimitState> {
        let shard = self.shards.of(budget);
        if let Some(left) = shard.spend(budget, rule, now) {
            return Ok(left);
        }
        let _asking = shard.asking.lock().await;
        if let Some(left) = shard.spend(budget, rule, now) {
            return Ok(left);
        }
        let lease = self
            .take(budget, rule, now, shard.wanted(budget, rule, now))
            .await?;
        Ok(shard.begin(budget, rule, now, lease))
    }

    /// Takes calls out of the shared budget: as many as wanted, else one, else none.
    async fn take(
        &self,
        budget: Budget,
        rule: QuotaPolicy,
        now: i64,
        wanted: u32,
    ) -> DbResult<Lease> {
        let subject = budget.to_string();
        let mut tx = self.db.counting().await?;
        let sizes = [wanted, 1].into_iter().take(if wanted > 1 { 2 } else { 1 });
        let mut lease = Lease {
            taken: 0,
            left: 0,
            lapses_at: now + LIFE,
            whole_at: now,
            shut_until: 0,
        };
        for size in sizes {
            let price = rule.cost() * i64::from(size);
            if let Some(whole_at) = tx.take_budget(&subject, now, price, rule.whole()).await? {
                tx.commit().await?;
                (lease.taken, lease.left, lease.whole_at) = (size, size, whole_at);
                return Ok(lease);
            }
        }
        lease.whole_at = tx.budget(&subject).await?.unwrap_or(now);
        lease.shut_until = rule.opens_at(lease.whole_at);
        Ok(lease)
    }
}

impl Shard {
    /// Spends from the lease, or refuses because nothing is left; `None` if the database must be asked.
    fn spend(&self, budget: Budget, rule: QuotaPolicy, now: i64) -> Option<RateLimitState> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let lease = held.get_mut(&budget)?;
        if lease.left > 0 && now < lease.lapses_at {
            lease.left -= 1;
            return Some(lease.after(rule, now));
        }
        // No door is shut for longer than a call takes to be there again: then the clock went back.
        let shut = now < lease.shut_until && lease.shut_until - now <= rule.cost() + rule.whole();
        shut.then(|| rule.refused(lease.whole_at, now))
    }

    /// Returns the number of calls to take: twice the last lease if it was used up before it lapsed, as many as were
    /// used of one that lapsed less than a second ago, and otherwise one.
    fn wanted(&self, budget: Budget, rule: QuotaPolicy, now: i64) -> u32 {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = held.get(&budget) else {
            return 1;
        };
        let pace = match last.left {
            0 if now < last.lapses_at => last.taken.saturating_mul(2),
            left if now < last.lapses_at + LIFE => last.taken - left,
            _ => 1,
        };
        let share = rule.room(last.whole_at, now) / SHARE;
        pace.min(share).clamp(1, MOST)
    }

    /// Puts a lease in place and spends the call that asked for it.
    fn begin(
        &self,
        budget: Budget,
        rule: QuotaPolicy,
        now: i64,
        mut lease: Lease,
    ) -> RateLimitState {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= SWEEP_AT {
            held.retain(|_, lease| lease.whole_at > now);
        }
        let answer = if lease.left > 0 {
            lease.left -= 1;
            lease.after(rule, now)
        } else {
            rule.refused(lease.whole_at, now)
        };
        held.insert(budget, lease);
        answer
    }
}

impl Lease {
    /// Returns what is left after a call: calls taken and not spent still count as the caller's.
    fn after(&self, rule: QuotaPolicy, now: i64) -> RateLimitState {
        rule.left(self.whole_at - rule.cost() * i64::from(self.left), now)
    }
}
