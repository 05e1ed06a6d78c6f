//! Time, ids and randomness: the three things a test must be able to hold still.
//!
//! The time is asked for somebody: `clock.of(owner).now()` is the time of one owner, whose clock may have been moved
//! forward, and `clock.now()` the real time, which all of them share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration as StdDuration;

use chrono::{DateTime, Duration, SubsecRound, Utc};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use uuid::Uuid;

/// Most that an owner's clock can be ahead: a hundred years. Whatever is added to its time stays a date that both
/// databases keep.
const FURTHEST: StdDuration = StdDuration::from_hours(876_600);

/// Handed to everything that needs the time, a new id or random bytes.
#[derive(Clone)]
pub struct Clock {
    source: Arc<Source>,
    moved: Arc<Moved>,
    /// Owner whose time it tells; `None` for the real time.
    owner: Option<Uuid>,
}

/// The clocks that were moved forward, shared by all clones.
#[derive(Default)]
struct Moved {
    /// `false` until a first clock is moved: as long as it is, nobody takes the lock.
    any: AtomicBool,
    /// Time by which the clock of each owner is ahead, in whole seconds.
    ahead: RwLock<HashMap<Uuid, StdDuration>>,
}

impl Moved {
    fn ahead(&self, owner: Uuid) -> StdDuration {
        if !self.any.load(Ordering::Acquire) {
            return StdDuration::ZERO;
        }
        let ahead = self.ahead.read().unwrap_or_else(PoisonError::into_inner);
        ahead.get(&owner).copied().unwrap_or_default()
    }

    fn set(&self, owner: Uuid, ahead: StdDuration) {
        let ahead = StdDuration::from_secs(ahead.min(FURTHEST).as_secs());
        if ahead.is_zero() {
            return;
        }
        let mut all = self.ahead.write().unwrap_or_else(PoisonError::into_inner);
        let known = all.entry(owner).or_default();
        *known = ahead.max(*known);
        self.any.store(true, Ordering::Release);
    }
}

enum Source {
    System,
    Mock(Mutex<Box<Mock>>),
}

struct Mock {
    now: DateTime<Utc>,
    rng: StdRng,
}

