//! Amounts: exact decimals, never binary floating point.
//!
//! An amount is kept for comparison as a whole number of ten-thousandths ([`Scaled`]: no ISO 4217 currency has more
//! than four decimals), at most 922,337,203,685,477.5807 in any currency. What a filter compares with may be any JSON
//! number: [`Bound`] turns it into whole ten-thousandths without rounding a comparison wrong.

use rust_decimal::Decimal;

/// Decimal places that are kept.
pub const SCALE: u32 = 4;

/// An amount in ten-thousandths: what both databases compare exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scaled(pub i64);

/// An amount that cannot be kept: too large, or finer than a ten-thousandth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the amount is too large or has more than four decimals")]
pub struct OutOfRange;

impl TryFrom<Decimal> for Scaled {
    type Error = OutOfRange;

    fn try_from(amount: Decimal) -> Result<Self, OutOfRange> {
        let plain = amount.normalize();
        let missing = SCALE.checked_sub(plain.scale()).ok_or(OutOfRange)?;
        plain
            .mantissa()
            .checked_mul(10_i128.pow(missing))
            .and_then(|scaled| i64::try_from(scaled).ok())
            .map(Self)
            .ok_or(OutOfRange)
    }
}

impl Scaled {
    /// The amount without what is finer than a ten-thousandth: banks have units that are. Only what is too large is none.
    pub fn cut(amount: Decimal) -> Result<Self, OutOfRange> {
        Self::try_from(amount.trunc_with_scale(SCALE))
    }
}

/// A number to compare amounts with, between the two nearest ten-thousandths (which are equal if it is one).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The greatest ten-thousandth that is not above it.
    pub floor: i64,
    /// The least ten-thousandth that is not below it.
    pub ceil: i64,
}

/// A text that is no decimal number of the JSON grammar (RFC 8259, section 6), or has over 400 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a decimal number")]
pub struct NotANumber;

impl Bound {
    /// Reads a number as it was written. Numbers beyond what can be kept become the ends of the range, which no
    /// kept amount reaches.
    pub fn parse(text: &str) -> Result<Self, NotANumber> {
        let number = Number::parse(text).ok_or(NotANumber)?;
        // Digits d and exponent e mean d * 10^e; in ten-thousandths that is d * 10^(e + 4).
        let shift = number
            .exponent
            .saturating_add(i64::from(SCALE))
            .saturating_sub(number.fraction);
        let (whole, exact) = number.shifted(shift);
        Ok(match (number.negative, exact) {
            (false, true) => Self {
                floor: whole,
                ceil: whole,
            },
            (false, false) => Self {
                floor: whole,
                ceil: whole.saturating_add(1),
            },
            (true, true) => Self {
                floor: -whole,
                ceil: -whole,
            },
            (true, false) => Self {
                floor: (-whole).saturating_sub(1),
                ceil: -whole,
            },
        })
    }

    /// The amount equal to it, if there is one.
    pub fn exact(self) -> Option<i64> {
        (self.floor == self.ceil).then_some(self.floor)
    }
}

/// The parts of a number: all its digits, how many of them stand after the point, and the exponent.
struct Number {
    negative: bool,
    digits: String,
    fraction: i64,
    exponent: i64,
}

impl Number {
    fn parse(text: &str) -> Option<Self> {
        if text.len() > 400 {
            return None;
        }
        let (negative, rest) = text
            .strip_prefix('-')
            .map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
            None => (rest, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let digits_only = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || leading_zero || !digits_only(whole) || !digits_only(fraction) {
            return None;
        }
        Some(Self {
            negative,
            digits: format!("{whole}{fraction}"),
            fraction: i64::try_from(fraction.len()).ok()?,
            exponent,
        })
    }

    /// The digits with the point moved right by `shift`: the whole part (at most [`LARGEST`]) and whether that is all.
    fn shifted(&self, shift: i64) -> (i64, bool) {
        let digits = self.digits.trim_start_matches('0');
        if digits.is_empty() {
            return (0, true);
        }
        let keep = i64::try_from(digits.len())
            .unwrap_or(i64::MAX)
            .saturating_add(shift);
        // Nineteen digits hold every i64; more is beyond the range whatever they are.
        if keep > 19 {
            return (LARGEST, true);
        }
        let cut = usize::try_from(keep).unwrap_or(0).min(digits.len());
        let (whole, rest) = digits.split_at(cut);
        let zeros = usize::try_from(keep).unwrap_or(0) - cut;
        let whole = format!("0{whole}{}", "0".repeat(zeros));
        let value = whole.parse::<i64>().unwrap_or(LARGEST);
        (value, rest.bytes().all(|b| b == b'0'))
    }
}

/// Stands for everything too large to be kept.
const LARGEST: i64 = i64::MAX;

fn exponent_of(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // An exponent too long for a number is as good as the largest one.
    let size = digits.parse::<i64>().unwrap_or(1_000_000).min(1_000_000);
    Some(if text.starts_with('-') { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(text: &str) -> (i64, i64) {
        let bound = Bound::parse(text).unwrap();
        (bound.floor, bound.ceil)
    }

    #[test]
    fn amounts_are_kept_in_ten_thousandths() {
        let scaled = |text: &str| Scaled::try_from(text.parse::<Decimal>().unwrap()).map(|s| s.0);
        assert_eq!(scaled("4.27"), Ok(42_700));
        assert_eq!(scaled("-0.0001"), Ok(-1));
        assert_eq!(scaled("1.500000"), Ok(15_000));
        assert_eq!(scaled("0.00001"), Err(OutOfRange));
        assert_eq!(scaled("922337203685477.5807"), Ok(i64::MAX));
        assert_eq!(scaled("922337203685477.5808"), Err(OutOfRange));
        assert_eq!(Scaled::cut("0.00014884".parse().unwrap()), Ok(Scaled(1)));
        assert!(Scaled::cut("922337203685477.5808".parse().unwrap()).is_err());
    }

    #[test]
    fn a_number_is_read_as_it_was_written() {
        assert_eq!(bound("4.27"), (42_700, 42_700));
        assert_eq!(bound("0.1"), (1_000, 1_000));
        assert_eq!(bound("1e3"), (10_000_000, 10_000_000));
        assert_eq!(bound("1.5E-2"), (150, 150));
        assert_eq!(bound("0"), (0, 0));
        assert_eq!(bound("-0.0"), (0, 0));
        assert_eq!(bound("-2.5"), (-25_000, -25_000));
    }

    #[test]
    fn what_lies_between_two_amounts_stays_between_them() {
        assert_eq!(bound("4.27000000000000000001"), (42_700, 42_701));
        assert_eq!(bound("4.26999999999999957367"), (42_699, 42_700));
        assert_eq!(bound("-0.00001"), (-1, 0));
        assert_eq!(bound("1e-400000"), (0, 1));
        assert_eq!(Bound::parse("4.27000001").unwrap().exact(), None);
    }

    #[test]
    fn numbers_beyond_the_range_are_its_ends() {
        assert_eq!(bound("1e999999999999").0, i64::MAX);
        assert_eq!(bound("-1e30").1, -i64::MAX);
        assert_eq!(bound("922337203685477.5807").0, i64::MAX);
    }

    #[test]
    fn what_json_calls_no_number_is_none() {
        for text in [
            "", "-", "+1", ".5", "1.", "01", "1e", "1e+", "0x1", "NaN", " 1", "1 ", "1,5", "١",
        ] {
            assert_eq!(Bound::parse(text), Err(NotANumber), "{text}");
        }
        assert_eq!(Bound::parse(&"9".repeat(401)), Err(NotANumber));
    }
}
