//! A bank's allowance of calls: how often it lets itself be asked within 24 hours while the end-user is not there (Regulation (EU)
//! 2018/389, article 36(5)(b); Berlin Group `frequencyPerDay`). It is counted here, so that the bank need not refuse.
//!
//! The hours are the tenant's. A real bank counts by the real time, and so do the tenants that reach one, whose clocks
//! nobody moves; a tenant of the sandbox that goes on by a day has a new day at the sandbox bank, too, as each tenant is a
//! third party of its own there. The wait that a bank asks for after an error goes by the same time for the same reason.

use chrono::{DateTime, Duration, Utc};

use crate::storage::consents::CLOCKS;

/// The stretch of time that the calls are counted in; it slides.
const WINDOW: Duration = Duration::hours(24);

/// The calls of the last 24 hours, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankCalls(Vec<DateTime<Utc>>);

/// Calls left of a bank's allowance, as answers report it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BankAllowance {
    /// Calls in 24 hours.
    pub limit: i64,
    pub left: i64,
    /// Time at which the oldest call counted drops out of the window; `None` if no call was made.
    pub resets_at: Option<DateTime<Utc>>,
}

impl BankCalls {
    /// Reads what was kept, without what is too old to count.
    pub fn read(kept: Option<&[u8]>, now: DateTime<Utc>) -> Self {
        let times = kept
            .unwrap_or_default()
            .chunks_exact(8)
            .filter_map(|bytes| {
                let micros = i64::from_be_bytes(bytes.try_into().ok()?);
                DateTime::from_timestamp_micros(micros)
            });
        // A call from far ahead was dated by a clock that has been set back since: it would count for as long.
        let counts = |at: &DateTime<Utc>| *at + WINDOW > now && *at <= now + CLOCKS;
        Self(times.filter(counts).collect())
    }

    /// Encodes the calls for storage: 8 bytes each, microseconds since 1970, big-endian.
    pub fn write(&self) -> Vec<u8> {
        let bytes = |at: &DateTime<Utc>| at.timestamp_micros().to_be_bytes();
        self.0.iter().flat_map(bytes).collect()
    }

    /// Returns these calls with one more, made now.
    #[must_use]
    pub fn with(&self, now: DateTime<Utc>) -> Self {
        Self([&self.0[..], &[now]].concat())
    }

    /// Returns what is left of an allowance of `limit` calls.
    pub fn allowance(&self, limit: i64) -> BankAllowance {
        let used = i64::try_from(self.0.len()).unwrap_or(i64::MAX);
        BankAllowance {
            limit,
            left: limit.saturating_sub(used).max(0),
            resets_at: self.0.first().map(|at| *at + WINDOW),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_24_hours_see_more_calls_than_the_budget() {
        let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let (mut kept, mut made) = (Vec::new(), Vec::new());
        for minute in 0..10 * 24 * 60 {
            let now = start + Duration::minutes(minute);
            let calls = BankCalls::read(Some(&kept), now);
            let budget = calls.allowance(4);
            if budget.left == 0 {
                assert!(budget.resets_at.unwrap() > now);
                continue;
            }
            kept = calls.with(now).write();
            made.push(now);
        }
        assert_eq!(made.len(), 40);
        assert!(made.windows(5).all(|five| five[4] - five[0] >= WINDOW));
    }

    #[test]
    fn a_call_is_given_back_after_24_hours_to_the_microsecond() {
        let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let kept = BankCalls::read(None, start).with(start).write();
        let before = BankCalls::read(Some(&kept), start + WINDOW - Duration::microseconds(1));
        assert_eq!(before.allowance(1).left, 0);
        assert_eq!(before.allowance(1).resets_at, Some(start + WINDOW));
        let after = BankCalls::read(Some(&kept), start + WINDOW);
        assert_eq!(after.allowance(1).left, 1);
    }
}