/// The smallest id that can have been made at a time: rows from then on, by their index of ids.
pub fn first_id_at(time: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(time.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

impl Clock {
    /// The machine's own clock and randomness.
    pub fn system() -> Self {
        Self::from_source(Source::System)
    }

    /// A clock that stands still at `now` until advanced, with ids and randomness from a seed.
    pub fn mock(now: DateTime<Utc>, seed: u64) -> Self {
        Self::from_source(Source::Mock(Mutex::new(Box::new(Mock {
            now,
            rng: StdRng::seed_from_u64(seed),
        }))))
    }

    fn from_source(source: Source) -> Self {
        Self {
            source: Arc::new(source),
            moved: Arc::default(),
            owner: None,
        }
    }

    /// Returns the clock of an owner: its time is ahead by what was set for it, now or later; ids and randomness are the
    /// same source's. Of an owner whose clock was never moved it tells the real time.
    #[must_use]
    pub fn of(&self, owner: Uuid) -> Self {
        Self {
            owner: Some(owner),
            ..self.clone()
        }
    }

    /// Moves the clock of an owner forward until it is ahead of the real time by `ahead`, in whole seconds and a hundred
    /// years at most. One that is ahead by more stays: no clock goes back, and whoever tells it twice or out of order
    /// changes nothing. Kept in memory, for all clones of this clock.
    pub fn set_ahead(&self, owner: Uuid, ahead: StdDuration) {
        self.moved.set(owner, ahead);
    }

    /// Returns the time by which the clock of an owner is ahead; zero if it was never moved.
    pub fn ahead(&self, owner: Uuid) -> StdDuration {
        self.moved.ahead(owner)
    }

    /// The present, in whole microseconds: what both databases keep. Of the clock of an owner ([`Clock::of`]) it is that
    /// owner's.
    pub fn now(&self) -> DateTime<Utc> {
        let ahead = self.owner.map(|owner| self.moved.ahead(owner));
        self.real_now() + ahead.unwrap_or_default()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the machine's clock"
    )]
    fn real_now(&self) -> DateTime<Utc> {
        match &*self.source {
            Source::System => Utc::now().trunc_subsecs(6),
            Source::Mock(mock) => mock.lock().unwrap_or_else(PoisonError::into_inner).now,
        }
    }

    /// Moves a mock clock, and with it those of all owners; the system's does not move by hand.
    pub fn advance(&self, by: Duration) {
        if let Source::Mock(mock) = &*self.source {
            mock.lock().unwrap_or_else(PoisonError::into_inner).now += by;
        }
    }

    /// A new id: UUID version 7, so that rows sort by birth. It is made at the real time, of the clock of an owner too: rows
    /// of all owners lie in one order, [`first_id_at`] finds a time in it, and no row is older by its id than one that was
    /// there before it, as it would be once a moved clock is no longer ahead.
    pub fn id(&self) -> Uuid {
        let millis = u64::try_from(self.real_now().timestamp_millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.random()).into_uuid()
    }

    /// Cryptographically strong random bytes (those of a mock clock are repeatable instead).
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that asks for randomness"
    )]
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &*self.source {
            Source::System => rand::rng().fill_bytes(&mut bytes),
            Source::Mock(mock) => mock
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .rng
                .fill_bytes(&mut bytes),
        }
        bytes
    }

    /// A random token of 256 bits, base64url without padding (43 characters).
    pub fn token(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.random::<32>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: StdDuration = StdDuration::from_hours(24);

    fn clock() -> Clock {
        Clock::mock("2026-01-01T00:00:00Z".parse().unwrap(), 1)
    }

    #[test]
    fn a_moved_clock_is_ahead_for_its_owner_alone() {
        let clock = clock();
        let (one, other) = (clock.id(), clock.id());
        let (early, real) = (clock.of(one), clock.now());
        clock.clone().set_ahead(one, DAY);
        assert_eq!(clock.of(one).now(), real + DAY);
        assert_eq!(early.now(), real + DAY, "one that was handed out before");
        assert_eq!((clock.now(), clock.of(other).now()), (real, real));
        assert_eq!(clock.of(one).of(other).now(), real);
        assert_eq!(
            (clock.ahead(one), clock.ahead(other)),
            (DAY, StdDuration::ZERO)
        );
    }

    #[test]
    fn moved_clocks_go_on_with_the_real_time() {
        let clock = clock();
        let owner = clock.id();
        clock.set_ahead(owner, DAY);
        clock.advance(Duration::seconds(5));
        assert_eq!(clock.of(owner).now() - clock.now(), Duration::days(1));
    }

    #[test]
    fn no_clock_goes_back_or_out_of_the_calendar() {
        let clock = clock();
        let owner = clock.id();
        clock.set_ahead(owner, DAY * 3);
        clock.set_ahead(owner, DAY);
        clock.set_ahead(owner, StdDuration::ZERO);
        assert_eq!(clock.ahead(owner), DAY * 3);
        clock.set_ahead(owner, StdDuration::MAX);
        let far = clock.of(owner).now();
        assert_eq!((far - clock.now()).num_days(), 36_525);
        assert!(far + Duration::days(365_000) > far);
    }

    #[test]
    fn a_moved_clock_tells_whole_microseconds() {
        let clock = Clock::system();
        let owner = clock.id();
        clock.set_ahead(owner, StdDuration::new(60, 123_456_789));
        assert_eq!(clock.ahead(owner), StdDuration::from_mins(1));
        let now = clock.of(owner).now();
        assert_eq!(now, now.trunc_subsecs(6));
    }

    #[test]
    fn ids_are_born_at_the_real_time() {
        let clock = clock();
        let owner = clock.id();
        clock.set_ahead(owner, DAY);
        let mut ids = vec![clock.of(owner).id()];
        for _ in 0..3 {
            clock.advance(Duration::milliseconds(1));
            ids.extend([clock.id(), clock.of(owner).id()]);
        }
        assert!(ids.first() >= Some(&first_id_at("2026-01-01T00:00:00Z".parse().unwrap())));
        let soon = first_id_at(clock.now() + Duration::seconds(1));
        assert!(ids.iter().all(|id| *id < soon), "not by the owner's time");
        let births: Vec<u64> = ids.iter().map(|id| id.as_u64_pair().0 >> 16).collect();
        assert!(births.is_sorted(), "{births:?}");
    }

    #[test]
    fn randomness_is_one_source_whoever_asks() {
        let (clock, same) = (clock(), clock());
        let owner = clock.id();
        assert_eq!(owner, same.id());
        clock.set_ahead(owner, DAY);
        assert_eq!(clock.of(owner).token(), same.token());
        assert_eq!(clock.token(), same.of(owner).token());
    }
}
