//! Numbers as they are written.

use std::borrow::Cow;
use std::fmt;

/// A number that keeps its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number<'a>(pub(super) Cow<'a, str>);

impl Number<'_> {
    /// Reads a text that is one number and nothing else.
    pub fn parse(text: &str) -> Option<Number<'static>> {
        match super::read(text.as_bytes(), super::ReadLimits::CLAIMS) {
            Ok(super::JsonValue::Number(number)) if number.as_str() == text => {
                Some(number.into_owned())
            }
            _ => None,
        }
    }

    /// Returns the number as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns a whole number, also one whose fraction is nothing (`5.0`), which JSON Schema counts as whole.
    pub fn as_i64(&self) -> Option<i64> {
        let (whole, fraction) = self.0.split_once('.').unwrap_or((&self.0, "0"));
        let nothing = fraction.bytes().all(|digit| digit == b'0');
        nothing.then(|| whole.parse().ok()).flatten()
    }

    pub fn into_owned(self) -> Number<'static> {
        Number(Cow::Owned(self.0.into_owned()))
    }

    /// Returns the same number in the library's form; `None` where binary floating point would change it.
    pub fn to_exact(&self) -> Option<serde_json::Number> {
        self.to_whole().or_else(|| {
            let float = self.to_f64()?;
            let same = decimal(&self.0) == decimal(&format!("{float:e}"));
            same.then(|| serde_json::Number::from_f64(float)).flatten()
        })
    }

    /// Returns the nearest number in the library's form; `None` beyond the range of binary floating point.
    pub fn to_nearest(&self) -> Option<serde_json::Number> {
        self.to_whole()
            .or_else(|| serde_json::Number::from_f64(self.to_f64()?))
    }

    fn to_whole(&self) -> Option<serde_json::Number> {
        if let Ok(number) = self.0.parse::<u64>() {
            return Some(number.into());
        }
        // A minus before nothing is kept by floating point alone.
        let number: i64 = self.0.parse().ok()?;
        (number != 0).then(|| number.into())
    }

    fn to_f64(&self) -> Option<f64> {
        self.0.parse().ok().filter(|float: &f64| float.is_finite())
    }
}

impl fmt::Display for Number<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The value of a decimal: whether it is negative, its digits without zeros around them, and the power of ten that its
/// first digit counts. Equal for equal numbers.
fn decimal(text: &str) -> (bool, String, i64) {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    let leading = digits.len() - significant.len();
    let exponent: i64 = exponent.parse().unwrap_or(i64::MAX / 2);
    let places = |count: usize| i64::try_from(count).unwrap_or(i64::MAX / 4);
    let first = exponent + places(whole.len()) - places(leading);
    let significant = significant.trim_end_matches('0');
    if significant.is_empty() {
        return (negative, String::new(), 0);
    }
    (negative, significant.to_owned(), first)
}
