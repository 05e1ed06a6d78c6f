//! Rounds of measurements, and the tables they end in: medians with their spread, and ratios within one run.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};

use super::load::Rate;

/// One thing to measure, and how a round of it is run.
pub struct Case<'a> {
    pub name: String,
    pub run: Box<dyn Fn() -> Result<Rate> + 'a>,
}

/// Results of the rounds of a case.
pub struct Figures {
    pub name: String,
    pub rates: Vec<Rate>,
}

/// Median, lowest and highest of a few values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub lowest: f64,
    pub highest: f64,
}

impl<'a> Case<'a> {
    pub fn new(name: impl Into<String>, run: impl Fn() -> Result<Rate> + 'a) -> Self {
        Self {
            name: name.into(),
            run: Box::new(run),
        }
    }
}

/// Measures each case so often. Rounds alternate between the cases, so that a slow minute of the machine slows all of
/// them; one round more, the first, warms caches and connections.
pub fn measure(cases: &[Case<'_>], rounds: usize) -> Result<Vec<Figures>> {
    let mut figures: Vec<Figures> = cases
        .iter()
        .map(|case| Figures {
            name: case.name.clone(),
            rates: Vec::new(),
        })
        .collect();
    for round in 0..=rounds {
        eprintln!("    round {round} of {rounds}");
        for (case, figures) in cases.iter().zip(&mut figures) {
            let rate = (case.run)().with_context(|| format!("measuring {}", case.name))?;
            if round > 0 {
                figures.rates.push(rate);
            }
        }
    }
    Ok(figures)
}

impl Figures {
    /// Returns the spread of requests per second.
    pub fn per_second(&self) -> Spread {
        Spread::of(self.rates.iter().map(|rate| rate.per_second).collect())
    }

    /// Returns the spread of a time, in milliseconds.
    pub fn millis(&self, pick: fn(&Rate) -> Duration) -> Spread {
        let millis = |rate: &Rate| pick(rate).as_secs_f64() * 1000.0;
        Spread::of(self.rates.iter().map(millis).collect())
    }
}

impl Spread {
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or_default();
        Self {
            median: at(values.len() / 2),
            lowest: at(0),
            highest: at(values.len().saturating_sub(1)),
        }
    }
}

/// With two decimals below ten, with none from a hundred on.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.median {
            below if below < 10.0 => 2,
            below if below < 100.0 => 1,
            _ => 0,
        };
        let Self {
            median,
            lowest,
            highest,
        } = self;
        write!(
            f,
            "{median:.digits$} ({lowest:.digits$} - {highest:.digits$})"
        )
    }
}

/// Prints a table in Markdown.
pub fn print(title: &str, head: &[&str], rows: &[Vec<String>]) {
    println!("\n{title}\n");
    println!("| {} |", head.join(" | "));
    println!("|{}", "---|".repeat(head.len()));
    for row in rows {
        println!("| {} |", row.join(" | "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_of_sorted_values_with_as_many_digits_as_tell_something() {
        let spread = Spread::of(vec![3.0, 1.0, 2.0]);
        assert_eq!(spread.to_string(), "2.00 (1.00 - 3.00)");
        assert_eq!(
            Spread::of(vec![200.4, 100.0, 300.0]).to_string(),
            "200 (100 - 300)"
        );
        assert_eq!(Spread::of(Vec::new()).to_string(), "0.00 (0.00 - 0.00)");
    }

    #[test]
    fn the_round_that_warms_up_does_not_count() {
        let run = std::cell::Cell::new(0.0);
        let case = Case::new("counted", || {
            run.set(run.get() + 1.0);
            Ok(Rate {
                per_second: run.get(),
                ..Rate::default()
            })
        });
        let figures = measure(&[case], 3).unwrap();
        assert_eq!(figures[0].per_second(), Spread::of(vec![2.0, 3.0, 4.0]));
    }
}
