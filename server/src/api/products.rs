//! Products under one consent.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use kernel::json::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::data::{Limit, credentials, freshness, paged, part};
use super::refusals::ReadDataErrors;
use crate::http::call::{Call, ConsentAuth};
use crate::http::fields::fields;
use crate::problem::Problem;
use crate::services::consents::products;
use crate::state::AppState;
use crate::wire::List;
use crate::wire::products::Product;
use app::domain::ids::ProductId;

/// The operations of this file.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(list))
}

fields! {
    /// Asks for the products of a consent.
    pub struct GetProducts for ConsentAuth {
        /// Largest number of products to return, from 1 to 1000000; all of them if absent.
        limit: Option<Limit<1_000_000>>,
        /// Id of a product: only those that follow it in the list are returned.
        after: Option<ProductId>,
    }
}

fields! {
    /// Asks for the products of a consent, page by page.
    pub struct ListProducts for ConsentAuth {
        /// 1 to 500; 100 if not given.
        limit: Option<Limit<500>>,
        /// The `next_cursor` of the page before.
        after: Option<ProductId>,
    }
}

/// Read products
///
/// What a session of a marketplace skill created: a deposit, a card.
#[utoipa::path(post, path = "/v1/products/get", tag = "Products", request_body = GetProducts,
    responses((status = 200, body = Vec<Product>), ReadDataErrors))]
async fn get(State(state): State<AppState>, call: Call<GetProducts>) -> Result<Response, Problem> {
    let (client, credentials) = credentials(call.by, call.extra);
    let listing = products::list(&state, &client, &credentials).await?;
    let fresh = freshness(listing.fresh);
    let items: Vec<Product> = part(listing, call.input.after, call.input.limit, |of| of.id)?;
    Ok((fresh, Json(items)).into_response())
}

/// List products
#[utoipa::path(get, path = "/v1/products", tag = "Products", params(ListProducts),
    responses((status = 200, body = List<Product>), ReadDataErrors))]
async fn list(
    State(state): State<AppState>,
    call: Call<ListProducts>,
) -> Result<Json<List<Product>>, Problem> {
    let (client, credentials) = credentials(call.by, call.extra);
    let listing = products::list(&state, &client, &credentials).await?;
    let page = paged(listing, call.input.after, call.input.limit, |of| of.id)?;
    Ok(Json(page))
}
