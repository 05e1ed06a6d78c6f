//! The same body as the usual libraries of other languages would have written it, in the usual encodings: candidates for
//! what a wrong digest was made of.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use json::{JsonValue, ReadLimits};
use kernel::crypto::hex;
use sha2::{Digest as _, Sha256};
use url::{Url, form_urlencoded};

use super::styles::STYLES;

/// Content that was digested instead of the body that arrived.
pub struct OtherSpelling {
    /// Completes the sentence "You digested …".
    pub name: String,
    /// A sentence that says how to mend it, or an empty text.
    pub cure: &'static str,
    pub bytes: Vec<u8>,
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Goes through the spellings of a body, the likelier ones first, until one is the right one.
pub fn find(body: &[u8], url: &str, is_it: impl Fn(&[u8]) -> bool) -> Option<OtherSpelling> {
    let found = |name: &str, cure, bytes| OtherSpelling {
        name: name.to_owned(),
        cure,
        bytes,
    };
    let mut plain = of_bytes(body)
        .into_iter()
        .chain(of_words())
        .chain(of_url(url));
    if let Some((name, bytes)) = plain.find(|(_, bytes)| is_it(bytes)) {
        return Some(found(name, "", bytes));
    }
    let text = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let value = json::read(text, ReadLimits::BODY).ok()?;
    for (name, cure, style) in STYLES {
        let mut bytes = value.write(*style).into_bytes();
        if is_it(&bytes) {
            return Some(found(name, cure, bytes));
        }
        for end in ["\n", "\r\n"] {
            let length = bytes.len();
            bytes.extend_from_slice(end.as_bytes());
            if is_it(&bytes) {
                let name = format!("{name}, and a line break at its end");
                return Some(OtherSpelling { name, cure, bytes });
            }
            bytes.truncate(length);
        }
    }
    let (name, bytes) = of_value(&value)
        .into_iter()
        .find(|(_, bytes)| is_it(bytes))?;
    Some(found(name, "", bytes))
}

/// Returns the body with other ends and in other encodings, and contents that are digested by mistake, each with its
/// name.
fn of_bytes(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![
        ("nothing", Vec::new()),
        (
            "the body with a line feed at its end",
            [body, b"\n"].concat(),
        ),
        (
            "the body with a carriage return and a line feed at its end",
            [body, b"\r\n"].concat(),
        ),
        (
            "the body without the white space around it",
            body.trim_ascii().to_vec(),
        ),
        (
            "the body with a byte order mark in front",
            [BYTE_ORDER_MARK, body].concat(),
        ),
    ];
    let digest = Sha256::digest(body);
    all.extend([
        ("the digest of the body (digested twice)", digest.to_vec()),
        (
            "the digest of the body in hexadecimal (digested twice)",
            hex(&digest).into_bytes(),
        ),
        ("the body in base64", STANDARD.encode(body).into_bytes()),
        (
            "the body in base64url",
            URL_SAFE_NO_PAD.encode(body).into_bytes(),
        ),
    ]);
    if let Some(rest) = body.strip_prefix(BYTE_ORDER_MARK) {
        all.push(("the body without its byte order mark", rest.to_vec()));
    }
    let Ok(text) = std::str::from_utf8(body) else {
        return all;
    };
    let units = |mark: &[u8], order: fn(u16) -> [u8; 2]| {
        let units = text.encode_utf16().flat_map(order);
        mark.iter().copied().chain(units).collect::<Vec<u8>>()
    };
    let lines = text.replace("\r\n", "\n");
    all.extend([
        (
            "the body in UTF-16LE (.NET’s Encoding.Unicode)",
            units(b"", u16::to_le_bytes),
        ),
        (
            "the body in UTF-16LE with a byte order mark",
            units(b"\xff\xfe", u16::to_le_bytes),
        ),
        ("the body in UTF-16BE", units(b"", u16::to_be_bytes)),
        (
            "the body in UTF-16BE with a byte order mark (Java’s UTF-16)",
            units(b"\xfe\xff", u16::to_be_bytes),
        ),
        (
            "the body with lines that end in CR LF",
            lines.replace('\n', "\r\n").into_bytes(),
        ),
        (
            "the body with lines that end in a line feed alone",
            lines.into_bytes(),
        ),
    ]);
    if let Some(latin) = latin_1(text) {
        all.push(("the body in ISO 8859-1", latin));
    }
    all
}

/// Returns what libraries digest where there is no body.
fn of_words() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let words = [
        ("the word null", "null"),
        ("an empty object, {}", "{}"),
        ("an empty list, []", "[]"),
        ("an empty text in quotes, \"\"", "\"\""),
        ("the word undefined", "undefined"),
        ("the word None", "None"),
        (
            "the words [object Object], which JavaScript makes of an object that is not written as JSON",
            "[object Object]",
        ),
    ];
    words
        .into_iter()
        .map(|(name, word)| (name, word.as_bytes().to_vec()))
}

/// Returns parts of the address, each with its name: none of them belongs into a digest.
fn of_url(url: &str) -> Vec<(&'static str, Vec<u8>)> {
    let Ok(parsed) = Url::parse(url) else {
        return Vec::new();
    };
    let path = parsed.path();
    let mut all = vec![("the URL", url.to_owned()), ("the path", path.to_owned())];
    if let Some(query) = parsed.query() {
        all.extend([
            ("the query", query.to_owned()),
            ("the query with its question mark", format!("?{query}")),
            ("the path and the query", format!("{path}?{query}")),
        ]);
    }
    let bytes = all
        .into_iter()
        .map(|(name, text)| (name, text.into_bytes()));
    bytes.collect()
}

/// The text in ISO 8859-1, with a question mark for each character that it lacks.
fn latin_1(text: &str) -> Option<Vec<u8>> {
    let byte = |c: char| u8::try_from(u32::from(c)).unwrap_or(b'?');
    (!text.is_ascii()).then(|| text.chars().map(byte).collect())
}

/// Returns texts made of the body that are not JSON of the same value, each with its name.
fn of_value(value: &JsonValue<'_>) -> Vec<(&'static str, Vec<u8>)> {
    let compact = value.to_string();
    let mut all = vec![(
        "the JSON written as a JSON text once more, in quotes (encoded twice)",
        JsonValue::Text(compact.into()).to_string().into_bytes(),
    )];
    if let Some(object) = value.as_object() {
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, value) in object.iter() {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            form.append_pair(name, &text);
        }
        all.push((
            "the fields as a form (application/x-www-form-urlencoded)",
            form.finish().into_bytes(),
        ));
    }
    all
}
