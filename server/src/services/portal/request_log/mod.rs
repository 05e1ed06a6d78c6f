//! The request log for the people of a servicer: what their apps called, what was answered, and why.

use app::domain::ids::RequestId;
use app::domain::nearest::Nearest;
use app::domain::person::Permission;
use app::domain::problem::Code;
use app::portal::requests::{Explanation, RequestDetail, RequestFilter, RequestRow, Requests};
use app::portal::{Actor, PortalError, PortalResult};
use async_trait::async_trait;

use super::Services;
use super::outcome::portal_result;
use crate::services::refusal::ServiceError;
use crate::state::AppState;
use crate::storage::request_log::{ListedRequest, RequestDetailRow, RequestQuery};

/// Rows on a page.
const PAGE: i64 = 50;

#[async_trait]
impl Requests for Services {
    async fn requests(
        &self,
        actor: &Actor,
        filter: &RequestFilter,
    ) -> PortalResult<Vec<RequestRow>> {
        portal_result(self, list(&self.state, actor, filter).await)
    }

    async fn request(&self, actor: &Actor, id: RequestId) -> PortalResult<RequestDetail> {
        portal_result(self, one(&self.state, actor, id).await)
    }
}

async fn list(
    state: &AppState,
    actor: &Actor,
    filter: &RequestFilter,
) -> Result<Vec<RequestRow>, ServiceError> {
    let servicer = actor.may(Permission::ReadTenants)?.servicer;
    let query = RequestQuery {
        tenant: filter.tenant,
        statuses: filter
            .status
            .as_deref()
            .filter(|text| !text.is_empty())
            .map(statuses),
        method: given(filter.method.as_deref()),
        text: given(filter.q.as_deref()),
        source: given(filter.source.as_deref()),
        session: filter.session,
        keys: filter.keys.clone(),
        before: filter.before,
        after: filter.after,
        limit: PAGE,
    };
    let mut rows = state.db.read().await?.requests(servicer, &query).await?;
    if query.after.is_some() {
        rows.reverse();
    }
    Ok(rows.into_iter().map(row).collect())
}

fn given(text: Option<&str>) -> Option<String> {
    text.map(str::trim)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// `4xx` or an exact status, as bounds; anything else finds nothing.
fn statuses(text: &str) -> (i64, i64) {
    let class = text
        .strip_suffix("xx")
        .and_then(|digit| digit.parse::<i64>().ok());
    match (class, text.parse()) {
        (Some(class @ 1..=9), _) => (class * 100, class * 100 + 99),
        (None, Ok(exact)) => (exact, exact),
        _ => (0, 0),
    }
}

async fn one(
    state: &AppState,
    actor: &Actor,
    id: RequestId,
) -> Result<RequestDetail, ServiceError> {
    let servicer = actor.may(Permission::ReadTenants)?.servicer;
    let mut tx = state.db.read().await?;
    let found = tx.request(servicer, id).await?;
    let RequestDetailRow {
        row: listed,
        session_id,
        user_agent,
        ip,
        client_request_id,
        request_body,
        response_body,
        key_kind,
        key_tail,
    } = found.ok_or(PortalError::NotFound)?;
    let code = listed.error_code.as_deref().and_then(Code::parse);
    let mut explained = code.map(explanation);
    if code == Some(Code::InvalidRedirectLink)
        && let (Some(explained), Some(tenant)) = (&mut explained, listed.tenant_id)
    {
        let registered = tx.tenant_links(tenant).await?;
        if let Some(nearest) = nearest(&request_body, &registered) {
            explained.cause = format!("{} {}.", explained.cause, nearest.says());
        }
    }
    drop(tx);
    let mut request_headers = vec![("User-Agent".to_owned(), user_agent.clone())];
    request_headers.extend(client_request_id.map(|id| ("X-Request-Id".to_owned(), id)));
    Ok(RequestDetail {
        session: session_id,
        user_agent,
        ip,
        request_headers,
        request_body: pretty(request_body),
        response_body: pretty(response_body),
        key: key_kind
            .zip(key_tail)
            .map(|(kind, tail)| format!("{kind} …{tail}")),
        explanation: explained,
        row: row(listed),
    })
}

fn row(listed: ListedRequest) -> RequestRow {
    RequestRow {
        id: listed.id,
        at: listed.at,
        tenant: listed.tenant_id,
        tenant_name: listed.tenant_name.unwrap_or_default(),
        key: listed.key_id,
        method: listed.method,
        path: listed.path,
        operation: listed.operation,
        status: u16::try_from(listed.status).unwrap_or(0),
        error_code: listed.error_code,
        source: listed.source,
        #[expect(
            clippy::cast_precision_loss,
            reason = "a latency has far fewer than 52 bits of microseconds"
        )]
        latency_ms: listed.latency_us as f64 / 1000.0,
    }
}

/// The registered link nearest to the one that a logged step named: told here in production, too, where its answer told
/// nothing.
fn nearest(request_body: &str, registered: &[String]) -> Option<Nearest> {
    let body = json::read(request_body.as_bytes(), json::ReadLimits::BODY).ok()?;
    let presented = body.get("data")?.get("psu_redirect_link")?.as_str()?;
    Nearest::of(presented, registered.iter().map(String::as_str))
}

/// The catalogue's words for a code.
pub fn explanation(code: Code) -> Explanation {
    let entry = code.entry();
    Explanation {
        code: entry.code.to_owned(),
        title: entry.title.to_owned(),
        cause: entry.cause.to_owned(),
        fix: entry.fix.to_owned(),
        whose: entry.fault.to_string(),
        retryable: entry.retryable,
    }
}

fn pretty(body: String) -> String {
    let read = json::read(body.as_bytes(), json::ReadLimits::BODY);
    read.map(|value| value.write(json::Style::PRETTY))
        .unwrap_or(body)
}
