//! The request log.

use app::domain::ids::{KeyId, RequestId, SessionId};
use app::portal::requests::{Explanation, RequestDetail, RequestFilter, RequestRow, Requests};
use app::portal::{Actor, PortalError, PortalResult};
use async_trait::async_trait;
use chrono::Duration;

use super::{Fake, World, id, now, tenant_id};

#[async_trait]
impl Requests for Fake {
    async fn requests(&self, _: &Actor, filter: &RequestFilter) -> PortalResult<Vec<RequestRow>> {
        if matches!(self.0, World::Empty | World::Started) || filter.q.is_some() {
            return Ok(Vec::new());
        }
        if filter.after.is_some() {
            return Ok(vec![row(200, 200, "POST /v1/sessions", None, 6.1)]);
        }
        Ok((0..50)
            .map(|n| match n % 5 {
                0 => row(
                    100 + n,
                    401,
                    "POST /v1/token",
                    Some("invalid_api_keys"),
                    0.8,
                ),
                1 => row(100 + n, 200, "POST /v1/sessions", None, 6.1),
                2 => row(
                    100 + n,
                    200,
                    "POST /v1/sessions/7489fe74-a91d-4897-8895-cd5e05c0fc4b/steps",
                    None,
                    84.4,
                ),
                3 => row(100 + n, 200, "GET /v1/accounts", None, 3.2),
                _ => row(
                    100 + n,
                    503,
                    "POST /v1/accounts/get",
                    Some("bank_unavailable"),
                    8_004.0,
                ),
            })
            .collect())
    }
    async fn request(&self, _: &Actor, request: RequestId) -> PortalResult<RequestDetail> {
        if !(100..=200).any(|n| request == RequestId(id(n))) {
            return Err(PortalError::NotFound);
        }
        Ok(RequestDetail {
            row: row(100, 401, "POST /v1/token", Some("invalid_api_keys"), 0.8),
            session: Some(SessionId(id(300))),
            user_agent: "node-fetch/3.2".into(),
            ip: "198.51.100.7".into(),
            request_headers: vec![("content-type".into(), "application/json".into())],
            request_body: "{\n  \"client_id\": \"0192f3a4\",\n  \"client_secret\": \"▒…3d9a\"\n}"
                .into(),
            response_body:
                "{\n  \"id\": \"0192f3a4\",\n  \"http\": 401,\n  \"code\": \"invalid_api_keys\",\n  \"message\": \"A client_secret was sent as client_app_key.\",\n  \"hint\": \"This is a client_secret; a client_app_key is needed here.\",\n  \"fields\": [{\"path\": \"client_app_key\", \"code\": \"invalid\", \"message\": \"It begins like a secret.\"}]\n}"
                    .into(),
            key: Some("client_secret …3d9a".into()),
            explanation: Some(Explanation {
                code: "invalid_api_keys".into(),
                title: "These keys are not accepted".into(),
                cause: "No live key of this tenant is what was sent as client_secret.".into(),
                fix: "Send the client_secret of this tenant; a stopped one has to be replaced."
                    .into(),
                whose: "caller".into(),
                retryable: false,
            }),
        })
    }
}

fn row(n: u128, status: u16, call: &str, code: Option<&str>, latency_ms: f64) -> RequestRow {
    let (method, path) = call.split_once(' ').unwrap();
    RequestRow {
        id: RequestId(id(n)),
        at: now() - Duration::milliseconds(i64::try_from(n).unwrap() * 1_375),
        tenant: Some(tenant_id()),
        tenant_name: "Budget app".into(),
        key: n.is_multiple_of(2).then_some(KeyId(id(12 + n % 4 / 2))),
        method: method.into(),
        path: path.into(),
        operation: path.into(),
        status,
        error_code: code.map(str::to_owned),
        source: if n.is_multiple_of(2) {
            "api"
        } else {
            "console"
        }
        .into(),
        latency_ms,
    }
}
