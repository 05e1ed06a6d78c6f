//! Time zones of banks, as far as a calendar day needs them: "today" is the bank's, and a payment for today must not be
//! one for tomorrow because it is still yesterday in UTC.
//!
//! The zones are those of the European Economic Area and the United Kingdom, which keep one rule: an offset from UTC, and an
//! hour more from the last Sunday of March to the last of October, each at 01:00 UTC (Directive 2000/84/EC).

use chrono::{DateTime, Datelike as _, Duration, NaiveDate, TimeZone as _, Utc, Weekday};

/// A zone by its name in the IANA database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone {
    name: &'static str,
    /// Hours ahead of UTC in winter.
    hours: i64,
    has_summer: bool,
}

/// A name that is none of the zones that are known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is no time zone that is known here: name one of the IANA database, like Europe/Bucharest"
)]
pub struct UnknownZone(String);

const WEST: &[&str] = &["Europe/Lisbon", "Europe/Dublin", "Europe/London"];
const MIDDLE: &[&str] = &[
    "Europe/Amsterdam",
    "Europe/Berlin",
    "Europe/Bratislava",
    "Europe/Brussels",
    "Europe/Budapest",
    "Europe/Copenhagen",
    "Europe/Ljubljana",
    "Europe/Luxembourg",
    "Europe/Madrid",
    "Europe/Malta",
    "Europe/Oslo",
    "Europe/Paris",
    "Europe/Prague",
    "Europe/Rome",
    "Europe/Stockholm",
    "Europe/Vaduz",
    "Europe/Vienna",
    "Europe/Warsaw",
    "Europe/Zagreb",
    "Europe/Zurich",
];
const EAST: &[&str] = &[
    "Asia/Nicosia",
    "Europe/Athens",
    "Europe/Bucharest",
    "Europe/Helsinki",
    "Europe/Riga",
    "Europe/Sofia",
    "Europe/Tallinn",
    "Europe/Vilnius",
];

impl Zone {
    /// Coordinated Universal Time: the zone of whoever has no other.
    pub const UTC: Self = Self {
        name: "UTC",
        hours: 0,
        has_summer: false,
    };
    /// Romania's.
    pub const BUCHAREST: Self = Self {
        name: "Europe/Bucharest",
        hours: 2,
        has_summer: true,
    };

    /// Finds a zone by its name.
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        if matches!(name, "UTC" | "Atlantic/Reykjavik") {
            return Ok(Self::UTC);
        }
        let found = [(WEST, 0), (MIDDLE, 1), (EAST, 2)]
            .into_iter()
            .find_map(|(names, hours)| {
                let name = names.iter().find(|known| **known == name)?;
                Some(Self {
                    name,
                    hours,
                    has_summer: true,
                })
            });
        found.ok_or_else(|| UnknownZone(name.chars().take(40).collect()))
    }

    pub const fn name(self) -> &'static str {
        self.name
    }

    /// The calendar day there at an instant.
    pub fn day(self, at: DateTime<Utc>) -> NaiveDate {
        let hours = self.hours + i64::from(self.has_summer && is_summer(at));
        let there = at.checked_add_signed(Duration::hours(hours));
        there.unwrap_or(at).date_naive()
    }
}

fn is_summer(at: DateTime<Utc>) -> bool {
    let change = |month: u32| {
        let last = NaiveDate::from_ymd_opt(at.year(), month, 31)?;
        let back = last.weekday().days_since(Weekday::Sun);
        let sunday = last.checked_sub_signed(Duration::days(back.into()))?;
        let clock = sunday.and_hms_opt(1, 0, 0)?;
        Some(Utc.from_utc_datetime(&clock))
    };
    match (change(3), change(10)) {
        (Some(begins), Some(ends)) => (begins..ends).contains(&at),
        _ => false,
    }
}

impl serde::Serialize for Zone {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

impl<'de> serde::Deserialize<'de> for Zone {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(zone: &str, at: &str) -> String {
        let zone = Zone::named(zone).unwrap();
        zone.day(at.parse().unwrap()).to_string()
    }

    #[test]
    fn a_day_begins_where_the_bank_is() {
        for (zone, at, expected) in [
            ("Europe/Bucharest", "2026-01-15T21:59:59Z", "2026-01-15"),
            ("Europe/Bucharest", "2026-01-15T22:00:00Z", "2026-01-16"),
            ("Europe/Bucharest", "2026-07-15T20:59:59Z", "2026-07-15"),
            ("Europe/Bucharest", "2026-07-15T21:00:00Z", "2026-07-16"),
            ("Europe/Berlin", "2026-01-15T22:59:59Z", "2026-01-15"),
            ("Europe/Berlin", "2026-07-15T22:00:00Z", "2026-07-16"),
            ("Europe/Lisbon", "2026-01-15T23:59:59Z", "2026-01-15"),
            ("Europe/London", "2026-07-15T23:00:00Z", "2026-07-16"),
            ("UTC", "2026-07-15T23:59:59Z", "2026-07-15"),
        ] {
            assert_eq!(day(zone, at), expected, "{zone} {at}");
        }
        assert_eq!(Zone::named("Europe/Bucharest"), Ok(Zone::BUCHAREST));
        for unknown in [
            "",
            "Bucharest",
            "europe/bucharest",
            "EET",
            "+02:00",
            "Mars/Base",
        ] {
            assert!(Zone::named(unknown).is_err(), "{unknown}");
        }
    }

    #[test]
    fn summer_begins_and_ends_on_the_last_sundays() {
        let at = |text: &str| is_summer(text.parse().unwrap());
        for (text, summer) in [
            ("2026-03-29T00:59:59Z", false),
            ("2026-03-29T01:00:00Z", true),
            ("2026-10-25T00:59:59Z", true),
            ("2026-10-25T01:00:00Z", false),
            ("2024-03-31T01:00:00Z", true),
            ("2027-10-31T00:59:59Z", true),
            ("2027-10-31T01:00:00Z", false),
        ] {
            assert_eq!(at(text), summer, "{text}");
        }
    }
}
