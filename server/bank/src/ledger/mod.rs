//! The bank's books: invented, believable, and the same on every machine.
//!
//! Nothing here is drawn at random. Every account was opened on [`EPOCH`], and what happens on a day follows from the
//! account, the day and what came before, by arithmetic alone. So two installations agree on every day they both
//! know, a day never changes once told, and yet the books end today: the clock only decides how far they are read.
//! An entry is shown for [`HISTORY_DAYS`] after it was made, pending from the day it was made until its booking day.

pub mod accounts;
pub mod iban;
mod local_time;
pub mod payees;
pub mod seeded_rng;
pub mod simulation;

use chrono::{DateTime, Datelike as _, Duration, NaiveDate, Utc};

/// The day every account was opened, a Monday: 2022-01-03.
pub const EPOCH: Day = Day(18_995);

/// Days of history that the bank returns: 160 weeks, a little over three years. A whole number of fortnights, so that
/// `business`, whose fortnights all have 625 entries, shows 50,000 of them on any day.
pub const HISTORY_DAYS: i64 = 160 * 7;

/// Raised whenever the generator's output changes: books of another version are written anew at start.
pub const VERSION: i64 = 1;

/// A calendar day, as days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i64);

impl Day {
    /// The day of an instant, where the sandbox bank is: in Romania.
    pub fn of(instant: DateTime<Utc>) -> Self {
        Self::from_date(local_time::date(instant))
    }

    pub fn from_date(date: NaiveDate) -> Self {
        Self(date.signed_duration_since(NaiveDate::default()).num_days())
    }

    /// The date; days beyond chrono's calendar end at its limits.
    pub fn date(self) -> NaiveDate {
        Duration::try_days(self.0)
            .and_then(|days| NaiveDate::default().checked_add_signed(days))
            .unwrap_or(NaiveDate::MAX)
    }

    pub const fn plus(self, days: i64) -> Self {
        Self(self.0 + days)
    }

    /// 0 is Monday.
    pub const fn weekday(self) -> i64 {
        // 1970-01-01 was a Thursday.
        (self.0 + 3).rem_euclid(7)
    }

    pub const fn is_weekend(self) -> bool {
        self.weekday() >= 5
    }

    pub fn day_of_month(self) -> u32 {
        self.date().day()
    }

    pub fn month(self) -> u32 {
        self.date().month()
    }

    pub fn is_last_of_month(self) -> bool {
        self.plus(1).day_of_month() == 1
    }

    /// The first weekday from this day on: what banks do with a due date on a weekend.
    pub const fn next_working(self) -> Self {
        let days = match self.weekday() {
            5 => 2,
            6 => 1,
            _ => 0,
        };
        self.plus(days)
    }
}

/// One line of an account's books. Amounts are minor units with their sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    pub account: i64,
    pub booking_day: Day,
    pub position: i64,
    pub made_day: Day,
    /// Index into [`payees::PAYEES`].
    pub payee: i64,
    /// Number that the reference numbers in the entry's texts are made from, so that entries of one payee differ.
    pub salt: i64,
    pub amount: i64,
    pub balance_after: i64,
}

/// Every entry of a user's accounts with a booking day in `from..=to`, in the order in which they are booked.
pub fn entries(username: &str, from: Day, to: Day) -> Vec<LedgerEntry> {
    let mut all = Vec::new();
    for (account, mut made) in simulation::entries_until(username, to) {
        // Stable: entries of one day stay in the order in which they were made.
        made.sort_by_key(|event| (event.books_on, event.day));
        let (mut balance, mut day, mut position) = (0, EPOCH, 0);
        for event in made {
            if event.books_on > to {
                break;
            }
            position = if event.books_on == day {
                position + 1
            } else {
                0
            };
            day = event.books_on;
            balance += event.amount;
            if day >= from {
                all.push(LedgerEntry {
                    account,
                    booking_day: day,
                    position,
                    made_day: event.day,
                    payee: event.payee,
                    salt: event.salt,
                    amount: event.amount,
                    balance_after: balance,
                });
            }
        }
    }
    all
}
