//! The exchange of a `temp_token`, for servers only.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use kernel::json::Json;
use secrecy::SecretString;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::data::pair;
use super::refusals::ExchangeTokenErrors;
use crate::http::call::{Call, ServerAuth};
use crate::http::fields::fields;
use crate::http::idempotency;
use crate::problem::Problem;
use crate::services::sessions::tokens::{self, Exchange, ExchangeResult, Exchanged};
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
    pub struct ExchangeToken for ServerAuth {
        /// The `temp_token`, as your app received it.
        temp_token: SecretString,
        /// PKCE (RFC 7636) verifier: required if the session was opened with a `code_challenge`.
        code_verifier: Option<SecretString>,
    }
}

/// Exchange a `temp_token`
///
/// Once. A second use is refused and, later than ten seconds after the first, also ends what the first opened: send an
/// `Idempotency-Key`, and the same call again within an hour gets the first answer, and never ends anything. Other tokens
/// of the same session (its return was loaded twice) are 410 `temp_token_used` from then on, and end nothing.
#[utoipa::path(post, path = "/v1/tokens", tag = "Tokens", request_body = ExchangeToken,
    responses((status = 200, body = Token), ExchangeTokenErrors))]
async fn exchange(
    State(state): State<AppState>,
    call: Call<ExchangeToken>,
) -> Result<Response, Problem> {
    answer(state, call).await
}

/// Exchange a `temp_token` (the first documents' path)
#[utoipa::path(post, path = "/v1/token", tag = "Tokens", request_body = ExchangeToken,
    responses((status = 200, body = Token), ExchangeTokenErrors))]
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
        tenant_user_id: call.extra.tenant_user_id.clone(),
        pair: pair(call.extra, false)?,
    };
    let once = call
        .idempotency
        .attempt(&state, "tokens.exchange", idempotency::HOUR)
        .await?;
    let answer = tokens::exchange_once(&state, &call.by, exchange, once, written).await?;
    Ok(match answer {
        ExchangeResult::First(exchanged) => {
            let quiet = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            (quiet, Json(Token::from(exchanged))).into_response()
        }
        ExchangeResult::Replay(status, body) => idempotency::replay(status, body),
    })
}

/// The body that is kept for a repeat.
fn written(exchanged: &Exchanged) -> Vec<u8> {
    serde_json::to_vec(&Token::from(exchanged.clone())).unwrap_or_default()
}
