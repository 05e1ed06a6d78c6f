//! Addresses that signatures name in `htu`, compared with the one that was asked for.

use url::Url;

/// Returns `true` if both are one address (RFC 9449, section 4.3), however it is escaped (RFC 3986, section 6.2.2). A query
/// that is not claimed is not compared.
pub fn same_url(claimed: &str, expected: &str) -> bool {
    let (Ok(claimed), Ok(expected)) = (Url::parse(claimed), Url::parse(expected)) else {
        return false;
    };
    let query = |url: &Url| unescaped(url.query().unwrap_or_default());
    let asked = query(&claimed);
    let has_more = claimed.fragment().is_some() || has_user(&claimed);
    !has_more
        && claimed.origin() == expected.origin()
        && unescaped(claimed.path()) == unescaped(expected.path())
        && (asked.is_empty() || asked == query(&expected))
}

/// Says in what a claimed address differs from the one that was asked.
pub fn differs(claimed: &str, expected: &str) -> &'static str {
    let (Ok(claimed), Ok(expected)) = (Url::parse(claimed), Url::parse(expected)) else {
        return "htu is no whole URL: send scheme, host and path, like https://api.example.com/v1s/token.";
    };
    if claimed.fragment().is_some() {
        return "htu has a fragment (#...), which is never sent: leave it out. A # that belongs to a name is written %23.";
    }
    if has_user(&claimed) {
        return "htu holds a user or password: leave it out.";
    }
    let [ours, theirs] = [&expected, &claimed].map(|url| unescaped(url.path()));
    if theirs != ours {
        return other_path(&theirs, &ours);
    }
    if claimed.origin() != expected.origin() {
        return "htu has another scheme, host or port. Behind a proxy, sign the URL that the world sees.";
    }
    "htu has another query than the request: sign the same one, its parts in the same order and escaped alike, or leave it out."
}

fn other_path(theirs: &str, ours: &str) -> &'static str {
    if theirs.trim_end_matches('/') == ours.trim_end_matches('/') {
        return if theirs.ends_with('/') {
            "htu has a slash at its end, and the request’s path has none: sign the path exactly as it is asked for."
        } else {
            "The request’s path has a slash at its end, and htu has none: sign the path exactly as it is asked for."
        };
    }
    if theirs.replace("//", "/") == ours.replace("//", "/") {
        return "One of both has two slashes in a row: a base URL that ends in a slash is joined with a path that begins with one.";
    }
    if theirs.replacen("/v1/", "/v1s/", 1) == ours {
        return "htu says /v1, and the request went to /v1s: sign the path that is asked for.";
    }
    if theirs.eq_ignore_ascii_case(ours) {
        return "htu has letters of another case in its path: paths are compared as they are written.";
    }
    "The signature was made for another address. Behind a proxy, sign the URL that the world sees."
}

fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// A part of a URL in which nothing is escaped that need not be, and the rest in capital digits.
fn unescaped(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    let mut pieces = part.split('%');
    text.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let digits = piece.get(..2);
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let (Some(byte), Some(digits), Some(rest)) = (byte, digits, piece.get(2..)) {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                text.push(char::from(byte));
            } else {
                text.push('%');
                text.push_str(&digits.to_ascii_uppercase());
            }
            text.push_str(rest);
        } else {
            text.push('%');
            text.push_str(piece);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: &str = "https://api.example.com/v1s/catalog/skills/a_%231.0?q=%c3%a9&limit=2";

    #[test]
    fn an_address_is_the_same_however_it_is_escaped() {
        for same in [
            "HTTPS://API.example.com:443/v1s/catalog/skills/a_%231.0?q=%C3%A9&limit=2",
            "https://api.example.com/v1s/c%61talog/skills/a%5f%231%2e0?q=é&limit=2",
            "https://api.example.com/v1s/catalog/skills/a_%231.0",
            "https://api.example.com/v1s/catalog/skills/a_%231.0?",
            "https://api.example.com/v1s/catalog/./skills/a_%231.0",
        ] {
            assert!(same_url(same, ASKED), "{same}");
        }
    }

    #[test]
    fn each_difference_is_told_by_its_name() {
        let base = "https://api.example.com/v1s/catalog/skills/a_%231.0";
        for (other, says) in [
            ("https://api.example.com/v1s/catalog/skills/a_#1.0", "%23"),
            (
                "https://me@api.example.com/v1s/catalog/skills/a_%231.0",
                "user or password",
            ),
            (
                "http://api.example.com/v1s/catalog/skills/a_%231.0",
                "another scheme",
            ),
            (
                "https://api.finqware.com/v1s/catalog/skills/a_%231.0",
                "another scheme, host",
            ),
            (&format!("{base}?limit=2&q=é"), "another query"),
            (&format!("{base}?q=%c3%a9"), "another query"),
            (&format!("{base}/"), "slash at its end"),
            (
                "https://api.example.com//v1s/catalog/skills/a_%231.0",
                "two slashes",
            ),
            (
                "https://api.example.com/v1/catalog/skills/a_%231.0",
                "htu says /v1,",
            ),
            (
                "https://api.example.com/V1s/catalog/skills/a_%231.0",
                "another case",
            ),
            ("https://api.example.com/v1s/token", "another address"),
            ("/v1s/catalog/skills/a_%231.0", "no whole URL"),
            ("", "no whole URL"),
        ] {
            assert!(!same_url(other, ASKED), "{other}");
            let told = differs(other, ASKED);
            assert!(told.contains(says), "{other}: {told}");
        }
    }
}
