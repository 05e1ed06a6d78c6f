//! Time, ids and randomness: the three things a test must be able to hold still.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Duration, SubsecRound, Utc};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use uuid::Uuid;

/// Handed to everything that needs the time, a new id or random bytes.
#[derive(Clone)]
pub struct Clock(Arc<Source>);

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
        Self(Arc::new(Source::System))
    }

    /// A clock that stands still at `now` until advanced, with ids and randomness from a seed.
    pub fn mock(now: DateTime<Utc>, seed: u64) -> Self {
        Self(Arc::new(Source::Mock(Mutex::new(Box::new(Mock {
            now,
            rng: StdRng::seed_from_u64(seed),
        })))))
    }

    /// The present, in whole microseconds: what both databases keep.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the machine's clock"
    )]
    pub fn now(&self) -> DateTime<Utc> {
        match &*self.0 {
            Source::System => Utc::now().trunc_subsecs(6),
            Source::Mock(mock) => mock.lock().unwrap_or_else(PoisonError::into_inner).now,
        }
    }

    /// Moves a mock clock; the system's does not move by hand.
    pub fn advance(&self, by: Duration) {
        if let Source::Mock(mock) = &*self.0 {
            mock.lock().unwrap_or_else(PoisonError::into_inner).now += by;
        }
    }

    /// A new id: UUID version 7, so that rows sort by birth.
    pub fn id(&self) -> Uuid {
        let millis = u64::try_from(self.now().timestamp_millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.random()).into_uuid()
    }

    /// Cryptographically strong random bytes (those of a mock clock are repeatable instead).
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that asks for randomness"
    )]
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &*self.0 {
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
