//! Changes of a consent's transactions since a cursor.

use axum::extract::State;
use kernel::json::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::data::{Limit, credentials};
use super::refusals::SyncErrors;
use crate::http::call::{Call, ConsentAuth};
use crate::http::fields::fields;
use crate::problem::Problem;
use crate::services::consents::sync;
use crate::state::AppState;
use crate::wire::sync::TransactionChanges;

/// The operations of this file.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(changes))
}

fields! {
    /// Asks what has changed in a consent's transactions.
    pub struct SyncTransactions for ConsentAuth {
        /// The `next_cursor` of the answer before; if not given, from the beginning.
        cursor: Option<String>,
        /// At most so many changes: 1 to 500; 100 if not given.
        count: Option<Limit<500>>,
    }
}

/// Sync transactions
///
/// What was added, modified and removed since a cursor. Store each `next_cursor` together with what came with it, and no
/// change is missed or told twice, wherever you stop.
#[utoipa::path(post, path = "/v1/transactions/sync", tag = "Transactions", request_body = SyncTransactions,
    responses((status = 200, body = TransactionChanges), SyncErrors))]
async fn changes(
    State(state): State<AppState>,
    call: Call<SyncTransactions>,
) -> Result<Json<TransactionChanges>, Problem> {
    let (client, credentials) = credentials(call.by, call.extra);
    let count = call.input.count.map_or(100, |count| count.0);
    let cursor = call.input.cursor.as_deref();
    let changes = sync::sync(&state, &client, &credentials, cursor, count).await?;
    Ok(Json(changes.into()))
}
