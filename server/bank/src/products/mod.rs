//! The bank's counter for partners who sell its products: deposits and credit cards. An API of the bank's own, as
//! banks have them; a partner proves itself as a third-party provider does (HTTP Basic, client id and secret).
//!
//! | operation | does |
//! |---|---|
//! | `PUT /products/v1/applications/{id}` | applies for a product, under an id of the partner's |
//! | `GET`, `DELETE /products/v1/applications/{id}` | tells how far it is; withdraws it |
//! | `PUT .../{id}/verifications/{part}` | hands over who applies; the bank verifies once it has their documents |
//! | `PUT .../{id}/parts/{part}/documents/{kind}` | a document, streamed; the bank keeps its hash and size |
//! | `PUT .../{id}/source-of-funds` | says where the money comes from, where the bank asks |
//! | `PUT .../{id}/contract` | signs: the product is opened |
//! | `POST .../{id}/decision` | decides in the bank's stead: for people who try things |
//! | `GET /products/v1/products/{id}`, `DELETE .../access` | a product; stops looking at it |
//!
//! Every operation may be repeated: ids are the partner's, and a repetition finds what the first one did.

mod applications;
mod contracts;
mod documents;
mod offer;
mod problem;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts};
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::http::request::Parts;
use axum::middleware;
use axum::response::Response;
use axum::routing::{delete, get, post, put};

use super::xs2a::Tpp;
use super::{BankState, bodies};
use problem::ProductError;

/// The largest body besides documents.
const MOST_BYTES: usize = 64 * 1024;

/// Proof that the caller is a partner of the bank.
struct Partner {
    client_id: String,
}

impl FromRequestParts<BankState> for Partner {
    type Rejection = ProductError;
    async fn from_request_parts(parts: &mut Parts, bank: &BankState) -> Result<Self, ProductError> {
        let tpp = Tpp::prove(bank, &parts.headers).map_err(|_| ProductError::Stranger)?;
        Ok(Self {
            client_id: tpp.client_id,
        })
    }
}

pub(super) fn router() -> Router<BankState> {
    let documents = Router::new()
        .route(
            "/products/v1/applications/{id}/parts/{part}/documents/{kind}",
            put(documents::take),
        )
        // Documents count their own bytes while they stream in.
        .layer(DefaultBodyLimit::disable());
    Router::new()
        .route(
            "/products/v1/applications/{id}",
            put(applications::apply)
                .get(applications::read)
                .delete(applications::withdraw),
        )
        .route(
            "/products/v1/applications/{id}/verifications/{part}",
            put(applications::verify),
        )
        .route(
            "/products/v1/applications/{id}/source-of-funds",
            put(applications::source_of_funds),
        )
        .route(
            "/products/v1/applications/{id}/contract",
            put(contracts::sign),
        )
        .route(
            "/products/v1/applications/{id}/decision",
            post(applications::decide),
        )
        .route("/products/v1/products/{id}", get(contracts::read))
        .route(
            "/products/v1/products/{id}/access",
            delete(contracts::forget),
        )
        .layer(middleware::from_fn_with_state(MOST_BYTES, bodies::read))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .merge(documents)
        .layer(middleware::map_response(private))
}

async fn private(mut response: Response) -> Response {
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response
}
