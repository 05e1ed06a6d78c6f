//! Queries and forms as names and values: whole, in order, and text throughout.

use app::pages::Fields;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use percent_encoding::percent_decode_str;

const LARGEST: usize = 64 * 1024;

/// Reads a submitted form, or says with which status it is refused.
pub async fn read_form(
    headers: &HeaderMap,
    body: Body,
) -> Result<Fields, (StatusCode, &'static str)> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    if !kind
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    {
        return Err((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The portal takes forms as its own pages send them. Programs use the API.",
        ));
    }
    let bytes = axum::body::to_bytes(body, LARGEST).await.map_err(|_| {
        (
            StatusCode::PAYLOAD_TOO_LARGE,
            "The form is too large, or broke off on the way. Shorten it and send it again.",
        )
    })?;
    std::str::from_utf8(&bytes).ok().and_then(parse).ok_or((
        StatusCode::BAD_REQUEST,
        "The form is not readable text. Write it again and send it.",
    ))
}

/// Reads `a=1&b=2` (WHATWG URL, 5.1); nothing if it is not UTF-8 after decoding.
pub fn parse(text: &str) -> Option<Fields> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let fields = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decode(name)?, decode(value)?))
    });
    fields.collect::<Option<Vec<_>>>().map(Fields)
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .ok()
        .map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_whole_in_order_or_not_at_all() {
        let fields = parse("name=A%26B+Ltd&skill=a&skill=b_%231.0&empty=&bare").unwrap();
        assert_eq!(fields.get("name"), "A&B Ltd");
        assert_eq!(fields.all("skill"), ["a", "b_#1.0"]);
        assert_eq!(fields.get("bare"), "");
        assert!(parse("name=%ff").is_none());
        assert_eq!(parse("").unwrap().0.len(), 0);
    }
}
