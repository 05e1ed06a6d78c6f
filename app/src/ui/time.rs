//! Times as people read them, with the exact moment one hover away. Always in UTC: the page cannot know the reader's zone.

use chrono::{DateTime, TimeDelta, Utc};
use leptos::prelude::*;

/// `3 min ago`, with the moment as title.
#[component]
pub fn Ago(at: DateTime<Utc>, now: DateTime<Utc>) -> impl IntoView {
    moment(at, ago(at, now))
}

/// `in 21 h`, with the moment as title.
#[component]
pub fn Until(at: DateTime<Utc>, now: DateTime<Utc>) -> impl IntoView {
    moment(at, until(at, now))
}

/// The time of day to the millisecond, for logs, with the moment as title.
#[component]
pub fn Stamp(at: DateTime<Utc>) -> impl IntoView {
    moment(at, at.format("%H:%M:%S%.3f").to_string())
}

fn moment(at: DateTime<Utc>, text: String) -> impl IntoView {
    view! {
        <time datetime=at.to_rfc3339() title=full(at)>
            {text}
        </time>
    }
}

/// `12 Mar 2026, 10:04:31 UTC`.
pub fn full(at: DateTime<Utc>) -> String {
    at.format("%-d %b %Y, %H:%M:%S UTC").to_string()
}

/// `12 Mar 2026`.
pub fn day(at: DateTime<Utc>) -> String {
    at.format("%-d %b %Y").to_string()
}

/// Returns the time since a moment, in one unit: `3 min ago`; after 30 days, the day.
pub fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let gone = now - at;
    if gone < TimeDelta::seconds(1) {
        "just now".into()
    } else if gone > TimeDelta::days(30) {
        day(at)
    } else {
        format!("{} ago", span(gone))
    }
}

/// Returns the time until a moment, in one unit: `in 21 h`.
pub fn until(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if at <= now {
        "now".into()
    } else {
        format!("in {}", span(at - now))
    }
}

/// A length of time in its largest whole unit: `4 s`, `12 min`, `21 h`, `6 days`.
pub fn span(length: TimeDelta) -> String {
    match length.num_seconds() {
        seconds @ ..60 => format!("{} s", seconds.max(0)),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_770_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn times_are_told_in_one_unit() {
        let cases = [
            (0, "just now"),
            (3, "3 s ago"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (3_600, "1 h ago"),
            (172_799, "47 h ago"),
            (172_800, "2 days ago"),
            (31 * 86_400, "2 Feb 2026"),
        ];
        for (gone, words) in cases {
            assert_eq!(ago(at(0), at(gone)), words, "{gone}");
        }
        assert_eq!(until(at(75_700), at(0)), "in 21 h");
        assert_eq!(until(at(0), at(0)), "now");
    }
}
