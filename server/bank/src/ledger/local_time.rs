//! The calendar day where the bank is, in Romania: two hours ahead of UTC, and three from the last Sunday of March to the
//! last of October, each at 01:00 UTC (Directive 2000/84/EC).

use chrono::{DateTime, Datelike as _, Duration, NaiveDate, TimeZone as _, Utc, Weekday};

/// Returns the date in Romania at an instant.
pub fn date(at: DateTime<Utc>) -> NaiveDate {
    let hours = if is_summer(at) { 3 } else { 2 };
    let there = at.checked_add_signed(Duration::hours(hours));
    there.unwrap_or(at).date_naive()
}

fn is_summer(at: DateTime<Utc>) -> bool {
    let change = |month: u32| {
        let last = NaiveDate::from_ymd_opt(at.year(), month, 31)?;
        let back = last.weekday().days_since(Weekday::Sun);
        let sunday = last.checked_sub_signed(Duration::days(back.into()))?;
        Some(Utc.from_utc_datetime(&sunday.and_hms_opt(1, 0, 0)?))
    };
    match (change(3), change(10)) {
        (Some(begins), Some(ends)) => (begins..ends).contains(&at),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_the_banks_midnight_in_winter_and_in_summer() {
        for (at, expected) in [
            ("2026-01-15T21:59:59Z", "2026-01-15"),
            ("2026-01-15T22:00:00Z", "2026-01-16"),
            ("2026-03-28T22:00:00Z", "2026-03-29"),
            ("2026-03-29T20:59:59Z", "2026-03-29"),
            ("2026-03-29T21:00:00Z", "2026-03-30"),
            ("2026-07-15T20:59:59Z", "2026-07-15"),
            ("2026-07-15T21:00:00Z", "2026-07-16"),
            ("2026-10-25T21:59:59Z", "2026-10-25"),
            ("2026-10-25T22:00:00Z", "2026-10-26"),
        ] {
            assert_eq!(date(at.parse().unwrap()).to_string(), expected, "{at}");
        }
    }
}
