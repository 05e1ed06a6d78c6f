//! The arithmetic of a budget (GCRA, the generic cell rate algorithm): all that is kept of a budget is when it will be
//! whole again. A call moves that time by its share of the window, and is refused if it would move past the window.
//! There are no windows with edges, so nobody gets two bursts around one.

/// Seconds of a minute: the window of most budgets.
pub const MINUTE: u32 = 60;

/// What is left after a call was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// As the headers name it: `browser`, `server` or `stranger`.
    pub policy: &'static str,
    /// Calls per window.
    pub quota: u32,
    /// The window, in seconds.
    pub window: u32,
    pub remaining: u32,
    /// Seconds until the whole quota is there again.
    pub reset: u32,
    /// Seconds to wait when the call was one too many.
    pub wait: Option<u32>,
}

/// How much a budget allows. Times are microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// As the headers name it.
    pub policy: &'static str,
    /// Calls per window.
    pub quota: u32,
    /// The window, in seconds.
    pub window: u32,
}

impl Rule {
    /// What a call is worth.
    pub fn cost(self) -> i64 {
        // A quota beyond one call a microsecond is no limit: it still costs something.
        (i64::from(self.window) * 1_000_000 / i64::from(self.quota.max(1))).max(1)
    }

    /// What the whole quota is worth.
    pub fn whole(self) -> i64 {
        self.cost() * i64::from(self.quota)
    }

    /// When the budget is whole again after one more call, if there is room for it.
    pub fn after_one(self, whole_at: i64, now: i64) -> Option<i64> {
        let after = whole_at.max(now) + self.cost();
        (after - now <= self.whole()).then_some(after)
    }

    /// How many calls there is room for.
    pub fn room(self, whole_at: i64, now: i64) -> u32 {
        let debt = (whole_at - now).max(0);
        u32::try_from((self.whole() - debt).max(0) / self.cost()).unwrap_or(0)
    }

    /// When there is room for one more.
    pub fn opens_at(self, whole_at: i64) -> i64 {
        whole_at + self.cost() - self.whole()
    }

    /// What is left after a call that was counted.
    pub fn left(self, whole_at: i64, now: i64) -> Left {
        Left {
            policy: self.policy,
            quota: self.quota,
            window: self.window,
            remaining: self.room(whole_at, now),
            reset: seconds((whole_at - now).max(0)),
            wait: None,
        }
    }

    /// What is left after a call that was one too many.
    pub fn refused(self, whole_at: i64, now: i64) -> Left {
        let wait = seconds(self.opens_at(whole_at.max(now)) - now).max(1);
        Left {
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
