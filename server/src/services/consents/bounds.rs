//! Bounds of a filter that cannot hold together, and amounts that no row has. Nothing would be found, and it would look as
//! if there were nothing: the caller is told which bounds they are.

use app::domain::moment::Moment;
use app::domain::money::Bound;
use app::domain::problem::Code;
use chrono::{DateTime, Utc};

use crate::services::refusal::{FieldProblem, Refusal};

/// Bounds on an amount, as they were written.
#[derive(Default)]
pub struct AmountBounds {
    pub eq: Option<Bound>,
    pub gt: Option<Bound>,
    pub gte: Option<Bound>,
    pub lt: Option<Bound>,
    pub lte: Option<Bound>,
}

/// Bounds on a time, as they were written.
#[derive(Default)]
pub struct TimeBounds {
    pub eq: Option<Moment>,
    pub gt: Option<Moment>,
    pub gte: Option<Moment>,
    pub lt: Option<Moment>,
    pub lte: Option<Moment>,
}

/// The first and the last value that a bound may stand for: of an amount or time between two that are kept the nearest,
/// of a day its ends.
trait Ends: Copy {
    type Value: Ord + Copy;
    fn first(self) -> Self::Value;
    fn last(self) -> Self::Value;
}

impl Ends for Bound {
    type Value = i64;
    fn first(self) -> i64 {
        self.floor
    }
    fn last(self) -> i64 {
        self.ceil
    }
}

impl Ends for Moment {
    type Value = DateTime<Utc>;
    fn first(self) -> DateTime<Utc> {
        self.floor.min(self.ceil)
    }
    fn last(self) -> DateTime<Utc> {
        self.floor.max(self.ceil)
    }
}

/// Refuses bounds of amounts that no amount can meet.
pub fn check_amount(bounds: &AmountBounds, under: &str) -> Result<(), Refusal> {
    let AmountBounds {
        eq,
        gt,
        gte,
        lt,
        lte,
    } = bounds;
    let zero = |bound: &Option<Bound>, least: i64| bound.is_some_and(|bound| bound.ceil < least);
    let below = [
        ("eq", zero(eq, 0)),
        ("lte", zero(lte, 0)),
        ("lt", zero(lt, 1)),
    ];
    let fields: Vec<FieldProblem> = below
        .into_iter()
        .filter(|(_, is_below)| *is_below)
        .map(|(name, _)| {
            let message = "no amount is so small: amounts are never negative, and credit_debit_indicator says in which direction they went";
            FieldProblem::new(format!("{under}{name}"), Code::InvalidField, message)
        })
        .collect();
    if !fields.is_empty() {
        return Err(Refusal::new(Code::InvalidField).at(fields));
    }
    check(under, "", *eq, [*gte, *gt], [*lte, *lt])
}

/// Refuses bounds of times that no time can meet.
pub fn check_times(bounds: &TimeBounds, under: &str, noun: &str) -> Result<(), Refusal> {
    let TimeBounds {
        eq,
        gt,
        gte,
        lt,
        lte,
    } = bounds;
    check(under, noun, *eq, [*gte, *gt], [*lte, *lt])
}

/// Refuses bounds that are upside down. Those that meet in one value are a window of nothing, which programs that page by
/// time ask for in good faith.
fn check<B: Ends>(
    under: &str,
    noun: &str,
    eq: Option<B>,
    lower: [Option<B>; 2],
    upper: [Option<B>; 2],
) -> Result<(), Refusal> {
    let path = |name: &str| format!("{under}{noun}{name}");
    let named = |ends: [Option<B>; 2], names: [&'static str; 2]| {
        let ends = ends.into_iter().zip(names);
        ends.filter_map(|(end, name)| end.map(|end| (end, name)))
            .collect::<Vec<_>>()
    };
    let equal = [eq.map(|eq| (eq, "eq"))];
    let lower = named(lower, ["gte", "gt"]);
    let upper = named(upper, ["lte", "lt"]);
    let above = lower.iter().chain(equal.iter().flatten());
    let pairs = above.flat_map(|low| {
        let below = upper.iter().chain(equal.iter().flatten());
        below.map(move |high| (low, high))
    });
    let mut wrong = pairs.filter(|(low, high)| low.1 != high.1 && low.0.first() > high.0.last());
    let Some(((_, low), (_, high))) = wrong.next() else {
        return Ok(());
    };
    let field = |name, other| {
        let message = format!("holds for nothing together with {}", path(other));
        FieldProblem::new(path(name), Code::InvalidField, message)
    };
    Err(Refusal::new(Code::InvalidField)
        .says(format!(
            "Upside down: {} is above {}.",
            path(low),
            path(high)
        ))
        .at(vec![field(low, high), field(high, low)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(refusal: Result<(), Refusal>) -> Vec<String> {
        let fields = refusal.err().map(|refusal| refusal.fields);
        let fields = fields.unwrap_or_default().into_iter();
        fields.map(|field| field.path).collect()
    }

    #[test]
    fn amounts_that_nothing_has_are_named() {
        let amount = |bounds: &[(&str, &str)]| {
            let mut read = AmountBounds::default();
            for (name, text) in bounds {
                let bound = Some(Bound::parse(text).unwrap());
                match *name {
                    "eq" => read.eq = bound,
                    "gt" => read.gt = bound,
                    "gte" => read.gte = bound,
                    "lt" => read.lt = bound,
                    _ => read.lte = bound,
                }
            }
            wrong(check_amount(&read, "filter."))
        };
        for good in [
            &[][..],
            &[("eq", "0")],
            &[("lte", "0")],
            &[("lt", "0.00001")],
            &[("gte", "-5")],
            &[("gt", "5"), ("lt", "5")],
            &[("gte", "5"), ("lte", "5"), ("eq", "5")],
            &[("gt", "5.00001"), ("lt", "5.00002")],
            &[("gt", "1e400")],
        ] {
            assert!(amount(good).is_empty(), "{good:?}");
        }
        for (bad, paths) in [
            (&[("eq", "-37.27")][..], &["filter.eq"][..]),
            (&[("lt", "0")], &["filter.lt"]),
            (&[("lte", "-0.0001")], &["filter.lte"]),
            (&[("gt", "10"), ("lt", "5")], &["filter.gt", "filter.lt"]),
            (
                &[("gte", "10"), ("lte", "9.9999")],
                &["filter.gte", "filter.lte"],
            ),
            (&[("eq", "5"), ("gt", "7")], &["filter.gt", "filter.eq"]),
            (&[("eq", "5"), ("lt", "3")], &["filter.eq", "filter.lt"]),
        ] {
            assert_eq!(amount(bad), paths, "{bad:?}");
        }
    }

    #[test]
    fn times_upside_down_are_named() {
        let moment = |text: &str| Some(Moment::parse(text, false).unwrap());
        let times = |gte: &str, lte: &str| {
            let bounds = TimeBounds {
                gte: moment(gte),
                lte: moment(lte),
                ..TimeBounds::default()
            };
            wrong(check_times(&bounds, "", "booking_date_"))
        };
        let both = ["booking_date_gte", "booking_date_lte"];
        assert_eq!(times("2026-11-12", "2026-11-01"), both);
        assert_eq!(
            times("2026-11-12T00:00:01Z", "2026-11-12T02:00:00+02:00"),
            both
        );
        assert!(times("2026-11-12", "2026-11-12").is_empty());
        assert!(times("2026-11-12T10:00:00Z", "2026-11-12").is_empty());
        assert!(times("2026-11-12", "2026-11-12T10:00:00Z").is_empty());
    }
}
