//! Executes a run's call, and writes its result down.

use app::domain::ids::RequestId;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::api_caller::{ApiCall, PostedBody};
use super::apply::{self, apply_response};
use super::calls::{Content, Outgoing};
use super::plan::RunPlan;
use super::run_state::RunState;
use super::view::{self, Bodies};
use crate::aad;
use crate::services::access::keys::ConsoleGrant;
use crate::services::portal::Services;
use crate::services::refusal::ServiceError;
use crate::storage::console::{CallRow, RunProgress, RunRow};

/// The largest answer a run keeps, in bytes.
pub(super) const LARGEST: usize = 4 << 20;

/// Response to a call, with its latency.
pub(super) struct ApiResponse {
    request: RequestId,
    at: DateTime<Utc>,
    /// Microseconds.
    latency: i64,
    status: u16,
    body: Value,
}

impl Services {
    /// Makes a call by the route that serves everybody. Nothing is claimed in the database but the run.
    pub(super) async fn call(
        &self,
        run: &RunRow,
        call: &Outgoing,
        until: DateTime<Utc>,
    ) -> Result<ApiResponse, ServiceError> {
        let api = self
            .api
            .as_ref()
            .ok_or_else(|| ServiceError::broken("the console has no way into the API"))?;
        let grant = ConsoleGrant {
            tenant: run.tenant_id,
            run: run.id,
            expires: until,
        };
        let (media, bytes) = match &call.content {
            Content::Json(value) => ("application/json".to_owned(), value.to_string().into()),
            Content::Form { boundary, bytes } => (
                format!("multipart/form-data; boundary={boundary}"),
                bytes.clone(),
            ),
        };
        let outgoing = ApiCall {
            path: &call.path,
            posted: Some(PostedBody {
                media,
                bytes,
                grant,
            }),
        };
        let at = self.state.clock.now();
        let answer = api.call(outgoing, LARGEST).await;
        let answer = answer.map_err(ServiceError::broken)?;
        let request = answer.request;
        let request = request.unwrap_or_else(|| RequestId(self.state.clock.id()));
        let body = serde_json::from_slice(&answer.body).map_err(ServiceError::broken)?;
        let latency = (self.state.clock.now() - at)
            .num_microseconds()
            .unwrap_or(i64::MAX);
        Ok(ApiResponse {
            request,
            at,
            latency,
            status: answer.status,
            body,
        })
    }

    /// Writes down what came of a call, in one transaction with where the run stands now.
    pub(super) async fn finish(
        &self,
        run: &RunRow,
        plan: &RunPlan<'_>,
        mut held: RunState,
        call: Outgoing,
        until: DateTime<Utc>,
        answer: ApiResponse,
    ) -> Result<(), ServiceError> {
        let settled = apply::ResponseParts {
            position: run.calls,
            at: answer.at,
            status: answer.status,
            body: &answer.body,
            temp_token_life: self.token_life(),
        };
        let (next, session) = apply_response(run.next_call, call.means, &mut held, plan, &settled);
        let bodies = Bodies {
            request: view::masked_body(&call.shown, &held),
            response: view::masked_body(&answer.body, &held),
        };
        let row = CallRow {
            position: run.calls,
            request_id: answer.request,
            at: answer.at,
            title: call.title,
            method: "POST".into(),
            path: call.path,
            status: answer.status.into(),
            latency: answer.latency,
            browser_safe: call.browser_safe,
            bodies: self.seal(&aad::console_call(run.id, run.calls), &bodies)?,
        };
        let status = answer
            .body
            .get("status")
            .and_then(Value::as_str)
            // Payments have a status of their own.
            .filter(|status| status.starts_with("SESSION_"))
            .map(str::to_owned);
        let progress = RunProgress {
            next,
            session,
            status,
            held: self.sealed(run.id, &held)?,
        };
        let mut tx = self.state.db.write().await?;
        tx.finish_run_call(run.id, until, &progress, &row).await?;
        Ok(tx.commit().await?)
    }
}
