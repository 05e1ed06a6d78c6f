//! A refusal as a page, for people who may know neither us nor, by name, the app that sent them here. It asks for
//! nothing from anywhere, the database least of all: it is what is left to say when there is too much to do.

use app::domain::problem::Code;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};

use maud::{DOCTYPE, PreEscaped, html};

use crate::problem::{AnsweredCode, Problem};
use crate::state::AppState;

/// Nobody's look.
const STYLE: &str = ":root{color-scheme:light dark}\
    body{margin:0;min-height:100vh;display:grid;place-items:center;padding:24px;box-sizing:border-box;\
    background:light-dark(#fbfcfd,#0e1116);color:light-dark(#14181d,#edf1f5);\
    font:400 16px/24px ui-sans-serif,system-ui,-apple-system,\"Segoe UI\",Roboto,Arial,sans-serif}\
    main{max-width:440px}\
    h1{margin:0 0 8px;font-size:24px;line-height:32px;text-wrap:balance}\
    p{margin:0 0 8px;color:light-dark(#4a5562,#b3bdc8)}";

/// The page that tells a person of a problem, with its status and what to do.
pub fn page(state: &AppState, problem: &Problem) -> Response {
    let code = problem.code();
    let (title, text) = words(code);
    let status =
        StatusCode::from_u16(code.entry().http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = plain(state, status, title, text);
    problem.send_along(answer.headers_mut());
    answer.extensions_mut().insert(AnsweredCode(code));
    answer
}

/// A page that asks for nothing from anywhere: its one style sheet is in it, under a nonce.
pub fn plain(state: &AppState, status: StatusCode, title: &str, text: &str) -> Response {
    let nonce = state.clock.token();
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors 'none'"
    );
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style nonce=(nonce) { (PreEscaped(STYLE)) }
            }
            body { main { h1 { (title) } p { (text) } } }
        }
    };
    let policy = [(header::CONTENT_SECURITY_POLICY, policy)];
    (status, quiet(), policy, Html(page.into_string())).into_response()
}

/// Neither what the address holds nor what the answer says is to be kept or told to anybody on the way.
pub fn quiet() -> [(HeaderName, HeaderValue); 2] {
    [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
    ]
}

/// A title, and what to do.
fn words(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::TooManyRequests => (
            "Too many requests just now",
            "More was asked from your network within a minute than we answer. Wait a minute, then load this page again: nothing is lost.",
        ),
        Code::NotFound | Code::MethodNotAllowed => (
            "This address leads nowhere",
            "It is incomplete, or was changed on its way. Go back to where you came from and begin again.",
        ),
        Code::HeadersTooLarge => (
            "Your browser sent too much",
            "The address or the cookies of this site are larger than we read. Delete the cookies of this site, then load the page again.",
        ),
        _ => (
            "We could not finish this just now",
            "Load this page again in a moment: nothing is done twice. If that does not help, go back to where you came from and begin again.",
        ),
    }
}
