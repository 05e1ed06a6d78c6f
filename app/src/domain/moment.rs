//! Times to compare with, as callers write them (RFC 3339), and what they mean in the whole microseconds that are kept.

use chrono::{DateTime, NaiveDate, Utc};

/// A time to compare kept times with: the two nearest microseconds, which are equal if it is one itself.
///
/// What is finer lies between two: `floor` is the one before it and `ceil` the one after. A day without a time is the
/// whole day in UTC: `ceil` is its first microsecond and `floor` its last, so that each comparison takes the day whole.
/// Times outside the years 0001 to 9999 in UTC are the ends of that range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Latest microsecond that is not after the moment: a kept time is later than the moment if it is later than this.
    pub floor: DateTime<Utc>,
    /// Earliest microsecond that is not before the moment: a kept time is earlier than the moment if it is earlier than
    /// this.
    pub ceil: DateTime<Utc>,
}

/// Reason a text is not a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMoment {
    #[error("must be a time like 2026-01-31T08:15:00Z (RFC 3339), or a day like 2026-01-31")]
    Form,
    #[error("has no time zone: add Z, or an offset like +02:00")]
    Zone,
    #[error("is no time of the calendar and the clock")]
    Calendar,
    #[error(
        "lies between two microseconds, and nothing is kept so finely: give at most six decimals"
    )]
    TooFine,
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// 0001-01-01T00:00:00Z.
const FIRST: i64 = -62_135_596_800 * SECOND;
/// 9999-12-31T23:59:59.999999Z.
const LAST: i64 = 253_402_300_800 * SECOND - 1;

impl Moment {
    /// Reads a time, or a day alone. In a query a plus is a blank once it is decoded: `spaced` takes that blank for one.
    pub fn parse(text: &str, spaced: bool) -> Result<Self, NoMoment> {
        if !text.is_ascii() {
            return Err(NoMoment::Form);
        }
        let text = text.trim();
        let (day, rest) = text.split_at_checked(10).ok_or(NoMoment::Form)?;
        let midnight = midnight(day)?;
        if rest.is_empty() {
            return Ok(Self {
                floor: kept(midnight + DAY - 1),
                ceil: kept(midnight),
            });
        }
        let clock = rest.strip_prefix(['T', 't', ' ']).ok_or(NoMoment::Form)?;
        let (time, rest) = clock.split_at_checked(8).ok_or(NoMoment::Form)?;
        let seconds = seconds(time)?;
        let (micros, finer, zone) = fraction(rest)?;
        let at = midnight + seconds * SECOND + micros - offset(zone, spaced)?;
        Ok(Self {
            floor: kept(at),
            ceil: kept(at + i64::from(finer)),
        })
    }

    /// Returns the microsecond that the moment is; `None` for a finer time and for a whole day.
    pub fn exact(self) -> Option<DateTime<Utc>> {
        (self.floor == self.ceil).then_some(self.floor)
    }

    /// Returns `true` if the moment lies between two microseconds: no kept time is equal to it.
    pub fn is_finer(self) -> bool {
        self.floor < self.ceil
    }
}

/// Microseconds since 1970, within the years that are kept.
fn kept(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros.clamp(FIRST, LAST)).unwrap_or_default()
}

/// Returns the time, or the nearest within the years 0001 to 9999 in UTC: databases differ in how they keep others.
pub fn within_years(time: DateTime<Utc>) -> DateTime<Utc> {
    kept(time.timestamp_micros())
}

fn midnight(day: &str) -> Result<i64, NoMoment> {
    let mut parts = day.splitn(3, '-');
    let mut part = |length| number(parts.next().unwrap_or_default(), length);
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    let date = i32::try_from(year)
        .ok()
        .and_then(|year| NaiveDate::from_ymd_opt(year, month, day));
    let since = date.ok_or(NoMoment::Calendar)? - NaiveDate::default();
    Ok(since.num_days() * DAY)
}

fn seconds(time: &str) -> Result<i64, NoMoment> {
    let mut parts = time.splitn(3, ':');
    let mut part = || number(parts.next().unwrap_or_default(), 2);
    let (hour, minute, second) = (part()?, part()?, part()?);
    // A leap second is the second after it, as the clocks of computers have it.
    let leap = minute == 59 && second == 60;
    if hour > 23 || minute > 59 || (second > 59 && !leap) {
        return Err(NoMoment::Calendar);
    }
    Ok(i64::from(hour * 3600 + minute * 60 + second))
}

/// Returns the decimals of a second in whole microseconds, `true` if there are finer ones, and the rest of the text.
fn fraction(rest: &str) -> Result<(i64, bool, &str), NoMoment> {
    let Some(rest) = rest.strip_prefix('.') else {
        return Ok((0, false, rest));
    };
    let end = rest.find(|c: char| !c.is_ascii_digit());
    let (digits, zone) = rest.split_at(end.unwrap_or(rest.len()));
    if digits.is_empty() {
        return Err(NoMoment::Form);
    }
    let (kept, finer) = digits.split_at(digits.len().min(6));
    let micros = format!("{kept:0<6}").parse().map_err(|_| NoMoment::Form)?;
    Ok((micros, finer.bytes().any(|digit| digit != b'0'), zone))
}

