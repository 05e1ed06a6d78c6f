//! From bytes to one JSON object, bounded before it is parsed; and the same for query strings.

use std::borrow::Cow;

use app::domain::problem::Code;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Uri, header};
use http_body::Body as _;
use json::{Fault, FaultReason, JsonValue, Object, ReadLimits};
use kernel::gate::{BodyReadError, MemoryShare};
use percent_encoding::percent_decode_str;

use super::encoding;
use crate::problem::Problem;
use crate::services::refusal::{FieldProblem, Refusal};

/// The largest JSON body that is read.
pub const MAX_BODY: usize = ReadLimits::BODY.bytes;
/// The longest query string that is read.
pub const MAX_QUERY: usize = 8 * 1024;
/// The most fields in a query: several times those of any operation.
const MAX_PAIRS: usize = 256;

/// The whole body of a request that announces JSON.
pub async fn body(headers: &HeaderMap, body: Body, room: &MemoryShare) -> Result<Bytes, Problem> {
    encoding::check(headers)?;
    if !announces_json(headers) {
        return Err(Refusal::new(Code::InvalidHeaders)
            .says("The body must be announced as JSON.")
            .hints("-H 'Content-Type: application/json'")
            .into());
    }
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > MAX_BODY) {
        return Err(too_large());
    }
    room.whole(body, MAX_BODY).await.map_err(unread)
}

/// The answer to a body that could not be read whole.
fn unread(why: BodyReadError) -> Problem {
    match why {
        BodyReadError::TooLarge => too_large(),
        BodyReadError::TooSlow => Problem::new(Code::RequestTimeout),
        BodyReadError::Broken => Refusal::new(Code::InvalidBody)
            .says("The body broke off before its end.")
            .into(),
        BodyReadError::Full => too_many_bodies(),
    }
}

/// The answer to a body that had to make room for others.
pub fn too_many_bodies() -> Problem {
    Refusal::new(Code::ServiceUnavailable)
        .says("Too many bodies of callers who have not proved their keys yet are on their way to us just now; yours was not read.")
        .after(1)
        .into()
}

/// Tells whether a body is announced as JSON. Parameters say nothing: JSON is UTF-8 (RFC 8259, sections 8.1 and 11).
fn announces_json(headers: &HeaderMap) -> bool {
    let mut fields = headers.get_all(header::CONTENT_TYPE).iter();
    let (first, second) = (fields.next(), fields.next());
    first
        .filter(|_| second.is_none())
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

fn too_large() -> Problem {
    Problem::new(Code::BodyTooLarge)
}

/// The object in a body.
pub fn object(bytes: &[u8]) -> Result<Object<'_>, Problem> {
    let says = |message: String| Refusal::new(Code::InvalidBody).says(message);
    match json::read(bytes, ReadLimits::BODY) {
        Ok(JsonValue::Object(object)) => Ok(object),
        Err(fault) if fault.why == FaultReason::ByteOrderMark || wide(bytes) => Err(Refusal::new(
            Code::InvalidBody,
        )
        .says(if wide(bytes) {
            "The body is UTF-16 or UTF-32, and JSON is read in UTF-8 alone (RFC 8259, section 8.1)."
                .to_owned()
        } else {
            format!("The body cannot be read: {fault}.")
        })
        .hints("Write it as UTF-8 without a byte order mark.")
        .into()),
        Ok(other) => Err(says(format!(
            "The body is {}, and should be a JSON object.",
            other.kind()
        ))
        .into()),
        Err(fault) if fault.is_too_large() => Err(Refusal::new(Code::BodyTooLarge)
            .says(format!("The body is more than is read: {fault}."))
            .into()),
        Err(fault) => Err(unreadable(&fault).into()),
    }
}

/// Tells whether bytes are characters of two or four bytes: by their mark, or by the zeros of ASCII in them.
fn wide(bytes: &[u8]) -> bool {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [first, second, ..] => (*first == 0) != (*second == 0) || bytes.starts_with(&[0, 0, 0]),
        _ => false,
    }
}

fn unreadable(fault: &Fault) -> Refusal {
    let refusal = Refusal::new(Code::InvalidBody);
    match fault.why {
        FaultReason::NotUtf8 => refusal.says(format!(
            "The body is not UTF-8: byte {} is not valid.",
            fault.byte
        )),
        FaultReason::Twice(_) => refusal
            .says(format!("The body cannot be read: {fault}."))
            .hints("Send each field once: which of two values counts would be anybody's guess."),
        _ => refusal
            .says(format!("The body is not a JSON object: {fault}."))
            .hints("Check quotes, commas and braces at that place."),
    }
}

