//! Rate limits: how much each caller may ask for, fairly (each tenant by itself). The counting is the state's
//! ([`RateLimiter`]); here is said which budgets are counted where, and how large each is.

use chrono::{DateTime, Utc};
use kernel::gate::gcra::{MINUTE, QuotaPolicy};

use crate::storage::DbResult;

pub use crate::state::rate_limits::{Budget, RateLimiter};
pub use kernel::gate::SourceAddress;
pub use kernel::gate::gcra::RateLimitState;

/// Rows an hour in a tenant's log for calls that name it and prove nothing.
const UNPROVED_ROWS: u32 = 60;
const HOUR: u32 = 3600;
/// Time a source counts as known after keys were proved from it, in microseconds.
const KNOWN: i64 = 600 * 1_000_000;
/// Factor of the `Stranger` quota for the `Doubt` budget: unproved calls of a source while others from there prove
/// their keys.
const DOUBT: u32 = 10;
/// Factor of the `browser` quota for pages and returns.
const PAGES: u32 = 2;
/// Divisor of the `browser` quota for forms sent before anybody is signed in.
const FORMS: u32 = 5;

impl RateLimiter {
    /// Counts a call, or refuses it and counts nothing.
    pub async fn spend(&self, budget: Budget, now: DateTime<Utc>) -> DbResult<RateLimitState> {
        match budget {
            Budget::Browser(..) | Budget::Server(_) => {
                self.count(budget, self.rule(budget), now.timestamp_micros())
                    .await
            }
            _ => Ok(self.spend_here(budget, now)),
        }
    }

    /// Counts a call in this process alone, or refuses it and counts nothing.
    pub fn spend_here(&self, budget: Budget, now: DateTime<Utc>) -> RateLimitState {
        self.count_here(budget, self.rule(budget), now.timestamp_micros())
    }

    /// Counts a call before anything is known of it: against its source's own budget, or, where that is spent and keys
    /// were proved from there lately, against a second one.
    pub fn enter(&self, source: SourceAddress, now: DateTime<Utc>) -> EntryCount {
        let stranger = Budget::Stranger(source);
        let left = self.spend_here(stranger, now);
        if left.wait.is_none() || !self.knows(source, now.timestamp_micros()) {
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
        self.give_back(entered.budget, self.rule(entered.budget));
        let now = now.timestamp_micros();
        self.know(source, now + KNOWN, now);
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
