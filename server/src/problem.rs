//! From what went wrong to the answer: the only file that chooses a status.
//!
//! A [`Problem`] leaves a handler without body; the outermost layer writes the body, because only there the request's
//! id and the public URL are known. Nothing internal leaves: database errors and panics are logged and become
//! `internal_server_error` or `service_unavailable`.

use std::borrow::Cow;

use app::domain::problem::Code;
use app::links;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use uuid::Uuid;

use crate::services::refusal::{ApiError, FieldProblem, Refusal};
use crate::storage::{DbError, is_busy};

/// An error on its way to a caller.
#[derive(Clone, Debug)]
pub struct Problem(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    refusal: Refusal,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// The error object of every answer that is no success.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Error)]
pub struct Body<'a> {
    /// Id of this occurrence, the same as in `X-Request-Id`; quote it when asking for help.
    pub id: Uuid,
    /// Class of the error.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// HTTP status.
    pub http: u16,
    /// Code of the error, from a closed list.
    pub code: &'a str,
    /// Description of the error for developers. Never show it to end-users.
    pub message: Cow<'a, str>,
    /// Advice on how to fix it.
    pub hint: Cow<'a, str>,
    /// The page that explains the code.
    pub docs: String,
    /// Fields that are wrong, each with the reason.
    #[schema(value_type = Vec<FieldShape>)]
    pub fields: &'a [FieldProblem],
}

/// The shape of one entry of `fields`, for the OpenAPI.
#[derive(utoipa::ToSchema)]
#[schema(as = FieldError)]
#[expect(
    dead_code,
    reason = "documents FieldProblem, which lives where no door's words do"
)]
struct FieldShape {
    /// Path of the field: `data.psu_redirect_link`.
    path: String,
    /// `missing_fields`, `unknown_fields`, `invalid_field` or `invalid_input`.
    code: String,
    /// Description of the expected value.
    message: String,
}

impl Problem {
    pub fn new(code: Code) -> Self {
        Refusal::new(code).into()
    }

    pub fn code(&self) -> Code {
        self.0.refusal.code
    }

    /// Sends a header along: `Allow`, for example.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// The whole answer.
    pub fn answer(&self, id: Uuid, public_url: &str) -> Response {
        let json = HeaderValue::from_static("application/json");
        let text = self.text(id, public_url);
        let mut answer = (self.status(), [(header::CONTENT_TYPE, json)], text).into_response();
        self.send_along(answer.headers_mut());
        answer.extensions_mut().insert(AnsweredCode(self.code()));
        answer
    }

    /// The answer's body.
    pub fn text(&self, id: Uuid, public_url: &str) -> Vec<u8> {
        let refusal = &self.0.refusal;
        let entry = refusal.code.entry();
        let body = Body {
            id,
            kind: entry.kind.as_str(),
            http: entry.http,
            code: entry.code,
            message: refusal
                .message
                .as_deref()
                .map_or(Cow::Borrowed(entry.cause), Cow::Borrowed),
            hint: refusal
                .hint
                .as_deref()
                .map_or(Cow::Borrowed(entry.fix), Cow::Borrowed),
            docs: format!("{public_url}{}", links::docs_error(entry.code)),
            fields: &refusal.fields,
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// Puts the problem's own headers on an answer.
    pub fn send_along(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.0.headers {
            headers.append(name.clone(), value.clone());
        }
        if let Some(seconds) = self.0.refusal.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code().entry().http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// Left on a finished answer for the logs: the code it carries.
#[derive(Clone, Copy, Debug)]
pub struct AnsweredCode(pub Code);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut answer = self.status().into_response();
        answer.extensions_mut().insert(self);
        answer
    }
}

impl From<Refusal> for Problem {
    fn from(mut refusal: Refusal) -> Self {
        if refusal.code == Code::ServiceUnavailable && refusal.retry_after.is_none() {
            refusal.retry_after = Some(1);
        }
        Self(Box::new(Inner {
            refusal,
            headers: Vec::new(),
        }))
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl From<DbError> for Problem {
    /// Logged here and nowhere else; busy and starved databases are worth another try, the rest is our fault.
    fn from(error: DbError) -> Self {
        if is_busy(&error) {
            tracing::warn!(%error, "the database is busy");
            Self::new(Code::ServiceUnavailable)
        } else {
            tracing::error!(%error, "the database failed");
            Self::new(Code::InternalServerError)
        }
    }
}

impl From<ApiError> for Problem {
    fn from(failure: ApiError) -> Self {
        match failure {
            ApiError::Refused(refusal) => (*refusal).into(),
            ApiError::Database(error) => error.into(),
            ApiError::Broken(what) => {
                tracing::error!(what, "a call could not be served");
                Self::new(Code::InternalServerError)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(answer: Response) -> serde_json::Value {
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20)
            .await
            .unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[tokio::test]
    async fn an_answer_has_the_documented_fields_and_help() {
        let refusal = Refusal::new(Code::TooManyRequests)
            .says("Slow down.")
            .after(3);
        let answer = Problem::from(refusal).answer(Uuid::nil(), "https://portal.example.com");
        assert_eq!(answer.status(), 429);
        assert_eq!(answer.headers()["retry-after"], "3");
        let body = body(answer).await;
        assert_eq!(body["type"], "rate_limited");
        assert_eq!(body["http"], 429);
        assert_eq!(body["code"], "too_many_requests");
        assert_eq!(body["message"], "Slow down.");
        assert_eq!(
            body["docs"],
            "https://portal.example.com/docs/errors/too_many_requests"
        );
    }

    #[tokio::test]
    async fn nothing_internal_leaves() {
        let secret = "SELECT digest FROM tenant_keys";
        for failure in [
            ApiError::Database(DbError::Protocol(secret.into())),
            ApiError::Broken(secret.into()),
        ] {
            let answer = Problem::from(failure).answer(Uuid::nil(), "https://portal.example.com");
            assert_eq!(answer.status(), 500);
            assert!(!body(answer).await.to_string().contains("digest"));
        }
        let busy =
            Problem::from(DbError::PoolTimedOut).answer(Uuid::nil(), "https://portal.example.com");
        assert_eq!(busy.status(), 503);
        assert_eq!(busy.headers()["retry-after"], "1");
    }
}
