//! Headers that every page carries, the check that a form was sent from one of the bank's own pages, and the rate
//! limit.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ORIGIN, REFERRER_POLICY, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse as _, Response};
use kernel::gate::gcra::{MINUTE, QuotaPolicy};
use kernel::gate::quota_store::QuotaStore;
use kernel::gate::{Peer, SourceAddress};

use super::views;
use crate::BankState;

/// No `form-action`: browsers hold the whole chain of redirects to it, and the consent form ends at the app's own link.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'";

pub async fn headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Nothing of our addresses leaves; our own forms still say where they come from.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Refuses forms that another site's page sent (`Sec-Fetch-Site`, else `Origin`). A client that sends neither is no
/// browser, and carries nobody's cookie by accident.
pub async fn own_forms_only(
    State(bank): State<BankState>,
    request: Request,
    next: Next,
) -> Response {
    if request.method() == Method::POST && !is_own(request.headers(), &bank.public_url) {
        return (StatusCode::FORBIDDEN, Html(views::foreign_form())).into_response();
    }
    next.run(request).await
}

/// Rate limit of pages per source. Counted in this process alone.
#[derive(Clone)]
pub struct PageRateLimit {
    bank: BankState,
    spent: Arc<QuotaStore<SourceAddress>>,
    rule: QuotaPolicy,
}

impl PageRateLimit {
    /// Makes a rate limit of `per_minute` pages a minute, at least one.
    pub fn new(bank: &BankState, per_minute: u32) -> Self {
        Self {
            bank: bank.clone(),
            spent: Arc::default(),
            rule: QuotaPolicy {
                policy: "pages",
                quota: per_minute.max(1),
                window: MINUTE,
            },
        }
    }
}

/// Counts a request before anything is done for it; answers 429 with `Retry-After`, in seconds, beyond the limit.
pub async fn within_budget(
    State(budget): State<PageRateLimit>,
    request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<Peer>();
    let source = SourceAddress::from(peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0));
    let now = budget.bank.clock.now().timestamp_micros();
    match budget.spent.spend(source, budget.rule, now).wait {
        None => next.run(request).await,
        Some(seconds) => {
            let again = [(RETRY_AFTER, HeaderValue::from(seconds))];
            (StatusCode::TOO_MANY_REQUESTS, again, Html(views::busy())).into_response()
        }
    }
}

fn is_own(headers: &HeaderMap, public_url: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (text("sec-fetch-site"), text(ORIGIN.as_str())) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin == public_url,
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_send_forms() {
        let bank = "http://127.0.0.1:4000";
        let own = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            is_own(&headers, bank)
        };
        assert!(own(&[]));
        assert!(own(&[("sec-fetch-site", "same-origin"), ("origin", bank)]));
        assert!(own(&[("origin", bank)]));
        assert!(!own(&[("origin", "http://127.0.0.1:4001")]));
        assert!(!own(&[("origin", "null")]));
        assert!(!own(&[("sec-fetch-site", "same-site")]));
        assert!(!own(&[("sec-fetch-site", "cross-site"), ("origin", bank)]));
    }
}
