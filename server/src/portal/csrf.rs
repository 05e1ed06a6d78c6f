//! Requests that another site made a browser send do nothing here.
//!
//! Every browser of today says with `Sec-Fetch-Site` where a request comes from (W3C Fetch Metadata); an older one
//! says at least `Origin` with a form. A request that changes something and says neither was sent by no browser that
//! could be tricked, but a cookie came with it: it is refused as well.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::Response;

use super::dispatch::PortalContext;

/// The layer over all pages. Reading is never refused: nothing changes by GET.
pub async fn guard(State(door): State<PortalContext>, request: Request, next: Next) -> Response {
    let reads = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if reads || is_own(request.headers(), &door.state.public_url) {
        return next.run(request).await;
    }
    let (parts, _) = request.into_parts();
    let why = format!(
        "This form was sent from another site, or by a browser that does not say from where. Open {} and send it from there.",
        door.state.public_url
    );
    door.turned_away(&parts, why)
}

/// Returns `true` if the headers of a request say that it comes from one of the portal's own pages.
fn is_own(headers: &HeaderMap, public_url: &str) -> bool {
    let text = |value: &axum::http::HeaderValue| value.to_str().unwrap_or("?").to_owned();
    match headers.get("sec-fetch-site").map(text) {
        Some(site) => matches!(site.as_str(), "same-origin" | "none"),
        None => headers
            .get(header::ORIGIN)
            .map(text)
            .is_some_and(|origin| origin == public_url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "https://portal.example.com";

    fn own(headers: &[(&'static str, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, axum::http::HeaderValue::from_static(value));
        }
        is_own(&map, OWN)
    }

    #[test]
    fn only_our_own_pages_may_change_something() {
        assert!(own(&[("sec-fetch-site", "same-origin")]));
        assert!(own(&[("sec-fetch-site", "none")]));
        assert!(own(&[("origin", OWN)]));
        for headers in [
            &[][..],
            &[("sec-fetch-site", "cross-site"), ("origin", OWN)],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "Same-Origin")],
            &[("origin", "null")],
            &[("origin", "https://portal.example.com.evil.example")],
            &[("origin", "http://portal.example.com")],
            &[("referer", "https://portal.example.com/")],
        ] {
            assert!(!own(headers), "{headers:?}");
        }
    }
}
