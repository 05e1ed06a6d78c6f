//! Balances under one consent.

use app::domain::account::BalanceType;
use app::domain::currency::Currency;
use app::domain::ids::AccountId;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use kernel::json::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::data::{Limit, credentials, freshness};
use super::refusals::ReadDataErrors;
use crate::http::call::{Call, ConsentAuth};
use crate::http::fields::fields;
use crate::problem::Problem;
use crate::services::consents::accounts::{self, BalanceFilter, BalanceQuery};
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
    /// Filter of balances. A balance is returned if it matches every field that is given.
    pub struct BalanceFilterFields {
        /// Account that the balance belongs to.
        account_id: Option<AccountId>,
        /// Type of the balance: `ClosingBooked`, `InterimAvailable` and so on (ISO 20022).
        kind = "type": Option<BalanceType>,
        /// Currency of the balance (ISO 4217).
        currency: Option<Currency>,
    }
}

fields! {
    /// Asks for the balances of a consent.
    pub struct GetBalances for ConsentAuth {
        /// Filter of the balances; all are returned if it is absent.
        filter: Option<BalanceFilterFields>,
        /// Largest number of balances to return, from 1 to 100000; 100000 if absent.
        limit: Option<Limit<100_000>>,
        /// Id of a balance: only those that follow it are returned.
        after: Option<String>,
    }
}

fields! {
    /// Asks for the balances of a consent, page by page.
    pub struct ListBalances for ConsentAuth {
        /// Account that the balance belongs to.
        account_id: Option<AccountId>,
        /// Type of the balance: `ClosingBooked`, `InterimAvailable` and so on (ISO 20022).
        kind = "type": Option<BalanceType>,
        /// Currency of the balance (ISO 4217).
        currency: Option<Currency>,
        /// 1 to 500; 100 if not given.
        limit: Option<Limit<500>>,
        /// The `next_cursor` of the page before.
        after: Option<String>,
    }
}

/// Read balances
#[utoipa::path(post, path = "/v1/balances/get", tag = "Balances", request_body = GetBalances,
    responses((status = 200, body = Vec<Balance>), ReadDataErrors))]
async fn get(State(state): State<AppState>, call: Call<GetBalances>) -> Result<Response, Problem> {
    let (client, credentials) = credentials(call.by, call.extra);
    let wish = call
        .input
        .filter
        .map_or_else(BalanceFilter::default, |wish| {
            filter(wish.account_id, wish.kind, wish.currency)
        });
    let wanted = BalanceQuery {
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
    responses((status = 200, body = List<Balance>), ReadDataErrors))]
async fn list(
    State(state): State<AppState>,
    call: Call<ListBalances>,
) -> Result<Json<List<Balance>>, Problem> {
    let (client, credentials) = credentials(call.by, call.extra);
    let wish = filter(call.input.account_id, call.input.kind, call.input.currency);
    let wanted = BalanceQuery {
        filter: &wish,
        under: "",
        after: call.input.after.as_deref(),
        limit: call.input.limit.map_or(100, |limit| limit.0),
    };
    let listing = accounts::balances(&state, &client, &credentials, wanted).await?;
    let items = listing.items.into_iter().map(Into::into).collect();
    Ok(Json(
        List::of(items, listing.next, listing.fresh).beside(listing.lost),
    ))
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
