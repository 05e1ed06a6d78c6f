//! JSON in and out of the doors: what is answered is written by serde; what arrives is read by the one reader there is
//! (the crate `json`). axum's own type of this name reads with the library, whose features may give names a meaning.

use ::json::{self as reader, ReadError, ReadLimits};
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt as _, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value in JSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json<T>(pub T);

/// Reason a body was not read as a value of its type.
#[derive(Debug, thiserror::Error)]
pub enum JsonBodyError {
    #[error("the body is not announced as JSON")]
    NotAnnounced,
    #[error("the body is packed")]
    Packed,
    #[error("the body broke off, or is too long")]
    NotWhole,
    #[error("{0}")]
    NotRead(#[from] ReadError),
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let media = [(header::CONTENT_TYPE, "application/json")];
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => (media, bytes).into_response(),
            Err(error) => {
                tracing::error!(%error, "an answer cannot be written as JSON");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

impl IntoResponse for JsonBodyError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NotAnnounced | Self::Packed => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotWhole => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotRead(_) => StatusCode::BAD_REQUEST,
        };
        status.into_response()
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = JsonBodyError;

    async fn from_request(request: Request, _: &S) -> Result<Self, JsonBodyError> {
        if !is_announced(request.headers()) {
            return Err(JsonBodyError::NotAnnounced);
        }
        if coding(request.headers()).is_some() {
            return Err(JsonBodyError::Packed);
        }
        let body = Limited::new(request.into_body(), ReadLimits::BODY.bytes);
        let Ok(whole) = body.collect().await else {
            return Err(JsonBodyError::NotWhole);
        };
        let bytes: Bytes = whole.to_bytes();
        Ok(Self(reader::from_slice(&bytes, ReadLimits::BODY)?))
    }
}

/// Tells whether a request announces JSON: `application/json`, or a type that says of itself that it is written in it
/// (`+json`, RFC 6839), with whatever parameters.
fn is_announced(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE);
    let media = media.and_then(|value| value.to_str().ok());
    media
        .and_then(|media| media.split(';').next())
        .map(|media| media.trim().to_ascii_lowercase())
        .is_some_and(|media| media == "application/json" || media.ends_with("+json"))
}

/// Returns the coding in which a body is packed (RFC 9110, section 8.4); `None` if it is sent as it is.
pub fn coding(headers: &HeaderMap) -> Option<String> {
    let fields = headers.get_all(header::CONTENT_ENCODING).iter();
    let codings = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b','));
    let mut codings = codings.map(|coding| String::from_utf8_lossy(coding.trim_ascii()));
    let packed =
        codings.find(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"));
    packed.map(|coding| coding.chars().take(40).collect())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_body_is_packed_unless_all_its_codings_are_identity() {
        let with = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONTENT_ENCODING, HeaderValue::from_static(value));
            }
            coding(&headers)
        };
        for plain in [
            &[][..],
            &[""],
            &["identity"],
            &["Identity, identity"],
            &["identity", ""],
        ] {
            assert_eq!(with(plain), None, "{plain:?}");
        }
        for packed in [
            &["gzip"][..],
            &["identity, BR"],
            &["identity", "x-gzip"],
            &["deflate;q=1"],
        ] {
            assert!(with(packed).is_some(), "{packed:?}");
        }
    }
}
