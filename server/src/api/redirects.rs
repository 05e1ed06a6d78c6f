//! Where banks send end-users back to: a browser's door, so what cannot be sent on is answered in a sentence for people,
//! whatever `Accept` says.
//!
//! Only a person who opens the address consumes it. `HEAD` is safe (RFC 9110, section 9.2.1), and so must be what says
//! of itself that nobody looks at it yet: a preview, a prefetch, a page rendered ahead.

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use secrecy::SecretString;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use app::domain::problem::Code;

use crate::problem::{Answered, Problem};
use crate::services::refusal::Failure;
use crate::services::returns::{self, Arrival, Onward};
use crate::state::AppState;

const KINDS: [&str; 3] = ["aisp", "pisp", "partner"];
/// A second look, while another request follows the same return.
const REFRESH: HeaderName = HeaderName::from_static("refresh");
/// Where browsers and previewers say that they fetch ahead: Chromium and Firefox, older ones, Safari, older Firefoxes.
const AHEAD: [&str; 4] = ["sec-purpose", "purpose", "x-purpose", "x-moz"];

/// The operations of this file.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(arrive))
}

/// Bank redirect
///
/// Not for tenants: banks send the end-user's browser here, and it goes on to the tenant's own link with `temp_token`
/// and `session_id`; with `nonce` where the session goes on; or with `error`, `error_code` and `session_id`. `state` is
/// there as the session was opened with. A return that is loaded again has the same outcome; once its session came to
/// its good end that is `error_code=already_completed`, without an `error`. `HEAD` and what announces itself as a preview
/// (`Sec-Purpose`, `Purpose`, `X-Moz`) change nothing.
#[utoipa::path(get, path = "/v1/redirects/{kind}", tag = "Sessions",
    params(("kind" = String, Path, pattern = "^(aisp|pisp|partner)$", description = "`aisp`, `pisp` or `partner`."),
        ("state" = String, Query, description = "One-time, bound to one session."),
        ("code" = Option<String>, Query, description = "The bank's one-time code."),
        ("error" = Option<String>, Query, description = "Sent by the bank instead of a code.")),
    responses((status = 200, description = "A page to wait on while another request follows the same return."),
        (status = 303, description = "On to the tenant's link."), (status = 400, description = "The return is not valid."),
        (status = 404, description = "No such return."),
        (status = 425, description = "Fetched ahead of anybody who would look at it: nothing was done (RFC 8470).")))]
async fn arrive(
    State(state): State<AppState>,
    method: Method,
    headers: HeaderMap,
    Path(kind): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    if !KINDS.contains(&kind.as_str()) {
        return nowhere(&state);
    }
    if method == Method::HEAD {
        return unopened(&state, StatusCode::OK);
    }
    if is_ahead(&headers) {
        // No success: a browser must not show later what it fetched now, but ask again.
        return unopened(&state, StatusCode::TOO_EARLY);
    }
    let Some(arrival) = read(query.as_deref().unwrap_or_default()) else {
        return invalid(&state);
    };
    match returns::arrive(&state, arrival).await {
        Ok(Onward::Link(link)) => onward(&state, &link),
        Ok(Onward::Wait) => wait(&state),
        Err(Failure::Refused(refusal)) if refusal.code == Code::TppRedirectError => invalid(&state),
        Err(failure) => failed(&state, failure),
    }
}

/// Whether nobody looks at the answer yet.
fn is_ahead(headers: &HeaderMap) -> bool {
    let said = AHEAD.iter().flat_map(|name| headers.get_all(*name));
    said.filter_map(|value| value.to_str().ok()).any(|value| {
        let value = value.to_ascii_lowercase();
        ["prefetch", "preview", "prerender"]
            .iter()
            .any(|word| value.contains(word))
    })
}

/// What a bank sends, each thing at most once; whatever else it adds is its own affair.
fn read(query: &str) -> Option<Arrival> {
    let (mut state, mut code, mut refused) = (None, None, false);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let twice = match name.as_ref() {
            "state" => state
                .replace(SecretString::from(value.into_owned()))
                .is_some(),
            "code" => code
                .replace(SecretString::from(value.into_owned()))
                .is_some(),
            "error" => std::mem::replace(&mut refused, true),
            _ => false,
        };
        if twice {
            return None;
        }
    }
    Some(Arrival {
        state: state?,
        code,
        refused,
    })
}

