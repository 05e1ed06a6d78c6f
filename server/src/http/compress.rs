//! Answers made smaller, and which: only those that are said to hold no secret.
//!
//! The size of a compressed answer tells something of what is in it to whoever can put words of their own beside it and
//! watch the wire (BREACH). So nothing is compressed by default. [`Open`] on an answer says that there is no token, nonce, key
//! or form's ticket in it and that it is shown to nobody signed in; lists of data and documents of the API are open by their
//! place ([`OPEN_NOUNS`]), pages of the portal by their screen.

use std::convert::Infallible;
use std::future::ready;
use std::sync::{Arc, OnceLock};

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt as _;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

/// Marks an answer that holds no secret.
#[derive(Clone, Copy, Debug)]
pub struct Open;

/// Operations of the API whose answers hold no secret: `/v1/NOUN...`.
const OPEN_NOUNS: [&str; 7] = [
    "accounts",
    "balances",
    "transactions",
    "catalog",
    "catalogs",
    "openapi.json",
    "postman.json",
];
/// Size from which answers are compressed, in bytes: smaller ones would hardly get smaller.
const LEAST: u64 = 1024;
/// The largest answer that is compressed at once, in bytes. Longer ones, and those whose end is not known yet, are compressed as they leave.
const AT_ONCE: u64 = 1 << 20;
/// A third of the work for nearly all of the effect.
const QUALITY: CompressionLevel = CompressionLevel::Precise(4);

/// Compressed forms of a document that is the same for everybody, kept from the first time that each is asked for: whoever
/// asks again costs a copy of a pointer.
#[derive(Clone, Debug, Default)]
pub struct Packed {
    brotli: Arc<OnceLock<Bytes>>,
    gzip: Arc<OnceLock<Bytes>>,
}

impl Packed {
    fn of(&self, coding: Coding) -> &OnceLock<Bytes> {
        match coding {
            Coding::Brotli => &self.brotli,
            Coding::Gzip => &self.gzip,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    Brotli,
    Gzip,
}

/// The layer: outside of everything that looks at answers.
pub async fn answers(request: Request, next: Next) -> Response {
    let accepted = accepted(request.headers());
    let by_place = is_open_path(request.method(), request.uri().path());
    let mut answer = next.run(request).await;
    let marked = answer.extensions_mut().remove::<Open>().is_some();
    let packed = answer
        .extensions_mut()
        .remove::<Packed>()
        .unwrap_or_default();
    if !(by_place && answer.status() == StatusCode::OK || marked) || !is_fit(&answer) {
        return answer;
    }
    let vary = HeaderValue::from_static("accept-encoding");
    answer.headers_mut().append(header::VARY, vary);
    let at_once = answer.body().size_hint().exact();
    let at_once = at_once.is_some_and(|size| size <= AT_ONCE);
    let [brotli, gzip] = accepted;
    // A stream's encoder lives as long as its reader is slow: gzip's is the smaller one.
    let coding = match (brotli, gzip) {
        (true, _) if at_once => Coding::Brotli,
        (_, true) => Coding::Gzip,
        (true, false) => Coding::Brotli,
        (false, false) => return answer,
    };
    compressed(answer, coding, at_once, &packed).await
}

/// Returns `true` if the answers of the operation hold no secret, by [`OPEN_NOUNS`].
fn is_open_path(method: &Method, path: &str) -> bool {
    let rest = path.strip_prefix("/v1s/").or(path.strip_prefix("/v1/"));
    let noun = rest.and_then(|rest| rest.split('/').next());
    matches!(*method, Method::GET | Method::POST) && noun.is_some_and(|it| OPEN_NOUNS.contains(&it))
}

/// Returns `true` if an answer is JSON or HTML, is not encoded yet, sets no cookie, and is larger than [`LEAST`] or of
/// unknown size.
fn is_fit(answer: &Response) -> bool {
    let headers = answer.headers();
    let media = headers.get(header::CONTENT_TYPE);
    let media = media.and_then(|it| it.to_str().ok()).unwrap_or_default();
    let size = answer.body().size_hint().exact();
    (media.starts_with("application/json") || media.starts_with("text/html"))
        && size.is_none_or(|size| size > LEAST)
        && !headers.contains_key(header::CONTENT_ENCODING)
        && !headers.contains_key(header::SET_COOKIE)
}

/// Returns whether brotli and whether gzip are accepted, in this order (RFC 9110, section 12.5.3).
fn accepted(headers: &HeaderMap) -> [bool; 2] {
    let lists = headers.get_all(header::ACCEPT_ENCODING).iter();
    let items = lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','));
    let (mut named, mut any) = ([None; 2], false);
    for item in items {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let refused = parts.any(|part| {
            let value = part.strip_prefix("q=").or(part.strip_prefix("Q="));
            value.is_some_and(|q| q.trim().parse::<f32>().is_ok_and(|q| q <= 0.0))
        });
        match name.as_str() {
            "br" => named[0] = Some(!refused),
            "gzip" | "x-gzip" => named[1] = Some(!refused),
            "*" => any = !refused,
            _ => {}
        }
    }
    named.map(|named| named.unwrap_or(any))
}

