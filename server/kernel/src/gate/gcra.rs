//! The arithmetic of a budget (GCRA, the generic cell rate algorithm): all that is kept of a budget is when it will be
//! whole again. A call moves that time by its share of the window, and is refused if it would move past the window.
//! There are no windows with edges, so nobody gets two bursts around one.

/// Seconds of a minute: the window of most budgets.
pub const MINUTE: u32 = 60;

/// State of a budget after a call was counted or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimitState {
    /// Name of the budget in the rate limit headers: `browser`, `server`, `stranger` and so on.
    pub policy: &'static str,
    /// Calls per window.
    pub quota: u32,
    /// The window, in seconds.
    pub window: u32,
    pub remaining: u32,
    /// Seconds until the whole quota is there again.
    pub reset: u32,
    /// Seconds to wait if the call was refused; `None` if it was counted.
    pub wait: Option<u32>,
}

/// Rate limit of a budget. The times and costs of its methods are in microseconds, times since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaPolicy {
    /// Name of the budget in the rate limit headers.
    pub policy: &'static str,
    /// Calls per window.
    pub quota: u32,
    /// The window, in seconds.
    pub window: u32,
}

impl QuotaPolicy {
    /// Returns the cost of one call, in microseconds.
    pub fn cost(self) -> i64 {
        // A quota beyond one call a microsecond is no limit: it still costs something.
        (i64::from(self.window) * 1_000_000 / i64::from(self.quota.max(1))).max(1)
    }

    /// Returns the cost of the whole quota, in microseconds.
    pub fn whole(self) -> i64 {
        self.cost() * i64::from(self.quota)
    }

    /// Returns a time that was kept, as far as it can be true: nobody owes more than the whole quota, and clocks of two machines are
    /// less than a window apart. What says more was written by a clock that has gone back since, and would keep everybody
    /// out until it is caught up.
    fn believed(self, whole_at: i64, now: i64) -> i64 {
        if whole_at.saturating_sub(now) > 2 * self.whole() {
            now
        } else {
            whole_at
        }
    }

    /// Returns the time at which the budget is whole again after one more call; `None` if there is no room for that
    /// call.
    pub fn after_one(self, whole_at: i64, now: i64) -> Option<i64> {
        let after = self.believed(whole_at, now).max(now) + self.cost();
        (after - now <= self.whole()).then_some(after)
    }

    /// Returns the number of calls there is room for.
    pub fn room(self, whole_at: i64, now: i64) -> u32 {
        let debt = (self.believed(whole_at, now) - now).max(0);
        u32::try_from((self.whole() - debt).max(0) / self.cost()).unwrap_or(0)
    }

    /// Returns the time from which there is room for one more call.
    pub fn opens_at(self, whole_at: i64) -> i64 {
        whole_at + self.cost() - self.whole()
    }

    /// Returns the state of the budget after a call that was counted.
    pub fn left(self, whole_at: i64, now: i64) -> RateLimitState {
        RateLimitState {
            policy: self.policy,
            quota: self.quota,
            window: self.window,
            remaining: self.room(whole_at, now),
            reset: seconds((self.believed(whole_at, now) - now).max(0)),
            wait: None,
        }
    }

    /// Returns the state of the budget after a call that was refused, with the seconds to wait, at least 1.
    pub fn refused(self, whole_at: i64, now: i64) -> RateLimitState {
        let known = self.believed(whole_at, now).max(now);
        let wait = seconds(self.opens_at(known) - now).max(1);
        RateLimitState {
            wait: Some(wait),
            ..self.left(whole_at, now)
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
    use super::*;

    #[test]
    fn a_clock_that_went_back_keeps_nobody_out() {
        let rule = QuotaPolicy {
            policy: "x",
            quota: 60,
            window: MINUTE,
        };
        let minute = i64::from(MINUTE) * 1_000_000;
        let now = 100 * minute;
        let spent = now + minute;
        assert_eq!(rule.after_one(spent, now), None, "spent");
        assert_eq!(
            rule.after_one(spent, now - minute),
            None,
            "two clocks differ"
        );
        let earlier = now - 50 * minute;
        assert_eq!(rule.after_one(spent, earlier), Some(earlier + rule.cost()));
        assert_eq!(rule.room(spent, earlier), 60);
        assert_eq!(rule.left(spent, earlier).reset, 0);
        assert_eq!(rule.refused(spent, now).wait, Some(1));
    }
}
