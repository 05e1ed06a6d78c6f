//! From bytes to one JSON object, bounded before it is parsed; and the same for query strings.

use std::fmt;

use app::domain::problem::Code;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Uri, header};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::gate::{Room, Unread};
use crate::problem::Problem;
use crate::services::refusal::Refusal;

/// The largest JSON body that is read.
pub const MAX_BODY: usize = 256 * 1024;
/// The deepest nesting of arrays and objects that is read.
pub const MAX_DEPTH: usize = 64;
/// The longest query string that is read.
pub const MAX_QUERY: usize = 8 * 1024;

/// The whole body of a request that announces JSON.
pub async fn body(headers: &HeaderMap, body: Body, room: &Room) -> Result<Bytes, Problem> {
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

fn announces_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

fn too_large() -> Problem {
    Problem::new(Code::BodyTooLarge)
}

/// The object in a body; a field given twice is refused like any other malformed JSON.
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    let says = |message: String| Refusal::new(Code::InvalidBody).says(message);
    if let Err(error) = std::str::from_utf8(bytes) {
        let at = error.valid_up_to();
        return Err(says(format!("The body is not UTF-8: byte {at} is not valid.")).into());
    }
    if depth(bytes) > MAX_DEPTH {
        return Err(too_large());
    }
    serde_json::from_slice::<Object>(bytes)
        .map(|object| object.0)
        .map_err(|error| {
            says(format!("The body is not a JSON object: {error}."))
                .hints("Check quotes, commas and braces at that place.")
                .into()
        })
}

/// The pairs of a query string, each as text.
pub fn query(uri: &Uri) -> Result<Map<String, Value>, Problem> {
    let text = uri.query().unwrap_or_default();
    if text.len() > MAX_QUERY {
        return Err(too_large());
    }
    let mut pairs = Map::new();
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
        let twice = pairs
            .insert(name.to_string(), Value::String(value.into_owned()))
            .is_some();
        if twice {
            let message = format!("The query gives `{name}` twice.");
            return Err(Refusal::new(Code::InvalidField).says(message).into());
        }
    }
    Ok(pairs)
}

/// How deeply arrays and objects nest, brackets inside strings aside.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

struct Object(Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Object, A::Error> {
                let mut pairs = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if pairs.contains_key(&name) {
                        return Err(A::Error::custom(format_args!(
                            "the field `{name}` is given twice"
                        )));
                    }
                    pairs.insert(name, value);
                }
                Ok(Object(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
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
        assert_eq!(object["lt"].to_string(), "4.270000000000000000001");
    }
}
