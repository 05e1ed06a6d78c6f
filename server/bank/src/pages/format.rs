//! Numbers and addresses as people read them.

use url::Url;

/// `RO49 XYZB 0000 ...`
pub fn grouped(iban: &str) -> String {
    let letters: Vec<char> = iban.chars().collect();
    let groups: Vec<String> = letters
        .chunks(4)
        .map(|group| group.iter().collect())
        .collect();
    groups.join(" ")
}

/// `−12,345.67`, with a real minus sign.
pub fn thousands(minor: i64) -> String {
    let (whole, cents) = (minor.unsigned_abs() / 100, minor.unsigned_abs() % 100);
    let digits: Vec<char> = whole.to_string().chars().rev().collect();
    let groups: Vec<String> = digits
        .chunks(3)
        .map(|group| group.iter().collect())
        .collect();
    let whole: String = groups.join(",").chars().rev().collect();
    let sign = if minor < 0 { "\u{2212}" } else { "" };
    format!("{sign}{whole}.{cents:02}")
}

/// Returns the host of an address, with its port if that is not the scheme's default; empty if the address is not a
/// URL.
pub fn host(uri: &str) -> String {
    let Ok(url) = Url::parse(uri) else {
        return String::new();
    };
    let name = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(thousands(-123_456_789), "\u{2212}1,234,567.89");
        assert_eq!(thousands(5), "0.05");
        assert_eq!(grouped("RO49XYZB0000"), "RO49 XYZB 0000");
    }
}
