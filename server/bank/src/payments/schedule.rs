//! Due days of a standing order (`startDate`, `endDate`, `frequency`, `dayOfExecution`, `executionRule`).

use chrono::{Datelike as _, NaiveDate};
use serde::Deserialize;

use crate::ledger::Day;

/// ISO 20022 `EventFrequency7Code`, but for the one whose days are told month by month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Frequency {
    Daily,
    Weekly,
    EveryTwoWeeks,
    Monthly,
    EveryTwoMonths,
    Quarterly,
    SemiAnnual,
    Annual,
}

/// Direction in which a due day on a weekend is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionRule {
    Following,
    Preceding,
}

/// A standing order's days.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    pub start: Day,
    /// The last day it may be due; `None` if it runs until it is cancelled.
    pub end: Option<Day>,
    pub frequency: Frequency,
    /// Day of the month; 31 is the last one. The start's own if none.
    pub day: Option<u32>,
    pub rule: ExecutionRule,
}

/// Days or months between two payments.
enum Step {
    Days(i64),
    Months(i32),
}

impl Frequency {
    const fn step(self) -> Step {
        match self {
            Self::Daily => Step::Days(1),
            Self::Weekly => Step::Days(7),
            Self::EveryTwoWeeks => Step::Days(14),
            Self::Monthly => Step::Months(1),
            Self::EveryTwoMonths => Step::Months(2),
            Self::Quarterly => Step::Months(3),
            Self::SemiAnnual => Step::Months(6),
            Self::Annual => Step::Months(12),
        }
    }

    pub const fn is_monthly(self) -> bool {
        matches!(self.step(), Step::Months(_))
    }
}

impl Schedule {
    /// The days it is executed on, in order; without end if it has none.
    pub fn due(self) -> impl Iterator<Item = Day> {
        let end = self.end.unwrap_or(Day(i64::MAX));
        (0..)
            .map(move |number| self.planned(number))
            .take_while(move |day| *day <= end)
            .map(move |day| self.working(day))
    }

    /// The day that weekends have not yet moved.
    fn planned(self, number: i32) -> Day {
        let months = match self.frequency.step() {
            Step::Days(days) => return self.start.plus(days * i64::from(number)),
            Step::Months(months) => months,
        };
        let wanted = self.day.unwrap_or(self.start.day_of_month());
        let start = self.start.date();
        let first_month = start.year() * 12 + start.month0().cast_signed();
        let late = day_in(first_month, wanted) < self.start;
        day_in(first_month + i32::from(late) + months * number, wanted)
    }

    fn working(self, day: Day) -> Day {
        match self.rule {
            ExecutionRule::Following => day.next_working(),
            ExecutionRule::Preceding => (0..3)
                .map(|back| day.plus(-back))
                .find(|day| !day.is_weekend())
                .unwrap_or(day),
        }
    }
}

/// A day of a month counted from year zero; the last one if the month is shorter.
fn day_in(month: i32, day: u32) -> Day {
    let (year, month) = (
        month.div_euclid(12),
        month.rem_euclid(12).unsigned_abs() + 1,
    );
    let date = (28..=day.max(28))
        .rev()
        .map(|last| day.min(last))
        .find_map(|day| NaiveDate::from_ymd_opt(year, month, day));
    Day::from_date(date.unwrap_or(NaiveDate::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(
        start: &str,
        end: Option<&str>,
        frequency: Frequency,
        day: Option<u32>,
        rule: ExecutionRule,
    ) -> Vec<String> {
        let read = |text: &str| Day::from_date(text.parse().unwrap());
        let schedule = Schedule {
            start: read(start),
            end: end.map(read),
            frequency,
            day,
            rule,
        };
        schedule
            .due()
            .take(4)
            .map(|day| day.date().to_string())
            .collect()
    }

    #[test]
    fn months_are_counted_and_their_last_day_is_kept() {
        use Frequency::*;
        let monthly = days("2026-01-31", None, Monthly, None, ExecutionRule::Preceding);
        assert_eq!(
            monthly,
            ["2026-01-30", "2026-02-27", "2026-03-31", "2026-04-30"]
        );
        let quarterly = days(
            "2026-01-15",
            None,
            Quarterly,
            Some(5),
            ExecutionRule::Following,
        );
        assert_eq!(
            quarterly,
            ["2026-02-05", "2026-05-05", "2026-08-05", "2026-11-05"]
        );
        let leap = days("2028-02-29", None, Annual, None, ExecutionRule::Following);
        assert_eq!(
            leap,
            ["2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28"]
        );
    }

    #[test]
    fn it_ends_with_the_last_day_planned_before_its_end() {
        let weekly = days(
            "2026-01-05",
            Some("2026-01-19"),
            Frequency::Weekly,
            None,
            ExecutionRule::Following,
        );
        assert_eq!(weekly, ["2026-01-05", "2026-01-12", "2026-01-19"]);
        // Planned for a Saturday, its last day, and moved behind it.
        let moved = days(
            "2026-01-03",
            Some("2026-01-03"),
            Frequency::Weekly,
            None,
            ExecutionRule::Following,
        );
        assert_eq!(moved, ["2026-01-05"]);
        let never = days(
            "2026-01-10",
            Some("2026-01-20"),
            Frequency::Monthly,
            Some(5),
            ExecutionRule::Following,
        );
        assert!(never.is_empty());
    }
}
