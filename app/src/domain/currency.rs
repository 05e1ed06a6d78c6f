//! Currencies of ISO 4217: which codes there are, and how many decimals each has.

/// A currency of ISO 4217 by its alphabetic code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency(&'static str);

/// A text that is no code of ISO 4217.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a currency of ISO 4217: three letters, like RON")]
pub struct NoCurrency;

impl Currency {
    /// Reads a code; the case of its letters does not matter.
    pub fn parse(text: &str) -> Result<Self, NoCurrency> {
        let upper = text.trim().to_ascii_uppercase();
        let known = CODES.binary_search(&upper.as_str()).ok();
        let code = known.and_then(|at| CODES.get(at));
        code.map(|code| Self(code)).ok_or(NoCurrency)
    }

    /// The code in capitals.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// Returns the highest number of decimals of an amount: the minor unit of ISO 4217. Zero for metals and other units
    /// without one.
    pub fn decimals(self) -> u32 {
        match self.0 {
            "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF"
            | "UGX" | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
            "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
            "CLF" | "UYW" => 4,
            code if NO_UNIT.contains(&code) => 0,
            _ => 2,
        }
    }
}

/// Codes without a minor unit: metals, funds, testing and "no currency".
const NO_UNIT: &[&str] = &[
    "XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX",
];

/// List one of ISO 4217, sorted, with what was withdrawn since 2018: bookings are as old.
const CODES: &[&str] = &[
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT",
    "BGN", "BHD", "BIF", "BMD", "BND", "BOB", "BOV", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD",
    "CAD", "CDF", "CHE", "CHF", "CHW", "CLF", "CLP", "CNY", "COP", "COU", "CRC", "CUC", "CUP",
    "CVE", "CZK", "DJF", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP",
    "GEL", "GHS", "GIP", "GMD", "GNF", "GTQ", "GYD", "HKD", "HNL", "HRK", "HTG", "HUF", "IDR",
    "ILS", "INR", "IQD", "IRR", "ISK", "JMD", "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KPW",
    "KRW", "KWD", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "LYD", "MAD", "MDL", "MGA",
    "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK", "MXN", "MXV", "MYR", "MZN", "NAD",
    "NGN", "NIO", "NOK", "NPR", "NZD", "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG",
    "QAR", "RON", "RSD", "RUB", "RWF", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE",
    "SLL", "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TND", "TOP",
    "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "USN", "UYI", "UYU", "UYW", "UZS", "VED",
    "VEF", "VES", "VND", "VUV", "WST", "XAD", "XAF", "XAG", "XAU", "XBA", "XBB", "XBC", "XBD",
    "XCD", "XCG", "XDR", "XOF", "XPD", "XPF", "XPT", "XSU", "XTS", "XUA", "XXX", "YER", "ZAR",
    "ZMW", "ZWG", "ZWL",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_read_in_any_case() {
        assert!(CODES.windows(2).all(|two| two[0] < two[1]));
        for code in CODES {
            assert_eq!(
                Currency::parse(&code.to_lowercase()).unwrap().as_str(),
                *code
            );
        }
        for bad in ["", "XYZ", "RO", "RONN", "BTC", "R0N", "лей", "ＲＯＮ"] {
            assert_eq!(Currency::parse(bad), Err(NoCurrency), "{bad}");
        }
    }

    #[test]
    fn decimals_are_those_of_the_standard() {
        let decimals = |code: &str| Currency::parse(code).unwrap().decimals();
        for (code, count) in [
            ("RON", 2),
            ("JPY", 0),
            ("KWD", 3),
            ("CLF", 4),
            ("UYW", 4),
            ("XAU", 0),
        ] {
            assert_eq!(decimals(code), count, "{code}");
        }
    }
}
