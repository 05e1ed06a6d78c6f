//! `Content-Encoding` of requests (RFC 9110, section 8.4): bodies are read as they are, never unpacked.

use app::domain::problem::Code;
use axum::http::{HeaderMap, HeaderValue, header};

use crate::json::coding;
use crate::problem::Problem;
use crate::services::refusal::Refusal;

/// Refuses a body that is packed, naming what would be taken instead (RFC 9110, section 15.5.16).
pub fn check(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(coding) = coding(headers) else {
        return Ok(());
    };
    let refusal = Refusal::new(Code::InvalidHeaders)
        .says(format!(
            "The body is announced as packed (Content-Encoding: {coding}), and bodies are read as they are."
        ))
        .hints("Send it unpacked, without Content-Encoding.");
    let identity = HeaderValue::from_static("identity");
    Err(Problem::from(refusal).with_header(header::ACCEPT_ENCODING, identity))
}