/// Returns the offset from UTC that a zone states, in microseconds: positive if its clock is ahead.
fn offset(zone: &str, spaced: bool) -> Result<i64, NoMoment> {
    if zone.is_empty() {
        return Err(NoMoment::Zone);
    }
    if zone.eq_ignore_ascii_case("z") {
        return Ok(0);
    }
    let (sign, clock) = match zone.split_at_checked(1) {
        Some(("+", clock)) => (1, clock),
        Some((" ", clock)) if spaced => (1, clock),
        Some(("-", clock)) => (-1, clock),
        _ => return Err(NoMoment::Form),
    };
    let (hours, minutes) = clock.split_once(':').ok_or(NoMoment::Form)?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    if hours > 23 || minutes > 59 {
        return Err(NoMoment::Calendar);
    }
    Ok(sign * i64::from(hours * 3600 + minutes * 60) * SECOND)
}

fn number(digits: &str, length: usize) -> Result<u32, NoMoment> {
    let plain = digits.len() == length && digits.bytes().all(|b| b.is_ascii_digit());
    let number = digits.parse().ok().filter(|_| plain);
    number.ok_or(NoMoment::Form)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(text: &str) -> (String, String) {
        let moment = Moment::parse(text, false).unwrap();
        let say = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
        (say(moment.floor), say(moment.ceil))
    }

    fn exact(text: &str) -> String {
        let (floor, ceil) = times(text);
        assert_eq!(floor, ceil, "{text}");
        floor
    }

    #[test]
    fn a_time_is_the_microsecond_that_it_names() {
        for (text, time) in [
            ("2026-11-12T00:00:00Z", "2026-11-12T00:00:00.000000"),
            ("2026-11-12t02:30:00.5+02:00", "2026-11-12T00:30:00.500000"),
            ("2026-11-12 00:00:00z", "2026-11-12T00:00:00.000000"),
            (
                "2026-11-12T00:00:00.000000000000Z",
                "2026-11-12T00:00:00.000000",
            ),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000"),
            ("2026-11-12T00:00:00-23:59", "2026-11-12T23:59:00.000000"),
            // The ends of what is kept, whatever the offset says.
            ("9999-12-31T23:59:59-05:00", "9999-12-31T23:59:59.999999"),
            ("0001-01-01T00:00:00+05:00", "0001-01-01T00:00:00.000000"),
            ("0000-01-01T00:00:00Z", "0001-01-01T00:00:00.000000"),
            (
                "0000-12-31T23:59:59.9999999-23:59",
                "0001-01-01T23:58:59.999999",
            ),
        ] {
            if text.contains("9999999") {
                assert_eq!(times(text).0, time, "{text}");
            } else {
                assert_eq!(exact(text), time, "{text}");
            }
        }
    }

    #[test]
    fn what_is_finer_lies_between_two_microseconds() {
        let moment = Moment::parse("2026-11-12T00:00:00.0000001Z", false).unwrap();
        assert!(moment.is_finer() && moment.exact().is_none());
        assert_eq!(
            times("2026-11-12T00:00:00.0000001Z"),
            (
                "2026-11-12T00:00:00.000000".to_owned(),
                "2026-11-12T00:00:00.000001".to_owned()
            )
        );
    }

    #[test]
    fn a_day_is_taken_whole() {
        assert_eq!(
            times("2026-11-12"),
            (
                "2026-11-12T23:59:59.999999".to_owned(),
                "2026-11-12T00:00:00.000000".to_owned()
            )
        );
        let day = Moment::parse("2026-11-12", false).unwrap();
        assert!(!day.is_finer() && day.exact().is_none());
    }

    #[test]
    fn a_plus_that_became_a_blank_is_taken_in_a_query_alone() {
        let text = "2026-11-12T02:00:00 02:00";
        assert_eq!(Moment::parse(text, false), Err(NoMoment::Form));
        assert_eq!(
            Moment::parse(text, true),
            Moment::parse("2026-11-12T00:00:00Z", false)
        );
    }

    #[test]
    fn what_is_no_time_says_why() {
        for (text, why) in [
            ("", NoMoment::Form),
            ("yesterday", NoMoment::Form),
            ("20261112T000000Z", NoMoment::Form),
            ("2026-11-12T00:00Z", NoMoment::Form),
            ("2026-11-12T00:00:00,5Z", NoMoment::Form),
            ("2026-11-12T00:00:00.Z", NoMoment::Form),
            ("2026-11-12T00:00:00+0200", NoMoment::Form),
            ("２026-11-12T00:00:00Z", NoMoment::Form),
            ("2026-11-12T00:00:00", NoMoment::Zone),
            ("2026-02-30T00:00:00Z", NoMoment::Calendar),
            ("2026-11-12T24:00:00Z", NoMoment::Calendar),
            ("2026-11-12T00:00:60Z", NoMoment::Calendar),
            ("2026-11-12T00:00:00+24:00", NoMoment::Calendar),
            ("10000-01-01T00:00:00Z", NoMoment::Form),
        ] {
            assert_eq!(Moment::parse(text, true), Err(why), "{text}");
        }
    }
}
