//! The request log: one row per API call, redacted before it was stored.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Actor, PortalResult};
use crate::domain::ids::{KeyId, RequestId, SessionId, TenantId};

/// Filter of the log. Empty fields match everything.
#[derive(Clone, Debug, Default)]
pub struct RequestFilter {
    pub tenant: Option<TenantId>,
    /// `2xx`, `4xx`, `5xx` or an exact status.
    pub status: Option<String>,
    pub method: Option<String>,
    /// Text found in path, error code or any id.
    pub q: Option<String>,
    /// `api` or `console`.
    pub source: Option<String>,
    pub session: Option<SessionId>,
    /// Calls that one of these keys authorised.
    pub keys: Vec<KeyId>,
    /// Rows older than this one (the last of the page before).
    pub before: Option<RequestId>,
    /// Rows newer than this one, for the live tail.
    pub after: Option<RequestId>,
}

/// One row of the log.
#[derive(Clone, Debug)]
pub struct RequestRow {
    pub id: RequestId,
    pub at: DateTime<Utc>,
    pub tenant: Option<TenantId>,
    pub tenant_name: String,
    /// The key that authorised it; `None` if a nonce or the console did, or the call was refused.
    pub key: Option<KeyId>,
    pub method: String,
    pub path: String,
    /// The route's template, like `/v1/sessions/{session_id}/steps`.
    pub operation: String,
    pub status: u16,
    pub error_code: Option<String>,
    pub source: String,
    pub latency_ms: f64,
}

/// One call with its bodies (redacted at ingest) and, if it failed, why.
#[derive(Clone, Debug)]
pub struct RequestDetail {
    pub row: RequestRow,
    pub session: Option<SessionId>,
    pub user_agent: String,
    pub ip: String,
    /// Header lines that matter, redacted.
    pub request_headers: Vec<(String, String)>,
    pub request_body: String,
    pub response_body: String,
    /// Key that authorised it: `client_secret …3d9a`.
    pub key: Option<String>,
    pub explanation: Option<Explanation>,
}

/// Cause of a failed call and remedy, from the same catalogue as the API's answers and the docs.
#[derive(Clone, Debug)]
pub struct Explanation {
    pub code: String,
    pub title: String,
    pub cause: String,
    pub fix: String,
    pub whose: String,
    pub retryable: bool,
}

#[async_trait]
pub trait Requests: Send + Sync {
    /// Calls of the actor's servicer, newest first, at most 50.
    async fn requests(
        &self,
        actor: &Actor,
        filter: &RequestFilter,
    ) -> PortalResult<Vec<RequestRow>>;
    async fn request(&self, actor: &Actor, id: RequestId) -> PortalResult<RequestDetail>;
}
