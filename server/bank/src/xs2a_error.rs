//! Errors of the XS2A interface: `tppMessages` (Implementation Guidelines 4.13), with the codes of the 1.3 message
//! tables.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kernel::json::Json;
use serde_json::json;

use crate::storage::{DbError, is_busy};

/// A refusal with its Berlin Group code.
#[derive(Debug)]
pub struct Xs2aError {
    status: StatusCode,
    code: &'static str,
    text: &'static str,
}

impl Xs2aError {
    const fn new(status: StatusCode, code: &'static str, text: &'static str) -> Self {
        Self { status, code, text }
    }

    /// The request is not well formed; says what.
    pub const fn format(text: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "FORMAT_ERROR", text)
    }

    /// Well formed, and nothing this bank offers.
    pub const fn not_offered(text: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "SERVICE_INVALID", text)
    }

    pub const fn parameter(text: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "PARAMETER_NOT_SUPPORTED", text)
    }

    /// No client, or not with this secret.
    pub const fn stranger() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "CERTIFICATE_INVALID",
            "unknown client: send client id and secret by HTTP Basic",
        )
    }

    pub const fn token_missing() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "TOKEN_INVALID",
            "send the access token as a Bearer token",
        )
    }

    pub const fn token_unknown() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "TOKEN_UNKNOWN",
            "this access token is not one of ours",
        )
    }

    pub const fn token_expired() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "TOKEN_EXPIRED",
            "this access token has ended",
        )
    }

    /// Refuses a consent that does not exist or belongs to another client: both are answered alike.
    pub const fn consent_unknown() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "CONSENT_UNKNOWN",
            "there is no such consent for you",
        )
    }

    pub const fn consent_expired() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "CONSENT_EXPIRED",
            "this consent has ended",
        )
    }

    pub const fn consent_invalid() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "CONSENT_INVALID",
            "this consent is not valid",
        )
    }

    pub const fn product_unknown() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "PRODUCT_UNKNOWN",
            "this bank has payments, periodic-payments and bulk-payments of sepa-credit-transfers and domestic-credit-transfers",
        )
    }

    pub const fn debtor_unknown() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "RESOURCE_UNKNOWN",
            "debtorAccount is no account of this bank",
        )
    }

    pub const fn execution_date() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "EXECUTION_DATE_INVALID",
            "requestedExecutionDate must be today or a day of the coming year",
        )
    }

    pub const fn period() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "PERIOD_INVALID",
            "a standing order begins within a year, is due at least once, and ends within ten years",
        )
    }

    /// Another order came under this id before.
    pub const fn request_reused() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "PARAMETER_NOT_CONSISTENT",
            "this X-Request-ID belongs to another order",
        )
    }

    /// Refuses a payment that does not exist or belongs to another client: both are answered alike.
    pub const fn payment_unknown() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "RESOURCE_UNKNOWN",
            "there is no such payment for you",
        )
    }

    pub const fn cancellation_invalid() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "CANCELLATION_INVALID",
            "it is too late: the payment is executed, rejected, or its day has come",
        )
    }

    pub const fn account_unknown() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "RESOURCE_UNKNOWN",
            "there is no such account in this consent",
        )
    }
}

impl From<DbError> for Xs2aError {
    fn from(error: DbError) -> Self {
        if is_busy(&error) {
            tracing::warn!(%error, "the sandbox bank's books are busy");
            return Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "SERVICE_UNAVAILABLE",
                "the bank cannot answer now",
            );
        }
        tracing::error!(%error, "the sandbox bank cannot read its books");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL_SERVER_ERROR",
            "the bank cannot answer now",
        )
    }
}

impl IntoResponse for Xs2aError {
    fn into_response(self) -> Response {
        let message = json!({ "category": "ERROR", "code": self.code, "text": self.text });
        let answer = (self.status, Json(json!({ "tppMessages": [message] })));
        later(answer.into_response())
    }
}

/// Says when to come back, on an answer that says to.
pub fn later(mut answer: Response) -> Response {
    if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
        let second = HeaderValue::from_static("1");
        answer.headers_mut().insert(header::RETRY_AFTER, second);
    }
    answer
}
