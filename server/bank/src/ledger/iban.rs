//! Account numbers that are valid and belong to nobody (ISO 13616): right check digits, bank codes of no bank.

/// A Romanian IBAN: `RO`, two check digits, four letters of bank code, sixteen characters of account.
pub fn romanian(bank: &str, account: i64) -> String {
    with_check_digits("RO", &format!("{bank}{account:016}"))
}

/// Country, check digits (ISO 7064 MOD 97-10) and the rest.
fn with_check_digits(country: &str, rest: &str) -> String {
    let check = 98 - remainder(&format!("{rest}{country}00"));
    format!("{country}{check:02}{rest}")
}

/// The text, with letters read as 10 to 35, modulo 97.
fn remainder(text: &str) -> u32 {
    text.chars()
        .filter_map(|c| c.to_digit(36))
        .fold(0, |rest, value| {
            let shift = if value > 9 { 100 } else { 10 };
            (rest * shift + value) % 97
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_numbers_are_valid() {
        for (bank, account) in [("XYZB", 1), ("XYZB", 9_999_999_999), ("TEIU", 42)] {
            let text = romanian(bank, account);
            assert!(text.parse::<iban::Iban>().is_ok(), "{text}");
        }
    }
}
