//! Names and values of a form or a query (`application/x-www-form-urlencoded`; WHATWG URL, section 5.1): in order, UTF-8
//! throughout, without a NUL.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt as _, Limited};
use percent_encoding::percent_decode_str;

use crate::json::coding;
use crate::nul::storable;

/// The most bytes of a form that [`Form`] reads.
const LARGEST: usize = 64 * 1024;

/// Names and values, in the order they came in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs(pub Vec<(String, String)>);

/// The form in the body of a request.
#[derive(Clone, Debug, Default)]
pub struct Form(pub Pairs);

/// The query of a request; no pairs if it has none.
#[derive(Clone, Debug, Default)]
pub struct Query(pub Pairs);

/// Reason why a form or a query is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairsError {
    #[error("it is not announced as application/x-www-form-urlencoded, or is packed")]
    NotAnnounced,
    #[error("it broke off, or is larger than {} KiB", LARGEST / 1024)]
    NotWhole,
    #[error("it holds something that is not UTF-8, or a NUL character")]
    NoText,
    #[error("it gives {0} more than once")]
    Repeated(&'static str),
}

impl Pairs {
    /// Reads `a=1&b=2`.
    ///
    /// # Errors
    /// [`PairsError::NoText`] if it is not UTF-8 after decoding, or holds a NUL.
    pub fn parse(text: &str) -> Result<Self, PairsError> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, decode(value)?))
        });
        let pairs: Option<Vec<_>> = pairs.collect();
        pairs.map(Self).ok_or(PairsError::NoText)
    }

    /// Returns the value of a name that is given once; the empty text if it is not given.
    ///
    /// # Errors
    /// [`PairsError::Repeated`] if it is given more than once.
    pub fn single(&self, name: &'static str) -> Result<&str, PairsError> {
        let mut values = self.0.iter().filter(|(known, _)| known == name);
        match (values.next(), values.next()) {
            (None, _) => Ok(""),
            (Some((_, value)), None) => Ok(value),
            (Some(_), Some(_)) => Err(PairsError::Repeated(name)),
        }
    }
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .ok()
        .map(std::borrow::Cow::into_owned)
        .filter(|text| storable(text))
}

fn is_announced(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE);
    let media = media.and_then(|value| value.to_str().ok());
    let media = media.and_then(|value| value.split(';').next());
    media.is_some_and(|media| {
        media
            .trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

impl<S: Sync> FromRequest<S> for Form {
    type Rejection = PairsError;

    async fn from_request(request: Request, _: &S) -> Result<Self, PairsError> {
        if !is_announced(request.headers()) || coding(request.headers()).is_some() {
            return Err(PairsError::NotAnnounced);
        }
        let body = Limited::new(request.into_body(), LARGEST).collect().await;
        let bytes = body.map_err(|_| PairsError::NotWhole)?.to_bytes();
        let text = std::str::from_utf8(&bytes).map_err(|_| PairsError::NoText)?;
        Pairs::parse(text).map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = PairsError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, PairsError> {
        Pairs::parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

impl PairsError {
    /// Returns the status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotAnnounced => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotWhole => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoText | Self::Repeated(_) => StatusCode::BAD_REQUEST,
        }
    }
}

/// For handlers that say nothing of their own: the status, and the reason in plain text.
impl IntoResponse for PairsError {
    fn into_response(self) -> Response {
        (self.status(), format!("This cannot be read: {self}.\n")).into_response()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn pairs_are_read_whole_in_order_or_not_at_all() {
        let read = Pairs::parse("name=A%26B+Ltd&skill=a&skill=b_%231.0&empty=&bare").unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let all = [
            pair("name", "A&B Ltd"),
            pair("skill", "a"),
            pair("skill", "b_#1.0"),
            pair("empty", ""),
            pair("bare", ""),
        ];
        assert_eq!(read.0, all);
        assert_eq!(Pairs::parse("").unwrap(), Pairs::default());
        for text in ["name=%ff", "%ff=name", "q=%00", "%00=q", "q=a\0"] {
            assert_eq!(Pairs::parse(text), Err(PairsError::NoText), "{text:?}");
        }
    }

    #[test]
    fn a_name_that_must_be_single_is_not_taken_twice() {
        let read = Pairs::parse("a=1&b=2&a=1").unwrap();
        assert_eq!((read.single("b"), read.single("c")), (Ok("2"), Ok("")));
        assert_eq!(read.single("a"), Err(PairsError::Repeated("a")));
    }

    #[tokio::test]
    async fn a_body_is_a_form_if_it_says_so_and_is_small() {
        let sent = |media: &'static str, body: String| async move {
            let request = Request::post("/").header(header::CONTENT_TYPE, media);
            let request = request.body(Body::from(body)).unwrap();
            Form::from_request(request, &()).await.map(|form| form.0)
        };
        let media = "Application/X-WWW-form-urlencoded; charset=utf-8";
        let read = sent(media, "a=1".into()).await.unwrap();
        assert_eq!(read.single("a"), Ok("1"));
        let json = sent("application/json", "{}".into()).await;
        assert_eq!(json, Err(PairsError::NotAnnounced));
        let large = sent(media, "a".repeat(LARGEST + 1)).await;
        assert_eq!(large, Err(PairsError::NotWhole));
        let binary = sent(media, "a=%ff".into()).await;
        assert_eq!(binary, Err(PairsError::NoText));
    }
}
