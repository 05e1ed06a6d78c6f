//! The digest of a body: whether a signature covers what arrived, and if not, what it probably covers instead.
//!
//! It covers the raw bytes, or the same with the white space between JSON tokens left out, which is how the API's first
//! documents print it. Nothing is ever written anew for the check: escapes, digits and order stay as they came.

mod notation;
mod other_spellings;
mod styles;
#[cfg(test)]
mod tests;

use app::domain::signature::{Check, Finding};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use json::JsonValue;
use sha2::{Digest as _, Sha256};

use self::notation::{Hash, MisencodedDigest};
use super::claims::display_value;

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

/// Compares the claim with the body that arrived at `url`. `searched`: looks for what else the claim is a digest of, which
/// costs many digests and is done for the key's owner alone.
pub fn check(claim: Option<&JsonValue<'_>>, body: &[u8], url: &str, searched: bool) -> Finding {
    let expected = of(body);
    let claim = match claim {
        Some(JsonValue::Text(claim)) => &**claim,
        Some(other) => {
            let advice = "The claim digest is no text: send the SHA-256 of the body’s bytes in standard base64, with padding: 44 characters.";
            return Finding::failed(Check::Digest, expected, display_value(other), advice);
        }
        None => {
            let advice =
                "The claim digest is missing. A request without a body has the digest of nothing.";
            return Finding::failed(Check::Digest, expected, "", advice);
        }
    };
    if claim == expected {
        return Finding::passed(Check::Digest, "the body’s bytes as they arrived");
    }
    if claim == of(&compact(body)) {
        return Finding::passed(Check::Digest, "the body without white space between tokens");
    }
    // Some libraries send it with every GET, unknown to the one who signs (`http::json::no_body`).
    if claim == of(b"") && body.trim_ascii() == b"{}" {
        return Finding::passed(
            Check::Digest,
            "nothing: an empty object is as good as no body",
        );
    }
    let advice = if searched {
        advice(claim, body, url)
    } else {
        "It is the digest of something else; with a signature that verifies, the portal’s debugger says of what.".to_owned()
    };
    Finding::failed(
        Check::Digest,
        expected,
        claim.chars().take(200).collect::<String>(),
        advice,
    )
}

/// Says what the claim is a digest of, as far as that can be found out.
fn advice(claim: &str, body: &[u8], url: &str) -> String {
    let is_body = claim.as_bytes() == body || STANDARD.decode(claim).is_ok_and(|it| it == body);
    if is_body && !body.is_empty() {
        return "It is the body itself, and not its digest. Send the SHA-256 of the body’s bytes in standard base64, with padding: 44 characters.".to_owned();
    }
    let Some(written) = MisencodedDigest::read(claim) else {
        return "This is no digest in any usual notation. Send the SHA-256 of the body’s bytes in standard base64, with padding: 44 characters.".to_owned();
    };
    let notation = notation(&written);
    if !written.hash.is_made() {
        return notation
            .trim_start()
            .replacen("It is", "By its length it is", 1);
    }
    if written.is_of(body) || written.is_of(&compact(body)) {
        return format!("The bytes are the right ones.{notation}");
    }
    if let Some(found) = other_spellings::find(body, url, |bytes| written.is_of(bytes)) {
        let cure = if found.cure.is_empty() {
            String::new()
        } else {
            format!(" {}", found.cure)
        };
        return format!(
            "You digested {}; what arrived differs from it {}. Write the body once, digest those bytes, and send the same bytes.{cure}{notation}",
            found.name,
            first_difference(&found.bytes, body)
        );
    }
    format!(
        "It is the digest of something else than these {} bytes, in none of the usual spellings of the same JSON. Digest the very bytes that are sent, after everything that may change them.{notation}",
        body.len()
    )
}

/// A sentence about the hash and the notation of a digest; nothing if both are right.
fn notation(written: &MisencodedDigest) -> String {
    match (written.hash, written.how.as_str()) {
        (Hash::Sha256, "") => String::new(),
        (Hash::Sha256, how) => format!(
            " The digest is written {how}: send standard base64, with padding, and nothing around it."
        ),
        (hash, "") => format!(" It is {}: send SHA-256.", hash.name()),
        (hash, how) => format!(
            " It is {}, written {how}: send SHA-256 in standard base64, with padding.",
            hash.name()
        ),
    }
}

/// Names the first byte at which two texts differ, and its value in each. No more than that byte of either is revealed.
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
