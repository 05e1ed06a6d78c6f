//! The JSON API. One file a noun: its handlers, each a paragraph, and their `routes()`; add a new file's routes to
//! `documented`, and its operations are served, documented and bound by the same rules as all others.

pub mod accounts;
pub mod balances;
mod caller;
pub mod catalog;
pub mod consents;
mod data;
pub mod health;
pub mod openapi;
pub mod payments;
pub mod postman;
pub mod products;
pub mod redirects;
mod refusals;
pub mod sessions;
pub mod sync;
#[cfg(test)]
mod tests;
pub mod tokens;
pub mod transactions;
pub mod uploads;

use std::future::{Ready, ready};
use std::sync::Arc;

use app::domain::problem::Code;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{any, get};
use axum::{Router, middleware};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;

use crate::http::tagged::Tagged;
use crate::http::{api_layer, compress, signed, slips};
use crate::problem::Problem;
use crate::state::AppState;

/// Every operation with its documentation.
fn documented() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::head())
        .merge(operations())
        .merge(health::routes())
        .merge(redirects::routes())
}

/// Operations that tenants call: at `/v1` with their keys, at `/v1s` with their keys and a signature.
fn operations() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(accounts::routes())
        .merge(balances::routes())
        .merge(catalog::routes())
        .merge(consents::routes())
        .merge(payments::routes())
        .merge(products::routes())
        .merge(sessions::routes())
        .merge(sync::routes())
        .merge(tokens::routes())
        .merge(transactions::routes())
        .merge(uploads::routes())
}

/// The API as OpenAPI 3.1: what `/v1/openapi.json` answers and `openapi.json` in the repository holds.
pub fn openapi(public_url: &str) -> Value {
    openapi::finished(&documented().into_openapi(), public_url)
}

/// The API, ready to be served. Whatever is under `/v1` and not one of ours is answered here, in JSON.
pub fn router(state: &AppState) -> Router {
    let (router, document) = documented().split_for_parts();
    let document = openapi::finished(&document, &state.public_url);
    let collection = postman::collection(&document, &state.public_url);
    let (signed, _) = operations().split_for_parts();
    let paths = document.get("paths").and_then(Value::as_object);
    let templates: Arc<[String]> = paths
        .map(|paths| paths.keys().cloned().collect())
        .unwrap_or_default();
    let not_found = move |request: Request| ready(slips::not_found(&request, &templates));
    let signed = signed
        .fallback(not_found.clone())
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(state.clone());
    router
        .route(
            "/v1s/{*rest}",
            any(move |request| signed::door(signed.clone(), request)),
        )
        .route("/v1/openapi.json", get(file(&document)))
        .route("/v1/postman.json", get(file(&collection)))
        .route("/v1", any(not_found.clone()))
        .route("/v1/", any(not_found.clone()))
        .route("/v1/{*rest}", any(not_found.clone()))
        .route("/v1s", any(not_found.clone()))
        .route("/v1s/", any(not_found))
        // Behind the routes: it holds for those that are there.
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(
            state.clone(),
            api_layer::api,
        ))
        .layer(middleware::from_fn(compress::answers))
        .with_state(state.clone())
}

/// A file that is the same for everybody, for as long as the process lives.
fn file(content: &Value) -> impl Fn(HeaderMap) -> Ready<Response> + Clone + Send + Sync + 'static {
    let tagged = Tagged::new(content);
    move |headers| ready(tagged.answer(&headers))
}

/// The API's own answer to a wrong method.
async fn method_not_allowed() -> Problem {
    Problem::new(Code::MethodNotAllowed)
}