fn onward(state: &AppState, link: &str) -> Response {
    match HeaderValue::from_str(link) {
        Ok(link) => (StatusCode::SEE_OTHER, quiet(), [(header::LOCATION, link)]).into_response(),
        Err(_) => invalid(state),
    }
}

/// For those who only look whether something is here.
fn unopened(state: &AppState, status: StatusCode) -> Response {
    let vary = [(
        header::VARY,
        HeaderValue::from_static("sec-purpose, purpose, x-purpose, x-moz"),
    )];
    let page = page(
        state,
        status,
        "Almost there",
        "Open this page to go back to the app you came from.",
    );
    (vary, page).into_response()
}

fn nowhere(state: &AppState) -> Response {
    page(
        state,
        StatusCode::NOT_FOUND,
        "Nothing is here",
        "No bank sends people to this address. Go back to the app you came from and begin again.",
    )
}

fn wait(state: &AppState) -> Response {
    let again = [(REFRESH, HeaderValue::from_static("1"))];
    let page = page(
        state,
        StatusCode::OK,
        "One moment",
        "Your bank’s answer is being worked on. This page goes on by itself.",
    );
    (again, page).into_response()
}

fn invalid(state: &AppState) -> Response {
    page(
        state,
        StatusCode::BAD_REQUEST,
        "This way back is no longer good",
        "It was used before, has run out, or is incomplete. Go back to the app you came from and begin again.",
    )
}

/// Our own fault, or a bank that does not answer: logged as every API call's is, and told in a sentence.
fn failed(state: &AppState, failure: Failure) -> Response {
    let code = Problem::from(failure).code();
    let status = StatusCode::from_u16(code.entry().http);
    let mut answer = page(
        state,
        status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        "We could not finish this just now",
        "Load this page again in a moment: nothing is done twice. If that does not help, go back to the app you came \
         from and begin again.",
    );
    answer.extensions_mut().insert(Answered(code));
    answer
}

/// Neither the code nor the token is to be kept or told to anybody on the way.
fn quiet() -> [(HeaderName, HeaderValue); 2] {
    [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
    ]
}

/// Nobody's look: the end-user knows neither us nor, by name, the app that sent them.
const STYLE: &str = ":root{color-scheme:light dark}\
    body{margin:0;min-height:100vh;display:grid;place-items:center;padding:24px;box-sizing:border-box;\
    background:light-dark(#fbfcfd,#0e1116);color:light-dark(#14181d,#edf1f5);\
    font:400 16px/24px ui-sans-serif,system-ui,-apple-system,\"Segoe UI\",Roboto,Arial,sans-serif}\
    main{max-width:440px}\
    h1{margin:0 0 8px;font-size:24px;line-height:32px;text-wrap:balance}\
    p{margin:0;color:light-dark(#4a5562,#b3bdc8)}";

/// A page that asks for nothing from anywhere; its one style sheet is in it, under a nonce.
fn page(state: &AppState, status: StatusCode, title: &str, text: &str) -> Response {
    let nonce = state.clock.token();
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors 'none'"
    );
    let html = axum::response::Html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style nonce=\"{nonce}\">{STYLE}</style></head>\
         <body><main><h1>{title}</h1><p>{text}</p></main></body></html>"
    ));
    let policy = [(header::CONTENT_SECURITY_POLICY, policy)];
    (status, quiet(), policy, html).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fetches_ahead_says_so_in_one_of_four_headers() {
        let ahead = |name: &'static str, value: &str| {
            is_ahead(&HeaderMap::from_iter([(
                HeaderName::from_static(name),
                value.parse().unwrap(),
            )]))
        };
        for (name, value) in [
            ("sec-purpose", "prefetch"),
            ("sec-purpose", "prefetch;prerender"),
            ("sec-purpose", "Prefetch;anonymous-client-ip"),
            ("purpose", "preview"),
            ("purpose", "prefetch"),
            ("x-purpose", "preview"),
            ("x-moz", "prefetch"),
            ("x-moz", "Prerender"),
        ] {
            assert!(ahead(name, value), "{name}: {value}");
        }
        assert!(!ahead("sec-purpose", "navigate") && !ahead("accept", "prefetch"));
    }

    #[test]
    fn a_return_needs_one_state_and_may_carry_more() {
        assert!(read("state=a&code=b&scope=x").is_some());
        assert!(read("state=a&error=access_denied").is_some_and(|arrival| arrival.refused));
        for query in [
            "",
            "code=b",
            "state=a&state=b&code=c",
            "state=a&code=b&code=c",
        ] {
            assert!(read(query).is_none(), "{query}");
        }
    }
}