async fn compressed(
    mut answer: Response,
    coding: Coding,
    at_once: bool,
    packed: &Packed,
) -> Response {
    let name = HeaderValue::from_static(match coding {
        Coding::Brotli => "br",
        Coding::Gzip => "gzip",
    });
    weaken(answer.headers_mut());
    if let Some(known) = packed.of(coding).get() {
        answer.headers_mut().insert(header::CONTENT_ENCODING, name);
        return answer.map(|_| Body::from(known.clone()));
    }
    let mut ask = axum::http::Request::new(());
    ask.headers_mut().insert(header::ACCEPT_ENCODING, name);
    let mut answer = Some(answer);
    let inner = service_fn(move |_: axum::http::Request<()>| {
        ready(Ok::<_, Infallible>(answer.take().unwrap_or_default()))
    });
    let layer = CompressionLayer::new()
        .quality(QUALITY)
        .compress_when(|_, _, _: &HeaderMap, _: &axum::http::Extensions| true);
    let answer = match layer.layer(inner).oneshot(ask).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    };
    if !at_once {
        return answer.map(Body::new);
    }
    let (parts, body) = answer.into_parts();
    if let Ok(whole) = body.collect().await {
        let whole = packed.of(coding).get_or_init(|| whole.to_bytes());
        Response::from_parts(parts, Body::from(whole.clone()))
    } else {
        tracing::error!("an answer could not be compressed");
        let mut answer = Response::default();
        *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        answer
    }
}

/// Makes the `ETag` weak: the compressed bytes are not those the strong tag stands for (RFC 9110, section 8.8.1).
fn weaken(headers: &mut HeaderMap) {
    let tag = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let weak = tag.filter(|tag| !tag.starts_with("W/"));
    let weak = weak.and_then(|tag| HeaderValue::from_str(&format!("W/{tag}")).ok());
    if let Some(weak) = weak {
        headers.insert(header::ETAG, weak);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(value: &str) -> [bool; 2] {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, value.parse().unwrap());
        accepted(&headers)
    }

    #[test]
    fn codings_are_read_as_their_standard_writes_them() {
        assert_eq!(accepted(&HeaderMap::new()), [false, false]);
        assert_eq!(accepts("gzip, deflate, br"), [true, true]);
        assert_eq!(accepts("GZIP;q=0.5"), [false, true]);
        assert_eq!(accepts("gzip;q=0, br;q=0.0"), [false, false]);
        assert_eq!(accepts("*"), [true, true]);
        assert_eq!(accepts("*, gzip;q=0"), [true, false]);
        assert_eq!(accepts("identity;q=0"), [false, false]);
    }

    #[tokio::test]
    async fn a_document_is_compressed_once() {
        let packed = Packed::default();
        let text = |word: &str| Response::new(Body::from(word.repeat(1000)));
        for coding in [Coding::Brotli, Coding::Gzip] {
            let mut seen = Vec::new();
            // Another content the second time shows that nobody looked at it.
            for word in ["one", "two"] {
                let answer = compressed(text(word), coding, true, &packed).await;
                let name = answer.headers()[header::CONTENT_ENCODING].clone();
                let bytes = answer.into_body().collect().await.unwrap().to_bytes();
                assert!(bytes.len() < 300, "{}", bytes.len());
                seen.push((name, bytes));
            }
            assert_eq!(seen[0], seen[1]);
        }
        let fresh = compressed(text("two"), Coding::Gzip, true, &Packed::default()).await;
        let fresh = fresh.into_body().collect().await.unwrap().to_bytes();
        assert_ne!(Some(&fresh), packed.gzip.get());
    }

    #[test]
    fn only_lists_and_documents_are_open_by_their_place() {
        let open = |path: &str| is_open_path(&Method::GET, path);
        for path in [
            "/v1/accounts",
            "/v1s/transactions/get",
            "/v1/openapi.json",
            "/v1/catalog/skills/x",
        ] {
            assert!(open(path), "{path}");
        }
        for path in [
            "/v1/sessions",
            "/v1/sessions/7/get",
            "/v1/steps/7/upload",
            "/v1/token",
            "/v1/tokens",
            "/v1/consents/extend",
            "/v1/consents",
            "/v1/redirects/aisp",
            "/v1/products/get",
            "/tenants/accounts",
            "/",
        ] {
            assert!(!open(path), "{path}");
        }
    }
}
