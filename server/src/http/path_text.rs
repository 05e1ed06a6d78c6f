//! A part of a path, as text. `axum`'s own extractor answers what is no UTF-8 by itself, in plain text and before any key is
//! looked at; here it is an id that nobody has, and refused like one.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

/// The one part of a path that varies, percent-decoded.
pub struct PathText(pub String);

/// Stands for what is no text: no id and no name holds it (U+FFFD, replacement character).
const NO_TEXT: &str = "\u{fffd}";

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(
            text.map_or_else(|_| NO_TEXT.to_owned(), |Path(text)| text),
        ))
    }
}
