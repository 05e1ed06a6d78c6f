//! Refusals of the product interface, each with a code for machines.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use kernel::json::Json;
use serde_json::json;

use crate::storage::{DbError, is_busy};
use crate::xs2a_error::later;

/// A refusal.
#[derive(Debug)]
pub enum ProductError {
    /// The partner is unknown, or its secret is wrong.
    Stranger,
    /// There is no such application or product, or it belongs to another partner: both are answered alike.
    Unknown,
    /// The body cannot be read, or asks for something the bank does not offer; holds the code.
    Unfit(&'static str),
    /// The state of the application does not allow the call.
    OutOfTurn,
    TooLarge,
    Unavailable,
    Server,
}

impl From<DbError> for ProductError {
    fn from(error: DbError) -> Self {
        if is_busy(&error) {
            tracing::warn!(%error, "the sandbox bank's books are busy");
            return Self::Unavailable;
        }
        tracing::error!(%error, "the sandbox bank cannot read its applications");
        Self::Server
    }
}

impl IntoResponse for ProductError {
    fn into_response(self) -> Response {
        let (status, code) = match self {
            Self::Stranger => (StatusCode::UNAUTHORIZED, "stranger"),
            Self::Unknown => (StatusCode::NOT_FOUND, "unknown"),
            Self::Unfit(what) => (StatusCode::UNPROCESSABLE_ENTITY, what),
            Self::OutOfTurn => (StatusCode::CONFLICT, "out_of_turn"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Self::Server => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        };
        later((status, Json(json!({ "error": code }))).into_response())
    }
}
