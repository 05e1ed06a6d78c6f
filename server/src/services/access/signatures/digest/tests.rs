//! What is covered, and what is told of everything else.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

const BODY: &str = r#"{"name":"Ștefan","n":1.0}"#;

/// Compares a claim that is a text.
fn check(claim: Option<&str>, body: &[u8], searched: bool) -> Finding {
    let claim = claim.map(|text| JsonValue::Text(text.into()));
    super::check(claim.as_ref(), body, "", searched)
}

fn advice_for(digested: &str, body: &str) -> String {
    let finding = check(Some(&of(digested.as_bytes())), body.as_bytes(), true);
    assert!(finding.is_failed());
    finding.advice
}

#[test]
fn the_bytes_as_they_came_or_without_white_space_are_covered() {
    let spaced = "{ \"name\" : \"Ștefan\",\n\t\"n\": 1.0 }\r\n";
    for (digested, body) in [(BODY, BODY), (spaced, spaced), (BODY, spaced), ("", "")] {
        assert!(!check(Some(&of(digested.as_bytes())), body.as_bytes(), true).is_failed());
    }
}

#[test]
fn white_space_in_strings_is_content() {
    assert_eq!(
        compact(br#"{ "a \" b" : " c\\" }"#),
        br#"{"a \" b":" c\\"}"#
    );
    assert!(check(Some(&of(br#"{"a":"b"}"#)), br#"{"a":"b "}"#, true).is_failed());
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
    assert!(advice_for("[9]", BODY).contains("something else"));
    let spelt = check(
        Some(&URL_SAFE_NO_PAD.encode(Sha256::digest(BODY))),
        BODY.as_bytes(),
        true,
    );
    assert!(spelt.advice.contains("base64url"), "{}", spelt.advice);
    let hex: String = Sha256::digest(BODY)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    assert!(
        check(Some(&hex), BODY.as_bytes(), true)
            .advice
            .contains("hexadecimal")
    );
    assert!(
        check(None, BODY.as_bytes(), true)
            .advice
            .contains("missing")
    );
}

#[test]
fn bodies_that_are_no_json_are_compared_all_the_same() {
    assert!(advice_for("x", "\u{0}").contains("something else"));
    assert!(!check(Some(&of(&[0xff, 0xfe])), &[0xff, 0xfe], true).is_failed());
}

/// A body that every library writes in its own way.
const TELLING: &str = r#"{"b":"https://x/y?a=1&c=<é>","a":1.0}"#;

/// Contents that were digested instead of [`TELLING`], each with a part of the advice about it.
#[expect(clippy::too_many_lines, reason = "one table")]
fn spellings() -> Vec<(Vec<u8>, &'static str)> {
    let texts = [
        (
            r#"{"b": "https://x/y?a=1&c=<\u00e9>", "a": 1.0}"#,
            "Python’s json.dumps writes it unasked",
        ),
        (
            r#"{"b": "https://x/y?a=1&c=<é>", "a": 1.0}"#,
            "spaces after commas and colons",
        ),
        (
            r#"{"b":"https://x/y?a=1&c=<\u00e9>","a":1.0}"#,
            "ensure_ascii",
        ),
        (
            r#"{"b":"https:\/\/x\/y?a=1&c=<\u00e9>","a":1.0}"#,
            "PHP’s json_encode writes it unasked",
        ),
        (
            r#"{"b":"https:\/\/x\/y?a=1&c=<é>","a":1.0}"#,
            "JSON_UNESCAPED_SLASHES",
        ),
        (
            r#"{"b":"https://x/y?a=1\u0026c=\u003cé\u003e","a":1.0}"#,
            "Go’s json.Marshal",
        ),
        (
            "{\"b\":\"https://x/y?a=1\\u0026c=\\u003cé\\u003e\",\"a\":1.0}\n",
            "Go’s json.Marshal",
        ),
        (
            r#"{"b":"https://x/y?a=1\u0026c=\u003C\u00E9\u003E","a":1.0}"#,
            "System.Text.Json",
        ),
        (
            r#"{"b":"https://x/y?a=1&c=<\u00E9>","a":1.0}"#,
            "capital digits",
        ),
        (
            r#"{"b":"https://x/y?a=1\u0026c=\u003Cé\u003E","a":1.0}"#,
            "HTML escaping",
        ),
        (
            r#"{"b":"https://x/y?a\u003d1\u0026c\u003d\u003cé\u003e","a":1.0}"#,
            "Gson",
        ),
        (r#"{"a":1.0,"b":"https://x/y?a=1&c=<é>"}"#, "keys sorted"),
        (
            r#"{"a": 1.0, "b": "https://x/y?a=1&c=<é>"}"#,
            "keys sorted and spaces",
        ),
        (
            r#"{"a": 1.0, "b": "https://x/y?a=1&c=<\u00e9>"}"#,
            "ensure_ascii=False",
        ),
        (
            r#"{"b":"https://x/y?a=1&c=<é>","a":1}"#,
            "as JavaScript writes them",
        ),
        (r#"{"a":1,"b":"https://x/y?a=1&c=<é>"}"#, "RFC 8785"),
        (
            r#"{"a":1.0,"b":"https:\/\/x\/y?a=1&c=<é>"}"#,
            "Apple’s JSONEncoder",
        ),
        (
            "{\n  \"b\": \"https://x/y?a=1&c=<é>\",\n  \"a\": 1.0\n}",
            "indented by two spaces",
        ),
        (
            "{\n    \"b\": \"https://x/y?a=1&c=<é>\",\n    \"a\": 1.0\n}",
            "indented by four spaces",
        ),
        (
            "{\n\t\"b\": \"https://x/y?a=1&c=<é>\",\n\t\"a\": 1.0\n}",
            "indented by tabs",
        ),
        (
            "{\r\n  \"b\": \"https://x/y?a=1&c=<é>\",\r\n  \"a\": 1.0\r\n}",
            "two spaces, with lines that end in CR LF",
        ),
        (
            "{\r\n    \"b\": \"https://x/y?a=1&c=<é>\",\r\n    \"a\": 1.0\r\n}",
            "four spaces, with lines that end in CR LF",
        ),
        (
            "{\n  \"b\": \"https://x/y?a=1&c=<\\u00e9>\",\n  \"a\": 1.0\n}",
            "json.dumps indents it",
        ),
        (
            "{\n    \"b\": \"https:\\/\\/x\\/y?a=1&c=<\\u00e9>\",\n    \"a\": 1.0\n}",
            "JSON_PRETTY_PRINT",
        ),
        (
            "{\n  \"b\" : \"https://x/y?a=1&c=<é>\",\n  \"a\" : 1.0\n}",
            "Jackson",
        ),
        (
            r#"{"b" : "https://x/y?a=1&c=<é>", "a" : 1.0}"#,
            "spaces around colons",
        ),
        (
            "{\r\n    \"b\":  \"https://x/y?a=1\\u0026c=\\u003cé\\u003e\",\r\n    \"a\":  1.0\r\n}",
            "PowerShell",
        ),
        ("", "nothing"),
        ("null", "null"),
        ("[object Object]", "[object Object]"),
        (
            "b=https%3A%2F%2Fx%2Fy%3Fa%3D1%26c%3D%3C%C3%A9%3E&a=1.0",
            "as a form",
        ),
        (
            r#""{\"b\":\"https://x/y?a=1&c=<é>\",\"a\":1.0}""#,
            "encoded twice",
        ),
    ];
    let mut all: Vec<_> = texts
        .map(|(text, name)| (text.as_bytes().to_vec(), name))
        .into();
    let units =
        |order: fn(u16) -> [u8; 2]| TELLING.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    all.extend([
        (
            [TELLING.as_bytes(), b"\n"].concat(),
            "a line feed at its end",
        ),
        (
            [TELLING.as_bytes(), b"\r\n"].concat(),
            "a carriage return and a line feed",
        ),
        (
            [b"\xef\xbb\xbf", TELLING.as_bytes()].concat(),
            "a byte order mark in front",
        ),
        (units(u16::to_le_bytes), "UTF-16LE"),
        (units(u16::to_be_bytes), "UTF-16BE"),
        (
            [&b"\xfe\xff"[..], &units(u16::to_be_bytes)].concat(),
            "Java’s UTF-16",
        ),
        (
            TELLING
                .chars()
                .map(|c| u8::try_from(u32::from(c)).unwrap())
                .collect(),
            "ISO 8859-1",
        ),
    ]);
    all
}

#[test]
fn every_usual_spelling_is_named() {
    let spellings = spellings();
    assert!(spellings.len() >= 25, "{}", spellings.len());
    for (bytes, name) in spellings {
        let finding = check(Some(&of(&bytes)), TELLING.as_bytes(), true);
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        assert!(finding.is_failed(), "{shown}");
        assert!(
            finding.advice.contains("You digested") && finding.advice.contains(name),
            "{shown}: {}",
            finding.advice
        );
    }
    // The other way round: what arrives is spelt oddly, and the short form was digested.
    let spaced = "\u{feff}{\r\n  \"a\": 1.0\r\n}";
    for (digested, name) in [
        ("{\"a\":1.0}", "without spaces"),
        ("\u{feff}{\n  \"a\": 1.0\n}", "line feed alone"),
    ] {
        let finding = check(Some(&of(digested.as_bytes())), spaced.as_bytes(), true);
        assert!(finding.advice.contains(name), "{}", finding.advice);
    }
}

#[test]
fn every_usual_notation_is_named() {
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE};

    let body = TELLING.as_bytes();
    let digest = Sha256::digest(body);
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let spelt = hex(&digest);
    let pairs: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    let long = sha2::Sha512::digest(body);
    for (claim, says) in [
        (
            format!("SHA-256={}", STANDARD.encode(digest)),
            "Berlin Group",
        ),
        (format!("sha-256={}", STANDARD.encode(digest)), "RFC 3230"),
        (format!("sha-256=:{}:", STANDARD.encode(digest)), "RFC 9530"),
        (
            format!("sha256-{}", STANDARD.encode(digest)),
            "algorithm in front",
        ),
        (format!("sha256:{spelt}"), "hexadecimal"),
        (spelt.clone(), "hexadecimal"),
        (spelt.to_ascii_uppercase(), "hexadecimal"),
        (format!("0x{spelt}"), "hexadecimal"),
        (pairs.join(":"), "hexadecimal"),
        (STANDARD.encode(&spelt), "base64 of its hexadecimal form"),
        (URL_SAFE_NO_PAD.encode(digest), "base64url without padding"),
        (STANDARD_NO_PAD.encode(digest), "without padding"),
        (STANDARD.encode(long), "It is SHA-512"),
        (
            format!("SHA-512={}", STANDARD.encode(long)),
            "It is SHA-512",
        ),
        (hex(&long), "It is SHA-512"),
        (STANDARD.encode(sha2::Sha384::digest(body)), "It is SHA-384"),
    ] {
        let advice = check(Some(&claim), body, true).advice;
        assert!(
            advice.contains("bytes are the right ones") && advice.contains(says),
            "{claim}: {advice}"
        );
    }
    let url_safe = URL_SAFE.encode(digest);
    assert!(
        check(Some(&url_safe), body, true)
            .advice
            .contains("right ones")
            || url_safe == of(body)
    );
    // Told by their lengths alone.
    for (bytes, name) in [(16, "MD5"), (20, "SHA-1")] {
        let advice = check(Some(&STANDARD.encode(vec![7; bytes])), body, true).advice;
        assert!(advice.starts_with(&format!("By its length it is {name}")));
    }
    // Another spelling in another notation: both are told.
    let both = format!(
        "SHA-256={}",
        STANDARD.encode(Sha256::digest([body, b"\n"].concat()))
    );
    let advice = check(Some(&both), body, true).advice;
    assert!(
        advice.contains("line feed at its end") && advice.contains("Berlin Group"),
        "{advice}"
    );
    for claim in ["", "x", "sha-256=", "not base64!", "AAAA"] {
        let advice = check(Some(claim), body, true).advice;
        assert!(
            advice.contains("no digest in any usual notation"),
            "{claim}: {advice}"
        );
    }
    assert!(
        !check(Some(&spelt), body, false)
            .advice
            .contains("hexadecimal"),
        "not for strangers"
    );
}

#[test]
fn what_is_around_a_digest_is_named() {
    let body = TELLING.as_bytes();
    let digest = Sha256::digest(body);
    let right = STANDARD.encode(digest);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let dashed: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    let signed: Vec<String> = digest
        .iter()
        .map(|byte| byte.cast_signed().to_string())
        .collect();
    let (half, rest) = right.split_at(20);
    let other = STANDARD.encode(sha2::Sha512::digest(body));
    let latin: String = digest.iter().copied().map(char::from).collect();
    for (claim, says) in [
        (format!("{right}\n"), "white space around it"),
        (format!(" {right}"), "white space around it"),
        (format!("{half}\r\n{rest}"), "line breaks in it"),
        (format!("b'{right}'"), "Python"),
        (format!("b'{hex}'"), "Python"),
        (format!("\"{right}\""), "in quotes"),
        (dashed.join("-"), "hexadecimal"),
        (format!("0X{}", hex.to_uppercase()), "hexadecimal"),
        (
            right
                .replace('+', "%2B")
                .replace('/', "%2F")
                .replace('=', "%3D"),
            "as in a URL",
        ),
        (format!("SHA-256 {right}"), "algorithm in front"),
        (format!("sha-256-{right}"), "algorithm in front"),
        (format!("sha_256={right}"), "Berlin Group"),
        (format!("Digest: SHA-256={right}"), "name of its field"),
        (format!("digest={right}"), "name of its field"),
        (format!(":{right}:"), "between colons"),
        (
            format!("sha-512=:{other}:, sha-256=:{right}:"),
            "among others",
        ),
        (format!("[{}]", signed.join(", ")), "list of numbers"),
        (STANDARD.encode(&right), "base64 twice"),
        (latin.clone(), "raw bytes"),
        (STANDARD.encode(latin), "bytes written as a text"),
        (STANDARD.encode(sha2::Sha224::digest(body)), "SHA-224"),
    ] {
        let advice = check(Some(&claim), body, true).advice;
        assert!(
            advice.starts_with("The bytes are the right ones.") && advice.contains(says),
            "{claim}: {advice}"
        );
    }
    let itself = check(Some(&STANDARD.encode(body)), body, true).advice;
    assert!(itself.contains("the body itself"), "{itself}");
    for (digested, says) in [
        (digest.to_vec(), "digested twice"),
        (hex.into_bytes(), "in hexadecimal (digested twice)"),
        (STANDARD.encode(body).into_bytes(), "the body in base64"),
    ] {
        let advice = check(Some(&of(&digested)), body, true).advice;
        assert!(advice.contains(says), "{advice}");
    }
}

#[test]
fn what_is_digested_for_want_of_a_body_is_named() {
    let url = "https://api.example.com/v1s/consents?limit=5";
    for (digested, says) in [
        ("undefined", "undefined"),
        ("None", "None"),
        ("\"\"", "in quotes"),
        ("[]", "an empty list"),
        ("limit=5", "the query;"),
        ("?limit=5", "question mark"),
        ("/v1s/consents", "the path;"),
        ("/v1s/consents?limit=5", "the path and the query"),
        (url, "the URL"),
    ] {
        let claim = JsonValue::Text(of(digested.as_bytes()).into());
        let advice = super::check(Some(&claim), b"", url, true).advice;
        assert!(
            advice.contains("You digested") && advice.contains(says),
            "{digested}: {advice}"
        );
    }
    let list = json::read(b"[1,2]", json::ReadLimits::CLAIMS).unwrap();
    let finding = super::check(Some(&list), b"", url, true);
    assert_eq!(finding.found, "[1,2]");
    assert!(finding.advice.contains("no text"), "{}", finding.advice);
}
