//! Budgets counted in this process: all there are on SQLite, and everywhere what guards the process itself.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Mutex, PoisonError};

use super::gcra::{QuotaPolicy, RateLimitState};

const SHARDS: u64 = 32;
/// A shard this full forgets everybody whose budget is whole again.
pub const SWEEP_AT: usize = 4096;

/// Something for each budget, behind many locks so that no caller waits for another.
pub struct Sharded<S> {
    hasher: RandomState,
    shards: Vec<S>,
    /// Shard returned if the index is out of range, which never happens while there are shards.
    spare: S,
}

impl<S: Default> Default for Sharded<S> {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| S::default()).collect(),
            spare: S::default(),
        }
    }
}

impl<S> Sharded<S> {
    /// The shard of a budget.
    pub fn of(&self, budget: impl Hash) -> &S {
        let at = usize::try_from(self.hasher.hash_one(budget) % SHARDS).unwrap_or(0);
        self.shards.get(at).unwrap_or(&self.spare)
    }
}

/// For each budget, when it will be whole again.
pub struct QuotaStore<B>(Sharded<Mutex<HashMap<B, i64>>>);

impl<B> Default for QuotaStore<B> {
    fn default() -> Self {
        Self(Sharded::default())
    }
}

impl<B: Copy + Eq + Hash> QuotaStore<B> {
    /// Counts a call, or refuses it and counts nothing. Holds a lock for one look-up.
    pub fn spend(&self, budget: B, rule: QuotaPolicy, now: i64) -> RateLimitState {
        let mut shard = self
            .0
            .of(budget)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= SWEEP_AT {
            shard.retain(|_, whole_at| *whole_at > now);
        }
        let whole_at = shard.entry(budget).or_insert(now);
        match rule.after_one(*whole_at, now) {
            Some(after) => {
                *whole_at = after;
                rule.left(after, now)
            }
            None => rule.refused(*whole_at, now),
        }
    }

    /// Gives back what a call cost that turned out to be another budget's.
    pub fn refund(&self, budget: B, rule: QuotaPolicy) {
        let mut shard = self
            .0
            .of(budget)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(whole_at) = shard.get_mut(&budget) {
            *whole_at -= rule.cost();
        }
    }

    /// Marks a budget until a time.
    pub fn mark(&self, budget: B, until: i64, now: i64) {
        let shard = self.0.of(budget);
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= SWEEP_AT {
            shard.retain(|_, until| *until > now);
        }
        shard.insert(budget, until);
    }

    /// Returns `true` if the mark has not expired. An expired mark is removed here.
    pub fn is_marked(&self, budget: B, now: i64) -> bool {
        let shard = self.0.of(budget);
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        match shard.get(&budget) {
            Some(until) if *until > now => true,
            Some(_) => {
                shard.remove(&budget);
                false
            }
            None => false,
        }
    }
}
