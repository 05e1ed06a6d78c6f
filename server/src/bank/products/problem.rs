//! How the counter says no: a code for machines.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::json::Json;
use crate::storage::DbError;

/// A refusal.
#[derive(Debug)]
pub enum No {
    /// No partner, or not with this secret.
    Stranger,
    /// Of another partner, or of nobody: the same answer.
    Unknown,
    /// What was sent cannot be read, or is nothing the bank offers; says what.
    Unfit(&'static str),
    /// Not as things stand.
    OutOfTurn,
    TooLarge,
    Server,
}

impl From<DbError> for No {
    fn from(error: DbError) -> Self {
        tracing::error!(%error, "the sandbox bank cannot read its applications");
        Self::Server
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        let (status, code) = match self {
            Self::Stranger => (StatusCode::UNAUTHORIZED, "stranger"),
            Self::Unknown => (StatusCode::NOT_FOUND, "unknown"),
            Self::Unfit(what) => (StatusCode::UNPROCESSABLE_ENTITY, what),
            Self::OutOfTurn => (StatusCode::CONFLICT, "out_of_turn"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::Server => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        };
        (status, Json(json!({ "error": code }))).into_response()
    }
}
