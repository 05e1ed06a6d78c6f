//! Payments: reading one and calling it off, in both styles. Ordering one is a session's step `payment_intent`.

use app::domain::ids::PaymentId;
use app::domain::problem::Code;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use kernel::json::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::data::credentials;
use super::refusals::{CancelPaymentErrors, GetPaymentErrors};
use crate::http::call::{Call, ConsentAuth, Input};
use crate::http::fields::fields;
use crate::http::idempotency;
use crate::http::path_text::PathText;
use crate::problem::Problem;
use crate::services::consents::payments;
use crate::state::AppState;
use crate::wire::payments::Payment;

/// The operations of this file.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(cancel))
        .routes(routes!(get_one, cancel_one))
}

fields! {
    /// Asks for the payment of a pair.
    pub struct GetPayment for ConsentAuth {}
}

fields! {
    /// Calls the payment of a pair off.
    pub struct CancelPayment for ConsentAuth {}
}

fields! {
    /// Asks for a payment by its id.
    pub struct GetOnePayment for ConsentAuth {}
}

fields! {
    /// Calls a payment off by its id.
    pub struct CancelOnePayment for ConsentAuth {}
}

/// Read a payment
///
/// The bank is asked for its status unless it is final; a bank that does not answer changes nothing but `served_from`.
#[utoipa::path(post, path = "/v1/payments/get", tag = "Payments", request_body = GetPayment,
    responses((status = 200, body = Payment), GetPaymentErrors))]
async fn get(
    State(state): State<AppState>,
    call: Call<GetPayment>,
) -> Result<Json<Payment>, Problem> {
    let (client, credentials) = credentials(call.by, call.extra);
    let payment = payments::get(&state, &client, &credentials, None).await?;
    Ok(Json(payment.into()))
}

/// Read a payment by its id
#[utoipa::path(get, path = "/v1/payments/{id}", tag = "Payments",
    params(("id" = uuid::Uuid, Path, description = "The payment."), GetOnePayment),
    responses((status = 200, body = Payment), GetPaymentErrors))]
async fn get_one(
    State(state): State<AppState>,
    PathText(id): PathText,
    call: Call<GetOnePayment>,
) -> Result<Json<Payment>, Problem> {
    let id = named(&id)?;
    let (client, credentials) = credentials(call.by, call.extra);
    let payment = payments::get(&state, &client, &credentials, Some(id)).await?;
    Ok(Json(payment.into()))
}

/// Cancel a payment
///
/// As long as the bank lets it be called off: a future-dated one before its day, a standing order at any time. Cancelling
/// again changes nothing.
#[utoipa::path(post, path = "/v1/payments/cancel", tag = "Payments", request_body = CancelPayment,
    responses((status = 200, body = Payment), CancelPaymentErrors))]
async fn cancel(
    State(state): State<AppState>,
    call: Call<CancelPayment>,
) -> Result<Response, Problem> {
    end(state, call, None).await
}

/// Cancel a payment by its id
#[utoipa::path(delete, path = "/v1/payments/{id}", tag = "Payments",
    params(("id" = uuid::Uuid, Path, description = "The payment."), CancelOnePayment),
    responses((status = 200, body = Payment), CancelPaymentErrors))]
async fn cancel_one(
    State(state): State<AppState>,
    PathText(id): PathText,
    call: Call<CancelOnePayment>,
) -> Result<Response, Problem> {
    let id = named(&id)?;
    end(state, call, Some(id)).await
}

async fn end<T: Input<Auth = ConsentAuth>>(
    state: AppState,
    call: Call<T>,
    id: Option<PaymentId>,
) -> Result<Response, Problem> {
    let (client, credentials) = credentials(call.by, call.extra);
    let work = {
        let state = state.clone();
        async move {
            let payment = payments::cancel(&state, &client, &credentials, id).await?;
            Ok(Json(Payment::from(payment)).into_response())
        }
    };
    call.idempotency
        .run(&state, "payments.cancel", idempotency::DAY, work)
        .await
}

/// A malformed id is an id nobody has.
fn named(id: &str) -> Result<PaymentId, Problem> {
    id.parse().map_err(|_| Code::NotFound.into())
}
