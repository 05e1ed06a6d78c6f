//! Numbers that look like chance and are none: `SplitMix64` (Steele, Lea, Flood 2014) over a fixed seed, an account and
//! a day. Written out here because a library's generator may change between versions, and the books may not.

use super::Day;

const SEED: u64 = 0x7e55_e2a5_a11d_b0c5;

/// The throws of one account on one day.
pub struct SeededRng(u64);

impl SeededRng {
    pub fn new(account: i64, day: Day) -> Self {
        let mut rng = Self(SEED ^ account.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15));
        rng.0 = rng.next() ^ day.0.unsigned_abs();
        rng
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `below` - 1; the tiny bias of the remainder does not matter here.
    pub fn below(&mut self, below: i64) -> i64 {
        let below = below.max(1).unsigned_abs();
        i64::try_from(self.next() % below).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below(high - low + 1)
    }

    /// Draws once and returns `true` with the given probability, in percent.
    pub fn percent(&mut self, chance: i64) -> bool {
        self.below(100) < chance
    }

    /// Draws the salt of an entry: the number that its reference numbers are made from.
    pub fn salt(&mut self) -> i64 {
        self.below(1_000_000_000)
    }
}
