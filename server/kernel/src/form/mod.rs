//! Forms that come from outside, bounded before they cost anything: names and values as a browser sends them
//! ([`pairs`]), and `multipart/form-data` (RFC 7578) whose file is read whole ([`whole`]) or piece by piece ([`body`]).
//!
//! `multer` splits a form with files. It buffers whatever lies between files without a bound of its own, and reads ahead as
//! long as bytes are there; [`body::FormBody`] gives it no more than is good for it, and no longer than is.

pub mod body;
pub mod pairs;
pub mod part;
pub mod whole;

use axum::http::{HeaderMap, header};

pub use self::pairs::{Form, Pairs, Query};

/// Returns the announced length of a body; `None` if it is not announced, or not as a number.
pub fn announced(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}
