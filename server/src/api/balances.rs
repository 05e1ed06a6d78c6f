//! Balances under one consent.

use app::domain::account::BalanceType;
use app::domain::currency::Currency;
use app::domain::ids::AccountId;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::data::{Limit, credentials, freshness};
use super::refusals::Reading;
use crate::http::call::{Call, Data};
use crate::http::fields::fields;
use crate::json::Json;
use crate::problem::Problem;
use crate::services::accounts::{self, BalanceFilter, BalancesWanted};
use crate::state::AppState;
use crate::wire::List;
use crate::wire::balances::Balance;

/// The operations of this file.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(list))
}

fields! {
    /// Which balances; all that is given must hold.
    pub struct BalanceWish {
        /// Of this account.
        account_id: Option<AccountId>,
        /// Of this type: `ClosingBooked`, `InterimAvailable`.
        kind = "type": Option<BalanceType>,
        /// In this currency (ISO 4217).
        currency: Option<Currency>,
    }
}

fields! {
    /// Asks for the balances of a consent.
    pub struct GetBalances for Data {
        /// Which ones; all, if not given.
        filter: Option<BalanceWish>,
        /// At most so many.
        limit: Option<Limit<100_000>>,
        /// Only those after the balance of this id.
        after: Option<String>,
    }
}

fields! {
    /// Asks for the balances of a consent, page by page.
    pub struct ListBalances for Data {
        /// Of this account.
        account_id: Option<AccountId>,
        /// Of this type: `ClosingBooked`, `InterimAvailable`.
        kind = "type": Option<BalanceType>,
        /// In this currency (ISO 4217).
        currency: Option<Currency>,
        /// 1 to 500; 100 if not given.
        limit: Option<Limit<500>>,
        /// The `next_cursor` of the page before.
        after: Option<String>,
    }
}

/// Read balances
#[utoipa::path(post, path = "/v1/balances/get", tag = "Balances", request_body = GetBalances,
    responses((status = 200, body = Vec<Balance>), Reading))]
async fn get(State(state): State<AppState>, call: Call<GetBalances>) -> Result<Response, Problem> {
    let (client, credentials) = credentials(call.by, call.also);
    let wish = call
        .input
        .filter
        .map_or_else(BalanceFilter::default, |wish| {
            filter(wish.account_id, wish.kind, wish.currency)
        });
    let wanted = BalancesWanted {
        filter: &wish,
        under: "filter.",
        after: call.input.after.as_deref(),
        limit: call.input.limit.map_or(100_000, |limit| limit.0),
    };
    let listing = accounts::balances(&state, &client, &credentials, wanted).await?;
    let fresh = freshness(listing.fresh);
    let items: Vec<Balance> = listing.items.into_iter().map(Into::into).collect();
    Ok((fresh, Json(items)).into_response())
}

/// List balances
#[utoipa::path(get, path = "/v1/balances", tag = "Balances", params(ListBalances),
    responses((status = 200, body = List<Balance>), Reading))]
async fn list(
    State(state): State<AppState>,
    call: Call<ListBalances>,
) -> Result<Json<List<Balance>>, Problem> {
    let (client, credentials) = credentials(call.by, call.also);
    let wish = filter(call.input.account_id, call.input.kind, call.input.currency);
    let wanted = BalancesWanted {
        filter: &wish,
        under: "",
        after: call.input.after.as_deref(),
        limit: call.input.limit.map_or(100, |limit| limit.0),
    };
    let listing = accounts::balances(&state, &client, &credentials, wanted).await?;
    let items = listing.items.into_iter().map(Into::into).collect();
    Ok(Json(List::of(items, listing.next, listing.fresh)))
}

fn filter(
    account_id: Option<AccountId>,
    kind: Option<BalanceType>,
    currency: Option<Currency>,
) -> BalanceFilter {
    BalanceFilter {
        account_id,
        balance_type: kind.map(|kind| kind.as_str().to_owned()),
        currency: currency.map(|code| code.as_str().to_owned()),
    }
}
