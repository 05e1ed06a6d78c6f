//! From bytes to one JSON object, bounded before it is parsed; and the same for query strings.

use app::domain::json::{self, Fault, Json, Limits, Object, Why};
use app::domain::problem::Code;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Uri, header};

use super::encoding;
use crate::gate::{Room, Unread};
use crate::problem::Problem;
use crate::services::refusal::Refusal;

/// The largest JSON body that is read.
pub const MAX_BODY: usize = Limits::BODY.bytes;
/// The longest query string that is read.
pub const MAX_QUERY: usize = 8 * 1024;
/// The most fields in a query: several times those of any operation.
const MAX_PAIRS: usize = 256;

/// The whole body of a request that announces JSON.
pub async fn body(headers: &HeaderMap, body: Body, room: &Room) -> Result<Bytes, Problem> {
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
    room.whole(body, MAX_BODY).await.map_err(|why| match why {
        Unread::TooLarge => too_large(),
        Unread::TooSlow => Problem::new(Code::RequestTimeout),
        Unread::Broken => Refusal::new(Code::InvalidBody)
            .says("The body broke off before its end.")
            .into(),
        Unread::Full => Refusal::new(Code::ServiceUnavailable)
            .says("Too many bodies of callers who have not proved their keys yet are on their way to us just now; yours was not read.")
            .after(1)
            .into(),
    })
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
    match json::read(bytes, Limits::BODY) {
        Ok(Json::Object(object)) => Ok(object),
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

fn unreadable(fault: &Fault) -> Refusal {
    let refusal = Refusal::new(Code::InvalidBody);
    match fault.why {
        Why::NotUtf8 => refusal.says(format!(
            "The body is not UTF-8: byte {} is not valid.",
            fault.byte
        )),
        Why::Twice(_) => refusal
            .says(format!("The body cannot be read: {fault}."))
            .hints("Send each field once: which of two values counts would be anybody's guess."),
        _ => refusal
            .says(format!("The body is not a JSON object: {fault}."))
            .hints("Check quotes, commas and braces at that place."),
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
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
        let value = Json::Text(value.into_owned().into());
        if pairs.insert(name.clone().into_owned(), value) {
            let message = format!("The query gives `{name}` twice.");
            return Err(Refusal::new(Code::InvalidField).says(message).into());
        }
    }
    Ok(pairs)
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
