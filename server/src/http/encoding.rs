//! `Content-Encoding` and `Transfer-Encoding` of requests (RFC 9110, section 8.4; RFC 9112, section 6.1): bodies are read as
//! they are, never unpacked.

use app::domain::problem::Code;
use axum::http::{HeaderMap, HeaderValue, header};
use kernel::json::coding;

use crate::problem::Problem;
use crate::services::refusal::Refusal;

/// Refuses a body that is packed, naming what would be taken instead (RFC 9110, section 15.5.16).
pub fn check(headers: &HeaderMap) -> Result<(), Problem> {
    if let Some(coding) = transfer_coding(headers) {
        return Err(Refusal::new(Code::InvalidHeaders)
            .says(format!(
                "The body is announced in a transfer coding that is not known here (Transfer-Encoding: {coding})."
            ))
            .hints("Send it with Content-Length, or with Transfer-Encoding: chunked alone.")
            .into());
    }
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

/// Returns the transfer codings of a body, unless `chunked`, once, is all of them.
fn transfer_coding(headers: &HeaderMap) -> Option<String> {
    let fields = headers.get_all(header::TRANSFER_ENCODING).iter();
    let texts: Vec<_> = fields
        .map(|field| String::from_utf8_lossy(field.as_bytes()))
        .collect();
    let codings = texts.iter().flat_map(|text| text.split(',')).map(str::trim);
    let mut codings = codings.filter(|coding| !coding.is_empty());
    let is_plain = match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(only), None) => only.eq_ignore_ascii_case("chunked"),
        (Some(_), Some(_)) => false,
    };
    (!is_plain).then(|| texts.join(", ").chars().take(40).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunked_alone_is_a_transfer_coding_that_is_read() {
        let with = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::TRANSFER_ENCODING, HeaderValue::from_static(value));
            }
            check(&headers).is_ok()
        };
        for read in [&[][..], &["chunked"], &["Chunked"], &[" chunked ,"]] {
            assert!(with(read), "{read:?}");
        }
        for other in [
            &["gzip, chunked"][..],
            &["gzip", "chunked"],
            &["chunked, chunked"],
            &["chunked", "chunked"],
            &["identity"],
        ] {
            assert!(!with(other), "{other:?}");
        }
    }
}
