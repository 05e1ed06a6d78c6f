//! Pages of the bank for end-users: sign in, choose accounts or look at a payment, approve or refuse. Plain forms
//! without scripts, so that a browser and a script use them alike.
//!
//! | page | form | fields |
//! |---|---|---|
//! | `GET /authorise?response_type=code&client_id&redirect_uri&scope=AIS:{consent} or PIS:{payment}&state&code_challenge&code_challenge_method=S256` | | answers 303 to the next, with a cookie |
//! | `GET /authorise/{id}` until signed in | `POST /authorise/{id}/sign-in` | `username`, `password`, or `user` alone; 303 back to the page, or 422 with the form again |
//! | `GET /authorise/{id}` once signed in | `POST /authorise/{id}/decision` | `accounts` (repeated) for a consent, `account` for a payment that names none, `decision=approve` or `decision=refuse`; 303 to the redirect URI, or 422 with the form again |
//! | `GET /consents`: what was agreed to in this browser | `POST /consents/{id}/end` | none; 303 back to the list |
//!
//! The end is `{redirect_uri}?code&state`, or `{redirect_uri}?error=access_denied&state`.

mod authorise;
mod browser;
mod checked;
mod consent;
mod decision;
mod format;
mod guard;
mod html;
mod payment;
mod payment_view;
mod views;
mod visit;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::middleware;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};

use super::{BankState, bodies};

/// The largest form an end-user may send.
const MOST_BYTES: usize = 16 * 1024;

/// `per_minute` is how many pages one source may ask for.
pub(super) fn router(bank: &BankState, per_minute: u32) -> Router<BankState> {
    Router::new()
        .route("/", get(home))
        .route("/authorise", get(authorise::begin))
        .route("/authorise/{id}", get(decision::show))
        .route("/authorise/{id}/sign-in", post(decision::sign_in))
        .route("/authorise/{id}/decision", post(decision::decide))
        .route("/consents", get(browser::list))
        .route("/consents/{id}/end", post(browser::end))
        .layer(middleware::from_fn_with_state(
            bank.clone(),
            guard::own_forms_only,
        ))
        .layer(middleware::from_fn_with_state(MOST_BYTES, bodies::read))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(middleware::from_fn_with_state(
            guard::PageRateLimit::new(bank, per_minute),
            guard::within_budget,
        ))
        .route("/bank.css", get(style))
        .route("/bank.svg", get(icon))
        .layer(middleware::map_response(guard::headers))
}

pub(super) async fn not_found() -> Response {
    let page = views::not_found();
    guard::headers((StatusCode::NOT_FOUND, Html(page)).into_response()).await
}

/// The page for whoever is turned away because there is too much to do.
pub(super) fn busy() -> String {
    views::busy()
}

async fn home() -> Html<String> {
    Html(views::home())
}

async fn style() -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, "text/css; charset=utf-8"),
        (CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, include_str!("bank.css"))
}

async fn icon() -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, "image/svg+xml"),
        (CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, include_str!("bank.svg"))
}
