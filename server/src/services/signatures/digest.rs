//! The digest of a body: whether a signature covers what arrived, and if not, what it probably covers instead.
//!
//! It covers the raw bytes, or the same with the white space between JSON tokens left out, which is how the API's first
//! documents print it. Nothing is ever written anew for the check: escapes, digits and order stay as they came.

mod spellings;

use app::domain::signature::{Check, Finding};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// The digest as it has to be sent.
pub fn of(bytes: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(bytes))
}

/// A body without the white space between its JSON tokens; what is in strings stays.
pub fn compact(body: &[u8]) -> Vec<u8> {
    let (mut in_string, mut escaped) = (false, false);
    let kept = body.iter().copied().filter(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b' ' | b'\t' | b'\n' | b'\r' if !in_string => return false,
            _ => {}
        }
        true
    });
    kept.collect()
}

/// Compares the claim with the body that arrived.
pub fn check(claim: Option<&str>, body: &[u8]) -> Finding {
    let expected = of(body);
    let Some(claim) = claim else {
        let advice = "The claim digest is missing, or is no text. A request without a body has the digest of nothing.";
        return Finding::failed(Check::Digest, expected, "", advice);
    };
    if claim == expected {
        return Finding::passed(Check::Digest, "the body’s bytes as they arrived");
    }
    if claim == of(&compact(body)) {
        return Finding::passed(Check::Digest, "the body without white space between tokens");
    }
    Finding::failed(Check::Digest, expected, claim, advice(claim, body))
}

/// What the claim is a digest of, as far as that can be found out.
fn advice(claim: &str, body: &[u8]) -> String {
    if let Some(written) = misspelt(claim, body) {
        return format!(
            "The bytes are the right ones, but the digest is written as {written}. Send standard base64, with padding."
        );
    }
    for (name, bytes) in spellings::of(body) {
        if claim == of(&bytes) || misspelt(claim, &bytes).is_some() {
            return format!(
                "You digested {name}; what arrived differs from it {}. Write the body once, digest those bytes, and send the same bytes.",
                first_difference(&bytes, body)
            );
        }
    }
    format!(
        "It is the digest of something else than these {} bytes, in none of the usual spellings of the same JSON. Digest the very bytes that are sent, after everything that may change them.",
        body.len()
    )
}

/// The same digest in another alphabet.
fn misspelt(claim: &str, bytes: &[u8]) -> Option<&'static str> {
    let digest = Sha256::digest(bytes);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let spellings = [
        (URL_SAFE.encode(digest), "base64url"),
        (URL_SAFE_NO_PAD.encode(digest), "base64url without padding"),
        (STANDARD_NO_PAD.encode(digest), "base64 without padding"),
        (STANDARD.encode(&hex), "base64 of its hexadecimal form"),
        (hex, "hexadecimal"),
    ];
    let lower = claim.to_ascii_lowercase();
    spellings
        .into_iter()
        .find(|(text, how)| claim == text || (*how == "hexadecimal" && lower == *text))
        .map(|(_, how)| how)
}

/// Where two texts part, and what each has there. No more than one byte of either is told.
fn first_difference(digested: &[u8], arrived: &[u8]) -> String {
    let at = digested
        .iter()
        .zip(arrived)
        .take_while(|(a, b)| a == b)
        .count();
    format!(
        "first at byte {at}: there you digested {}, and {} arrived",
        named(digested.get(at)),
        named(arrived.get(at))
    )
}

fn named(byte: Option<&u8>) -> String {
    match byte {
        None => "nothing more".to_owned(),
        Some(b' ') => "a space (0x20)".to_owned(),
        Some(b'\n') => "a line feed (0x0a)".to_owned(),
        Some(b'\r') => "a carriage return (0x0d)".to_owned(),
        Some(byte) if byte.is_ascii_graphic() => format!("{} (0x{byte:02x})", char::from(*byte)),
        Some(byte) => format!("0x{byte:02x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"name":"Ștefan","n":1.0}"#;

    fn advice_for(digested: &str, body: &str) -> String {
        let finding = check(Some(&of(digested.as_bytes())), body.as_bytes());
        assert!(finding.is_failed());
        finding.advice
    }

    #[test]
    fn the_bytes_as_they_came_or_without_white_space_are_covered() {
        let spaced = "{ \"name\" : \"Ștefan\",\n\t\"n\": 1.0 }\r\n";
        for (digested, body) in [(BODY, BODY), (spaced, spaced), (BODY, spaced), ("", "")] {
            assert!(!check(Some(&of(digested.as_bytes())), body.as_bytes()).is_failed());
        }
    }

    #[test]
    fn white_space_in_strings_is_content() {
        assert_eq!(
            compact(br#"{ "a \" b" : " c\\" }"#),
            br#"{"a \" b":" c\\"}"#
        );
        assert!(check(Some(&of(br#"{"a":"b"}"#)), br#"{"a":"b "}"#).is_failed());
    }

    #[test]
    fn the_usual_mistakes_are_told_by_name_and_place() {
        let cases = [
            (
                r#"{"name": "Ștefan", "n": 1.0}"#,
                "spaces after commas and colons",
                "byte 8: there you digested a space (0x20), and \" (0x22)",
            ),
            (
                r#"{"name":"\u0218tefan","n":1.0}"#,
                "escaped",
                "byte 9: there you digested \\ (0x5c), and 0xc8",
            ),
            (r#"{"name": "\u0218tefan", "n": 1.0}"#, "escaped", "byte 8"),
            (r#"{"n":1.0,"name":"Ștefan"}"#, "sorted", "byte 3"),
            (
                "{\n  \"name\": \"Ștefan\",\n  \"n\": 1.0\n}",
                "two spaces",
                "byte 1: there you digested a line feed",
            ),
            (
                "{\"name\":\"Ștefan\",\"n\":1.0}\n",
                "a line feed at its end",
                "nothing more arrived",
            ),
            ("", "nothing", "byte 0: there you digested nothing more"),
        ];
        for (digested, name, place) in cases {
            let advice = advice_for(digested, BODY);
            assert!(advice.contains(name) && advice.contains(place), "{advice}");
        }
        assert!(advice_for("{}", BODY).contains("something else"));
        let spelt = check(
            Some(&URL_SAFE_NO_PAD.encode(Sha256::digest(BODY))),
            BODY.as_bytes(),
        );
        assert!(spelt.advice.contains("base64url"), "{}", spelt.advice);
        let hex: String = Sha256::digest(BODY)
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        assert!(
            check(Some(&hex), BODY.as_bytes())
                .advice
                .contains("hexadecimal")
        );
        assert!(check(None, BODY.as_bytes()).advice.contains("missing"));
    }

    #[test]
    fn bodies_that_are_no_json_are_compared_all_the_same() {
        assert!(advice_for("x", "\u{0}").contains("something else"));
        assert!(!check(Some(&of(&[0xff, 0xfe])), &[0xff, 0xfe]).is_failed());
    }
}
