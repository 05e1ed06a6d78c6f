//! Where banks send end-users back to: a browser's door, so what cannot be sent on is answered in a sentence for people,
//! whatever `Accept` says.
//!
//! Only a person who opens the address consumes it. `HEAD` is safe (RFC 9110, section 9.2.1), and so must be what says
//! of itself that nobody looks at it yet: a preview, a prefetch, a page rendered ahead.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use secrecy::SecretString;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use app::domain::problem::Code;

use crate::http::notice::{plain, quiet};
use crate::http::path_text::PathText;
use crate::problem::{AnsweredCode, Problem};
use crate::services::refusal::ApiError;
use crate::services::sessions::callbacks::{self, AuthorizationResponse, CallbackResult};
use crate::state::AppState;

const KINDS: [&str; 3] = ["aisp", "pisp", "partner"];
/// A second look, while another request follows the same return.
const REFRESH: HeaderName = HeaderName::from_static("refresh");
/// Headers by which browsers and previewers announce a prefetch: Chromium and Firefox, older ones, Safari, older
/// Firefoxes.
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
    PathText(kind): PathText,
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
    match callbacks::handle_callback(&state, arrival).await {
        Ok(CallbackResult::Link(link)) => onward(&state, &link),
        Ok(CallbackResult::Wait) => wait(&state),
        Err(ApiError::Refused(refusal)) if refusal.code == Code::TppRedirectError => {
            invalid(&state)
        }
        Err(failure) => failed(&state, failure),
    }
}

/// Returns `true` if the request announces itself as a prefetch, a preview or a prerendering.
fn is_ahead(headers: &HeaderMap) -> bool {
    let said = AHEAD.iter().flat_map(|name| headers.get_all(*name));
    said.filter_map(|value| value.to_str().ok()).any(|value| {
        let value = value.to_ascii_lowercase();
        ["prefetch", "preview", "prerender"]
            .iter()
            .any(|word| value.contains(word))
    })
}

/// Reads the bank's parameters `state`, `code` and `error`; `None` if `state` is missing or one of them occurs twice.
/// Other parameters are ignored.
fn read(query: &str) -> Option<AuthorizationResponse> {
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
    Some(AuthorizationResponse {
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

/// Answers a `HEAD` request or a prefetch: a page that consumes nothing.
fn unopened(state: &AppState, status: StatusCode) -> Response {
    let vary = [(
        header::VARY,
        HeaderValue::from_static("sec-purpose, purpose, x-purpose, x-moz"),
    )];
    let page = plain(
        state,
        status,
        "Almost there",
        "Open this page to go back to the app you came from.",
    );
    (vary, page).into_response()
}

fn nowhere(state: &AppState) -> Response {
    plain(
        state,
        StatusCode::NOT_FOUND,
        "Nothing is here",
        "No bank sends people to this address. Go back to the app you came from and begin again.",
    )
}

fn wait(state: &AppState) -> Response {
    let again = [(REFRESH, HeaderValue::from_static("1"))];
    let page = plain(
        state,
        StatusCode::OK,
        "One moment",
        "Your bank’s answer is being worked on. This page goes on by itself.",
    );
    (again, page).into_response()
}

fn invalid(state: &AppState) -> Response {
    plain(
        state,
        StatusCode::BAD_REQUEST,
        "This way back is no longer good",
        "It was used before, has run out, or is incomplete. Go back to the app you came from and begin again.",
    )
}

/// Answers an error of this server or of the bank: logged as that of every API call, and shown as a page with a
/// sentence.
fn failed(state: &AppState, failure: ApiError) -> Response {
    let code = Problem::from(failure).code();
    let status = StatusCode::from_u16(code.entry().http);
    let mut answer = plain(
        state,
        status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        "We could not finish this just now",
        "Load this page again in a moment: nothing is done twice. If that does not help, go back to the app you came \
         from and begin again.",
    );
    answer.extensions_mut().insert(AnsweredCode(code));
    answer
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
