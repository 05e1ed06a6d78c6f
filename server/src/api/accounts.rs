//! Accounts under one consent.

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
use crate::services::consents::accounts;
use crate::state::AppState;
use crate::wire::List;
use crate::wire::accounts::Account;
use app::domain::ids::AccountId;

/// The operations of this file.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(list, get_at_accounts))
}

fields! {
    /// Asks for the accounts of a consent.
    pub struct GetAccounts for ConsentAuth {
        /// Largest number of accounts to return, from 1 to 1000000; all of them if absent.
        limit: Option<Limit<1_000_000>>,
        /// Id of an account: only those that follow it in the list are returned.
        after: Option<AccountId>,
    }
}

fields! {
    /// Asks for the accounts of a consent, page by page.
    pub struct ListAccounts for ConsentAuth {
        /// 1 to 500; 100 if not given.
        limit: Option<Limit<500>>,
        /// The `next_cursor` of the page before.
        after: Option<AccountId>,
    }
}

/// Read accounts
#[utoipa::path(post, path = "/v1/accounts/get", tag = "Accounts", request_body = GetAccounts,
    responses((status = 200, body = Vec<Account>), ReadDataErrors))]
async fn get(State(state): State<AppState>, call: Call<GetAccounts>) -> Result<Response, Problem> {
    array(state, call).await
}

/// Read accounts (the first documents' path)
#[utoipa::path(post, path = "/v1/accounts", tag = "Accounts", request_body = GetAccounts,
    responses((status = 200, body = Vec<Account>), ReadDataErrors))]
async fn get_at_accounts(
    State(state): State<AppState>,
    call: Call<GetAccounts>,
) -> Result<Response, Problem> {
    array(state, call).await
}

/// List accounts
#[utoipa::path(get, path = "/v1/accounts", tag = "Accounts", params(ListAccounts),
    responses((status = 200, body = List<Account>), ReadDataErrors))]
async fn list(
    State(state): State<AppState>,
    call: Call<ListAccounts>,
) -> Result<Json<List<Account>>, Problem> {
    let (client, credentials) = credentials(call.by, call.extra);
    let listing = accounts::list(&state, &client, &credentials).await?;
    let page = paged(listing, call.input.after, call.input.limit, |of| of.id)?;
    Ok(Json(page))
}

async fn array(state: AppState, call: Call<GetAccounts>) -> Result<Response, Problem> {
    let (client, credentials) = credentials(call.by, call.extra);
    let listing = accounts::list(&state, &client, &credentials).await?;
    let fresh = freshness(listing.fresh);
    let items: Vec<Account> = part(listing, call.input.after, call.input.limit, |of| of.id)?;
    Ok((fresh, Json(items)).into_response())
}