/// Refuses fields of a call in its URL, where they travel in its body: what they ask for would not happen, and nobody would
/// say so. What is no field of the call (a number against caches, a tag of a proxy) asks for nothing.
pub fn no_fields(uri: &Uri, is_field: impl Fn(&str) -> bool) -> Result<(), Problem> {
    if uri.query().is_none() {
        return Ok(());
    }
    let pairs = query(uri)?;
    let fields: Vec<&str> = pairs.names().filter(|name| is_field(name)).collect();
    if fields.is_empty() {
        return Ok(());
    }
    let message = "is in the URL: the fields of this call travel in its body";
    let field = |name: &&str| FieldProblem::new(*name, Code::UnknownFields, message);
    Err(Refusal::new(Code::UnknownFields)
        .says(format!(
            "Not known in the URL of this call: {}.",
            fields.join(", ")
        ))
        .at(fields.iter().map(field).collect())
        .into())
}

/// Refuses a body where fields travel in the query, and likewise would not be looked at. Returns what came: nothing, or an
/// object without a field.
pub async fn no_body(body: Body, room: &MemoryShare) -> Result<Bytes, Problem> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    match room.whole(body, MAX_BODY).await {
        // An object without a field asks for nothing: some clients send it along with everything.
        Ok(bytes) if matches!(bytes.trim_ascii(), b"" | b"{}") => Ok(bytes),
        Ok(_) | Err(BodyReadError::TooLarge) => Err(Refusal::new(Code::InvalidBody)
            .says("This method has no body here: its fields travel in the query, and its keys in headers.")
            .hints("Send the fields behind a ? in the URL, or use the POST operation of the same data.")
            .into()),
        Err(why) => Err(unread(why)),
    }
}

/// The pairs of a query string, each as text.
pub fn query(uri: &Uri) -> Result<Object<'static>, Problem> {
    let text = uri.query().unwrap_or_default();
    if text.len() > MAX_QUERY {
        return Err(too_large());
    }
    if text.split('&').count() > MAX_PAIRS {
        return Err(too_large());
    }
    let mut pairs = Object::default();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(name), Some(value)) = (decoded(name), decoded(value)) else {
            return Err(not_encoded(pair));
        };
        let value = JsonValue::Text(value.into());
        if pairs.insert(name.clone(), value) {
            let message = format!("The query gives `{name}` twice.");
            return Err(Refusal::new(Code::InvalidField).says(message).into());
        }
    }
    Ok(pairs)
}

/// Decodes a name or a value of a query (WHATWG URL, section 5.1); `None` if a `%` begins no byte, or the bytes are no
/// UTF-8: guessed at, they would be looked for and found nowhere.
fn decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    let whole = spaced.split('%').skip(1).all(|after| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    let text = whole.then(|| percent_decode_str(&spaced).decode_utf8());
    text?.ok().map(Cow::into_owned)
}

fn not_encoded(pair: &str) -> Problem {
    let name: String = pair
        .split('=')
        .next()
        .unwrap_or_default()
        .chars()
        .take(64)
        .collect();
    Refusal::new(Code::InvalidField)
        .says(format!("The query is not percent-encoded UTF-8 at `{name}`."))
        .hints("Write % itself as %25, and every letter beyond ASCII as the bytes of its UTF-8: ä is %C3%A4.")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(bytes: &[u8]) -> Code {
        object(bytes).unwrap_err().code()
    }

    #[test]
    fn only_one_object_in_utf_8_is_a_body() {
        assert!(object(br#"{"a": {"b": 1}, "c": "}"}"#).is_ok());
        let broken: [&[u8]; 8] = [
            b"",
            b"{",
            b"[]",
            b"1",
            b"{\"a\": 1} x",
            b"\xff{}",
            b"{\"a\":1,\"a\":2}",
            b"{'a':1}",
        ];
        for bytes in broken {
            assert_eq!(code(bytes), Code::InvalidBody, "{bytes:?}");
        }
    }

    #[test]
    fn nesting_is_bounded_before_parsing() {
        let nested = |levels: usize| {
            format!(
                "{{\"a\":{}{}}}",
                "[".repeat(levels - 1),
                "]".repeat(levels - 1)
            )
        };
        assert!(object(nested(64).as_bytes()).is_ok());
        assert_eq!(code(nested(65).as_bytes()), Code::BodyTooLarge);
        assert!(object(format!("{{\"a\":\"\\\"{}\"}}", "[".repeat(500)).as_bytes()).is_ok());
    }

    #[test]
    fn numbers_keep_their_digits() {
        let object = object(br#"{"lt": 4.270000000000000000001}"#).unwrap();
        assert_eq!(
            object.get("lt").unwrap().to_string(),
            "4.270000000000000000001"
        );
    }
}
