//! The exchange of a `temp_token`, for servers only.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use secrecy::SecretString;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::refusals::Exchanging;
use crate::http::call::{Call, Server};
use crate::http::fields::fields;
use crate::http::once;
use crate::json::Json;
use crate::problem::Problem;
use crate::services::tokens::{self, Exchange};
use crate::state::AppState;
use crate::wire::tokens::Token;

/// The operations of this file.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(exchange))
        .routes(routes!(exchange_at_token))
}

fields! {
    /// Exchanges a `temp_token` for the pair that opens the end-user's data.
    pub struct ExchangeToken for Server {
        /// As your app received it.
        temp_token: SecretString,
        /// Needed if the session was opened with a `code_challenge`.
        code_verifier: Option<SecretString>,
    }
}

/// Exchange a `temp_token`
///
/// Once. A second use is refused and, later than ten seconds after the first, also ends what the first opened.
#[utoipa::path(post, path = "/v1/tokens", tag = "Tokens", request_body = ExchangeToken,
    responses((status = 200, body = Token), Exchanging))]
async fn exchange(
    State(state): State<AppState>,
    call: Call<ExchangeToken>,
) -> Result<Response, Problem> {
    answer(state, call).await
}

/// Exchange a `temp_token` (the first documents' path)
#[utoipa::path(post, path = "/v1/token", tag = "Tokens", request_body = ExchangeToken,
    responses((status = 200, body = Token), Exchanging))]
async fn exchange_at_token(
    State(state): State<AppState>,
    call: Call<ExchangeToken>,
) -> Result<Response, Problem> {
    answer(state, call).await
}

async fn answer(state: AppState, call: Call<ExchangeToken>) -> Result<Response, Problem> {
    let exchange = Exchange {
        temp_token: call.input.temp_token,
        code_verifier: call.input.code_verifier,
        tenant_user_id: call.also.tenant_user_id,
    };
    let (engine, client) = (state.clone(), call.by);
    let work = async move {
        let exchanged = tokens::exchange(&engine, &client, exchange).await?;
        let quiet = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        Ok((quiet, Json(Token::from(exchanged))).into_response())
    };
    call.once
        .run(&state, "tokens.exchange", once::MINUTE, work)
        .await
}
