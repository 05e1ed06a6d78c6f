//! The bank's API for third-party providers: Berlin Group NextGenPSD2 XS2A 1.3.12, account information and
//! payment initiation, with strong authentication by redirect and OAuth (RFC 6749, RFC 7636).
//!
//! | operation | authenticated by |
//! |---|---|
//! | `POST /v1/consents`, `GET`/`DELETE /v1/consents/{id}`, `GET /v1/consents/{id}/status`, `POST /token`, everything about payments | HTTP Basic, client id and secret (in place of a client certificate) |
//! | `GET /v1/accounts`, `/v1/accounts/{id}`, `.../balances`, `.../transactions` | `Authorization: Bearer` and `Consent-ID` |

mod access;
mod accounts;
mod consents;
mod payments;
mod shapes;
mod token;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use uuid::Uuid;

use super::{BankState, bodies};
use crate::xs2a_error::Xs2aError;
pub(super) use access::Tpp;

/// The largest body a third-party provider may send.
const MOST_BYTES: usize = 512 * 1024;

pub(super) fn router(_bank: &BankState) -> Router<BankState> {
    let v1 = Router::new()
        .route("/v1/consents", post(consents::create))
        .route(
            "/v1/consents/{id}",
            get(consents::read).delete(consents::end),
        )
        .route("/v1/consents/{id}/status", get(consents::status))
        .route("/v1/accounts", get(accounts::list))
        .route("/v1/accounts/{id}", get(accounts::one))
        .route("/v1/accounts/{id}/balances", get(accounts::balances))
        .route(
            "/v1/accounts/{id}/transactions",
            get(accounts::transactions),
        )
        .route("/v1/{service}/{product}", post(payments::create))
        .route(
            "/v1/{service}/{product}/{id}",
            get(payments::read).delete(payments::cancel),
        )
        .route("/v1/{service}/{product}/{id}/status", get(payments::status))
        .layer(middleware::from_fn(request_id));
    v1.route("/token", post(token::redeem))
        .layer(middleware::from_fn_with_state(MOST_BYTES, bodies::read))
        .layer(middleware::map_response(guard_answer))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
}

/// Every call carries an `X-Request-ID`, a UUID of the caller's; the answer repeats it.
async fn request_id(request: Request, next: Next) -> Response {
    let given = request.headers().get("x-request-id").cloned();
    let valid = given
        .as_ref()
        .and_then(|id| id.to_str().ok())
        .is_some_and(|id| Uuid::try_parse(id).is_ok());
    let Some(id) = given.filter(|_| valid) else {
        return Xs2aError::format("X-Request-ID must be a UUID").into_response();
    };
    let mut response = next.run(request).await;
    response.headers_mut().insert("x-request-id", id);
    response
}

async fn guard_answer(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
