//! `Idempotency-Key` of API calls: `call.idempotency.run(&state, "steps.submit", DAY, work)` runs `work` once for each key.
//!
//! ```ignore
//! let work = { let state = state.clone(); async move { Ok(Json(steps::submit(&state, ...).await?).into_response()) } };
//! call.idempotency.run(&state, "steps.submit", idempotency::DAY, work).await
//! ```

use app::domain::problem::Code;
use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::Duration;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

use super::request_context::RequestContext;
use crate::problem::Problem;
use crate::scope;
use crate::services::access::idempotency::{self, Attempt, IdempotentRequest, KeyedRequest};
use crate::services::refusal::{FieldProblem, Refusal};
use crate::state::AppState;

/// Time the answer to a step is kept.
pub const DAY: Duration = Duration::hours(24);
/// Time the answer to a token exchange is kept.
pub const HOUR: Duration = Duration::hours(1);

/// Headers that are part of a request's fingerprint: calls without a body name consent and end-user there.
const NAMED: [&str; 3] = ["x-credentials-id", "x-access-token", "x-tenant-user-id"];
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The `Idempotency-Key` of a request, if it has one, with the request's fingerprint.
pub struct Idempotency {
    key: Option<String>,
    fingerprint: Vec<u8>,
    secret: Option<SecretString>,
    context: RequestContext,
}

/// A key as it must be: 1 to 255 visible ASCII characters.
pub(crate) fn key(value: &HeaderValue) -> Option<&str> {
    let visible =
        |text: &&str| (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    value.to_str().ok().filter(visible)
}

impl Idempotency {
    /// Reads the header: 1 to 255 visible ASCII characters.
    pub fn new(parts: &Parts, context: &RequestContext) -> Result<Self, Problem> {
        let mut once = Self {
            key: None,
            fingerprint: Vec::new(),
            secret: None,
            context: context.clone(),
        };
        let Some(value) = parts.headers.get(KEY) else {
            return Ok(once);
        };
        let Some(key) = key(value) else {
            let problem = FieldProblem::new(
                "Idempotency-Key",
                Code::InvalidField,
                "must have 1 to 255 visible ASCII characters",
            );
            return Err(Refusal::new(Code::InvalidField).at(vec![problem]).into());
        };
        let mut hash = Sha256::new();
        // Two names of one operation.
        let path = match parts.uri.path() {
            "/v1/token" => "/v1/tokens",
            path => path,
        };
        hash.update(path.as_bytes());
        hash.update([0]);
        hash.update(parts.uri.query().unwrap_or_default().as_bytes());
        hash.update([0]);
        // The style that names consent and end-user in headers: another pair is another request.
        for name in NAMED {
            hash.update(
                parts
                    .headers
                    .get(name)
                    .map_or(&[][..], HeaderValue::as_bytes),
            );
            hash.update([0]);
        }
        hash.update(context.body.get().map_or(&[][..], |body| body));
        once.fingerprint = hash.finalize().to_vec();
        once.key = Some(key.to_owned());
        Ok(once)
    }

    /// The secret under which the answer is sealed.
    #[must_use]
    pub fn under(mut self, secret: Option<SecretString>) -> Self {
        self.secret = secret;
        self
    }

    /// Begins the operation under the request's `Idempotency-Key`, for work that keeps its answer in its own
    /// transaction; `None` if the request has no key, or no tenant is known.
    pub async fn attempt(
        &self,
        state: &AppState,
        operation: &'static str,
        keep: Duration,
    ) -> Result<Option<IdempotentRequest>, Problem> {
        Ok(match self.keyed_request(operation, keep) {
            Some(asked) => Some(idempotency::prepare(state, asked).await?),
            None => None,
        })
    }

    fn keyed_request(&self, operation: &'static str, keep: Duration) -> Option<KeyedRequest<'_>> {
        Some(KeyedRequest {
            tenant: self.context.tenant.get().copied()?,
            operation,
            key: self.key.as_deref()?,
            fingerprint: self.fingerprint.clone(),
            secret: self.secret.as_ref(),
            request: self.context.id,
            keep,
        })
    }

    /// Runs the work, or gives the answer it had. Only successes are kept: a refusal had no effect.
    /// With a key the work goes on when the caller hangs up, so that its answer is there when they ask again.
    pub async fn run(
        self,
        state: &AppState,
        operation: &'static str,
        keep: Duration,
        work: impl Future<Output = Result<Response, Problem>> + Send + 'static,
    ) -> Result<Response, Problem> {
        let Some(asked) = self.keyed_request(operation, keep) else {
            return work.await;
        };
        match idempotency::begin(state, asked).await? {
            Attempt::Replay(status, body) => Ok(replay(status, body)),
            Attempt::First(attempt) => {
                let state = state.clone();
                let finished = scope::spawn(async move { first(&state, attempt, work).await });
                finished
                    .await
                    .unwrap_or_else(|_| Err(Problem::new(Code::InternalServerError)))
            }
        }
    }
}

async fn first(
    state: &AppState,
    attempt: idempotency::IdempotentRequest,
    work: impl Future<Output = Result<Response, Problem>>,
) -> Result<Response, Problem> {
    let answer = match work.await {
        Ok(answer) if answer.status().is_success() => answer,
        other => {
            attempt.release(state).await?;
            return other;
        }
    };
    let (parts, body) = answer.into_parts();
    let body: Bytes = axum::body::to_bytes(body, usize::MAX)
        .await
        .map_err(|_| Problem::new(Code::InternalServerError))?;
    attempt.keep(state, parts.status.as_u16(), &body).await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// The first answer once more, marked as such.
pub fn replay(status: u16, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        ),
        (REPLAYED, HeaderValue::from_static("true")),
    ];
    (status, headers, body).into_response()
}
