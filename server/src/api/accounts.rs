//! Accounts under one consent.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::data::{Limit, credentials, freshness};
use super::refusals::Reading;
use crate::http::call::{Call, Data};
use crate::http::fields::fields;
use crate::problem::Problem;
use crate::services::accounts;
use crate::services::refusal::{FieldProblem, Refusal};
use crate::state::AppState;
use crate::wire::accounts::Account;
use crate::wire::{List, Time};
use app::domain::ids::AccountId;
use app::domain::problem::Code;

/// The operations of this file.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(list, get_at_accounts))
}

fields! {
    /// Asks for the accounts of a consent.
    pub struct GetAccounts for Data {}
}

fields! {
    /// Asks for the accounts of a consent, page by page.
    pub struct ListAccounts for Data {
        /// 1 to 500; 100 if not given.
        limit: Option<Limit<500>>,
        /// The `next_cursor` of the page before.
        after: Option<AccountId>,
    }
}

/// Read accounts
#[utoipa::path(post, path = "/v1/accounts/get", tag = "Accounts", request_body = GetAccounts,
    responses((status = 200, body = Vec<Account>), Reading))]
async fn get(State(state): State<AppState>, call: Call<GetAccounts>) -> Result<Response, Problem> {
    array(state, call).await
}

/// Read accounts (the first documents' path)
#[utoipa::path(post, path = "/v1/accounts", tag = "Accounts", request_body = GetAccounts,
    responses((status = 200, body = Vec<Account>), Reading))]
async fn get_at_accounts(
    State(state): State<AppState>,
    call: Call<GetAccounts>,
) -> Result<Response, Problem> {
    array(state, call).await
}

/// List accounts
#[utoipa::path(get, path = "/v1/accounts", tag = "Accounts", params(ListAccounts),
    responses((status = 200, body = List<Account>), Reading))]
async fn list(
    State(state): State<AppState>,
    call: Call<ListAccounts>,
) -> Result<Json<List<Account>>, Problem> {
    let (client, credentials) = credentials(call.by, call.also);
    let listing = accounts::list(&state, &client, &credentials).await?;
    let (as_of, served_from) = (listing.as_of, listing.served_from);
    let mut rest = listing.items.into_iter();
    if let Some(after) = call.input.after
        && !rest.any(|account| account.id == after)
    {
        let field = FieldProblem::new("after", Code::InvalidField, "must be a next_cursor");
        return Err(Refusal::new(Code::InvalidField).at(vec![field]).into());
    }
    let limit = call.input.limit.map_or(100, |limit| limit.0);
    let limit = usize::try_from(limit).unwrap_or(100);
    let items: Vec<Account> = rest.by_ref().take(limit).map(Into::into).collect();
    let has_more = rest.next().is_some();
    Ok(Json(List {
        next_cursor: items
            .last()
            .filter(|_| has_more)
            .map(|last| last.id.to_string()),
        items,
        has_more,
        as_of: Time(as_of),
        served_from: served_from.as_str(),
    }))
}

async fn array(state: AppState, call: Call<GetAccounts>) -> Result<Response, Problem> {
    let (client, credentials) = credentials(call.by, call.also);
    let listing = accounts::list(&state, &client, &credentials).await?;
    let fresh = freshness(listing.as_of, listing.served_from);
    let items: Vec<Account> = listing.items.into_iter().map(Into::into).collect();
    Ok((fresh, Json(items)).into_response())
}
