//! A tenant's terms for one skill: how long its consents last, and how long what they gave is kept. In minutes.

/// Default and bounds of a term, in minutes. The default applies where the tenant chose none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermBounds {
    pub default: i64,
    pub least: i64,
    pub most: i64,
}

/// `consent_duration`: 90 days unless chosen. At most 180: after that a bank asks for strong customer authentication
/// again (RTS (EU) 2018/389, article 10a, as amended by (EU) 2022/2360).
pub const CONSENT_DURATION: TermBounds = TermBounds {
    default: 129_600,
    least: 1,
    most: 259_200,
};

/// `cache_max_data_retention`: 120 days unless chosen, at most a year.
pub const DATA_RETENTION: TermBounds = TermBounds {
    default: 172_800,
    least: 1,
    most: 525_600,
};

impl TermBounds {
    /// A length of time as people type it, in minutes: a number of days, or with a unit (`36 h`, `45 min`) anything else, as
    /// tests of what ends need it. Says what would be accepted.
    pub fn parse(self, text: &str) -> Result<i64, OutOfLimits> {
        let minutes = typed_minutes(text.trim());
        minutes
            .filter(|minutes| (self.least..=self.most).contains(minutes))
            .ok_or(OutOfLimits(self))
    }

    /// The longest, in days.
    pub const fn most_days(self) -> i64 {
        self.most / DAY
    }
}

const DAY: i64 = 1440;

/// No sign, no grouping: what is shown again is what was stored.
fn typed_minutes(text: &str) -> Option<i64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let number: i64 = digits.parse().ok()?;
    let each = match unit.trim() {
        "" | "d" | "day" | "days" => DAY,
        "h" | "hour" | "hours" => 60,
        "min" | "minute" | "minutes" => 1,
        _ => return None,
    };
    number.checked_mul(each)
}

/// Minutes as they are typed: a bare number where they are whole days, else with their unit.
pub fn as_typed(minutes: i64) -> String {
    if minutes != 0 && minutes % DAY == 0 {
        (minutes / DAY).to_string()
    } else {
        in_words(minutes)
    }
}

/// Not a length of time that may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Enter 1 to {} days. For less than a day, add a unit: 36 h, 45 min.", .0.most_days())]
pub struct OutOfLimits(pub TermBounds);

/// Minutes in their largest whole unit: `90 days`, `36 h`, `1 min`.
pub fn in_words(minutes: i64) -> String {
    match (minutes % 1440, minutes % 60) {
        (0, _) if minutes == 1440 => "1 day".to_owned(),
        (0, _) if minutes != 0 => format!("{} days", minutes / 1440),
        (_, 0) if minutes != 0 => format!("{} h", minutes / 60),
        _ => format!("{minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_typed_in_days() {
        for (text, minutes) in [
            ("1", 1440),
            (" 90 ", 129_600),
            ("180 days", 259_200),
            ("36 h", 2160),
            ("45min", 45),
            ("1 min", 1),
        ] {
            assert_eq!(CONSENT_DURATION.parse(text), Ok(minutes), "{text:?}");
        }
        for text in [
            "",
            "0",
            "-1",
            "+5",
            "1.5",
            "1e3",
            "1,000",
            "181",
            "90 weeks",
            "days",
            "9999999999999999999999",
            "9223372036854775807",
            "٣",
        ] {
            assert_eq!(
                CONSENT_DURATION.parse(text),
                Err(OutOfLimits(CONSENT_DURATION)),
                "{text:?}"
            );
        }
        assert_eq!(
            OutOfLimits(CONSENT_DURATION).to_string(),
            "Enter 1 to 180 days. For less than a day, add a unit: 36 h, 45 min."
        );
        assert_eq!(DATA_RETENTION.parse("365"), Ok(525_600));
    }

    #[test]
    fn what_is_shown_can_be_typed() {
        for minutes in [1, 90, 120, 1440, 2160, 129_600] {
            assert_eq!(CONSENT_DURATION.parse(&as_typed(minutes)), Ok(minutes));
        }
        assert_eq!(as_typed(129_600), "90");
    }

    #[test]
    fn minutes_are_told_in_their_largest_whole_unit() {
        for (minutes, words) in [
            (1, "1 min"),
            (90, "90 min"),
            (120, "2 h"),
            (1440, "1 day"),
            (2160, "36 h"),
            (129_600, "90 days"),
        ] {
            assert_eq!(in_words(minutes), words);
        }
    }
}
