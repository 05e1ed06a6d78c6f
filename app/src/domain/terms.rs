//! A tenant's terms for one skill: how long its consents last, and how long what they gave is kept. In minutes.

/// What a term is without a word from the tenant, and between what it may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub default: i64,
    pub least: i64,
    pub most: i64,
}

/// `consent_duration`: 90 days unless chosen. At most 180: after that a bank asks for strong customer authentication
/// again (RTS (EU) 2018/389, article 10a, as amended by (EU) 2022/2360).
pub const CONSENT_DURATION: Limits = Limits {
    default: 129_600,
    least: 1,
    most: 259_200,
};

/// `cache_max_data_retention`: 120 days unless chosen, at most a year.
pub const DATA_RETENTION: Limits = Limits {
    default: 172_800,
    least: 1,
    most: 525_600,
};

impl Limits {
    /// A number of minutes as people type it; says what would be accepted.
    pub fn parse(self, text: &str) -> Result<i64, OutOfLimits> {
        let text = text.trim();
        // No sign, no grouping: what is shown again is what was stored.
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let minutes = text.parse().ok().filter(|_| digits);
        minutes
            .filter(|minutes| (self.least..=self.most).contains(minutes))
            .ok_or(OutOfLimits(self))
    }
}

/// Not a number of minutes that may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Enter whole minutes from {} to {} ({}).", .0.least, .0.most, in_words(.0.most))]
pub struct OutOfLimits(pub Limits);

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
    fn terms_are_whole_minutes_within_their_limits() {
        for (text, minutes) in [("1", 1), (" 129600 ", 129_600), ("259200", 259_200)] {
            assert_eq!(CONSENT_DURATION.parse(text), Ok(minutes), "{text:?}");
        }
        for text in [
            "",
            "0",
            "-1",
            "+5",
            "1.5",
            "1e3",
            "129,600",
            "259201",
            "9999999999999999999999",
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
            "Enter whole minutes from 1 to 259200 (180 days)."
        );
        assert_eq!(DATA_RETENTION.parse("525600"), Ok(525_600));
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
