//! The request log. Rows come in batches, already redacted.

use app::domain::ids::{KeyId, RequestId, ServicerId, SessionId, TenantId};
use chrono::{DateTime, Utc};
use kernel::clock::first_id_at;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use sqlx::QueryBuilder;

use super::tenants::like;
use super::{DbResult, Tx, run};

/// One call, as kept.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RequestLogRow {
    pub id: RequestId,
    pub at: DateTime<Utc>,
    pub tenant_id: Option<TenantId>,
    pub session_id: Option<SessionId>,
    pub key_id: Option<KeyId>,
    /// `api` or `console`.
    pub source: String,
    pub method: String,
    pub path: String,
    pub operation: String,
    pub status: i64,
    pub error_code: Option<String>,
    pub latency_us: i64,
    pub user_agent: String,
    pub ip: String,
    pub client_request_id: Option<String>,
    pub request_body: String,
    pub response_body: String,
}

/// A call in a list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ListedRequest {
    pub id: RequestId,
    pub at: DateTime<Utc>,
    pub tenant_id: Option<TenantId>,
    pub tenant_name: Option<String>,
    pub key_id: Option<KeyId>,
    pub method: String,
    pub path: String,
    pub operation: String,
    pub status: i64,
    pub error_code: Option<String>,
    pub source: String,
    pub latency_us: i64,
}

/// A call with its bodies and the key that authorised it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RequestDetailRow {
    #[sqlx(flatten)]
    pub row: ListedRequest,
    pub session_id: Option<SessionId>,
    pub user_agent: String,
    pub ip: String,
    pub client_request_id: Option<String>,
    pub request_body: String,
    pub response_body: String,
    pub key_kind: Option<String>,
    pub key_tail: Option<String>,
}

/// Filter of the request log; `None` matches everything.
#[derive(Clone, Debug, Default)]
pub struct RequestQuery {
    pub tenant: Option<TenantId>,
    /// Inclusive bounds of the status.
    pub statuses: Option<(i64, i64)>,
    pub method: Option<String>,
    /// Text that is part of the path or the error code, or equals an id.
    pub text: Option<String>,
    pub source: Option<String>,
    pub session: Option<SessionId>,
    /// Keys of which one authorised the request; empty for any or none.
    pub keys: Vec<KeyId>,
    pub before: Option<RequestId>,
    pub after: Option<RequestId>,
    pub limit: i64,
}

/// Progress of a servicer: its tenants, and the first time each thing worked.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ServicerStart {
    pub first_tenant: Option<TenantId>,
    pub tenants: i64,
    pub secret_seen: bool,
    pub first_success_at: Option<DateTime<Utc>>,
    pub first_exchange_at: Option<DateTime<Utc>>,
    pub first_data_at: Option<DateTime<Utc>>,
}

/// A servicer's last day.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ServicerDay {
    pub requests: i64,
    pub errors: i64,
    pub sessions_started: i64,
    pub sessions_completed: i64,
}

/// Patterns that find a text in paths: as it is, and as a URL writes it, by which a skill is found by its own name. What
/// a list shows in front of a path, and the query that a path is kept without, are no part of it.
fn in_paths(text: &str) -> Vec<String> {
    let text = text.trim();
    let path = match text.split_once(' ') {
        Some((_, path)) if path.trim_start().starts_with('/') => path.trim_start(),
        _ => text,
    };
    let path = if path.starts_with('/') {
        path.split('?').next().unwrap_or_default()
    } else {
        path
    };
    let encoded = utf8_percent_encode(path, IN_PATHS).to_string();
    let mut patterns = vec![like(path)];
    if encoded != path {
        patterns.push(like(&encoded));
    }
    patterns
}

/// What URLs hold as `%XX` only, besides what is no ASCII.
const IN_PATHS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

const LISTED: &str = "SELECT r.id, r.at, r.tenant_id, t.name AS tenant_name, r.key_id, r.method, r.path, r.operation, r.status,
                             r.error_code, r.source, r.latency_us";

impl Tx {
    /// Adds a batch of calls; the servicer comes from the tenant.
    pub async fn add_requests(&mut self, rows: &[RequestLogRow]) -> DbResult<()> {
        for chunk in rows.chunks(50) {
            run!(self, |conn| {
                let mut insert = QueryBuilder::new(
                    "INSERT INTO requests (id, at, tenant_id, servicer_id, session_id, key_id, source, method, path,
                     operation, status, error_code, latency_us, user_agent, ip, client_request_id, request_body, response_body) ",
                );
                insert.push_values(chunk, |mut values, row| {
                    values
                        .push_bind(row.id)
                        .push_bind(row.at)
                        .push_bind(row.tenant_id);
                    values.push("(SELECT servicer_id FROM tenants WHERE id = ");
                    values
                        .push_bind_unseparated(row.tenant_id)
                        .push_unseparated(")");
                    values
                        .push_bind(row.session_id)
                        .push_bind(row.key_id)
                        .push_bind(&row.source);
                    values
                        .push_bind(&row.method)
                        .push_bind(&row.path)
                        .push_bind(&row.operation);
                    values
                        .push_bind(row.status)
                        .push_bind(&row.error_code)
                        .push_bind(row.latency_us);
                    values
                        .push_bind(&row.user_agent)
                        .push_bind(&row.ip)
                        .push_bind(&row.client_request_id);
                    values
                        .push_bind(&row.request_body)
                        .push_bind(&row.response_body);
                });
                insert.build().execute(conn).await.map(|_| ())
            })?;
        }
        Ok(())
    }

    /// A servicer's calls, newest first; for the live tail (`after`) the oldest of the newer ones come first.
    pub async fn requests(
        &mut self,
        servicer: ServicerId,
        query: &RequestQuery,
    ) -> DbResult<Vec<ListedRequest>> {
        run!(self, |conn| {
            let mut select = QueryBuilder::new(LISTED);
            select.push(
                " FROM requests r LEFT JOIN tenants t ON t.id = r.tenant_id WHERE r.servicer_id = ",
            );
            select.push_bind(servicer);
            if let Some(tenant) = query.tenant {
                select.push(" AND r.tenant_id = ").push_bind(tenant);
            }
            if let Some((least, most)) = query.statuses {
                select
                    .push(" AND r.status BETWEEN ")
                    .push_bind(least)
                    .push(" AND ")
                    .push_bind(most);
            }
            if let Some(method) = &query.method {
                select.push(" AND r.method = ").push_bind(method);
            }
            if let Some(source) = &query.source {
                select.push(" AND r.source = ").push_bind(source);
            }
            if let Some(session) = query.session {
                select.push(" AND r.session_id = ").push_bind(session);
            }
            if !query.keys.is_empty() {
                select.push(" AND r.key_id IN (");
                let mut list = select.separated(", ");
                for key in &query.keys {
                    list.push_bind(*key);
                }
                select.push(")");
            }
            if let Some(text) = &query.text {
                let id = text
                    .trim()
                    .parse::<uuid::Uuid>()
                    .unwrap_or(uuid::Uuid::nil());
                // Paths are ASCII as they are kept, so that `lower` of both databases does the same to them.
                select.push(" AND (lower(r.error_code) LIKE ");
                select.push_bind(like(text)).push(" ESCAPE '!'");
                for pattern in in_paths(text) {
                    select.push(" OR lower(r.path) LIKE ");
                    select.push_bind(pattern).push(" ESCAPE '!'");
                }
                for column in ["r.id", "r.tenant_id", "r.session_id", "r.key_id"] {
                    select.push(" OR ").push(column).push(" = ").push_bind(id);
                }
                select
                    .push(" OR r.client_request_id = ")
                    .push_bind(text.trim())
                    .push(")");
            }
            if let Some(before) = query.before {
                select.push(" AND r.id < ").push_bind(before);
            }
            let order = match query.after {
                Some(after) => {
                    select.push(" AND r.id > ").push_bind(after);
                    " ORDER BY r.id ASC LIMIT "
                }
                None => " ORDER BY r.id DESC LIMIT ",
            };
            select.push(order).push_bind(query.limit);
            select.build_query_as().fetch_all(conn).await
        })
    }

    /// One call of a servicer.
    pub async fn request(
        &mut self,
        servicer: ServicerId,
        id: RequestId,
    ) -> DbResult<Option<RequestDetailRow>> {
        run!(self, |conn| {
            let mut select = QueryBuilder::new(LISTED);
            select.push(
                ", r.session_id, r.user_agent, r.ip, r.client_request_id, r.request_body, r.response_body,
                   k.kind AS key_kind, k.tail AS key_tail
                 FROM requests r LEFT JOIN tenants t ON t.id = r.tenant_id LEFT JOIN tenant_keys k ON k.id = r.key_id
                 WHERE r.servicer_id = ",
            );
            select
                .push_bind(servicer)
                .push(" AND r.id = ")
                .push_bind(id);
            select.build_query_as().fetch_optional(conn).await
        })
    }

    /// Counts the requests made with a key since a time.
    pub async fn key_calls(&mut self, key: KeyId, since: DateTime<Utc>) -> DbResult<i64> {
        run!(self, |conn| {
            sqlx::query_scalar("SELECT COUNT(*) FROM requests WHERE key_id = $1 AND at > $2")
                .bind(key)
                .bind(since)
                .fetch_one(conn)
                .await
        })
    }

    /// Returns the progress of a servicer: its first tenant, and the first time each thing worked.
    pub async fn servicer_start(&mut self, servicer: ServicerId) -> DbResult<ServicerStart> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT (SELECT id FROM tenants WHERE servicer_id = $1 ORDER BY id LIMIT 1) AS first_tenant,
                        (SELECT COUNT(*) FROM tenants WHERE servicer_id = $1) AS tenants,
                        EXISTS (SELECT 1 FROM tenant_keys k JOIN tenants t ON t.id = k.tenant_id
                                WHERE t.servicer_id = $1 AND k.seen_at IS NOT NULL) AS secret_seen,
                        (SELECT at FROM requests WHERE servicer_id = $1 AND status < 300
                         ORDER BY id LIMIT 1) AS first_success_at,
                        (SELECT at FROM requests WHERE servicer_id = $1 AND status < 300
                         AND operation IN ('/v1/token', '/v1/tokens') ORDER BY id LIMIT 1) AS first_exchange_at,
                        (SELECT at FROM requests WHERE servicer_id = $1 AND status < 300
                         AND operation IN ('/v1/accounts', '/v1/accounts/get', '/v1/balances', '/v1/balances/get',
                                           '/v1/transactions', '/v1/transactions/get', '/v1/transactions/sync')
                         ORDER BY id LIMIT 1) AS first_data_at",
            )
            .bind(servicer)
            .fetch_one(conn)
            .await
        })
    }

    /// A servicer's calls and sessions since.
    pub async fn servicer_day(
        &mut self,
        servicer: ServicerId,
        since: DateTime<Utc>,
    ) -> DbResult<ServicerDay> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT (SELECT COUNT(*) FROM requests r JOIN tenants t ON t.id = r.tenant_id
                         WHERE t.servicer_id = $1 AND r.at > $2) AS requests,
                        (SELECT COUNT(*) FROM requests r JOIN tenants t ON t.id = r.tenant_id
                         WHERE t.servicer_id = $1 AND r.at > $2 AND r.status >= 400) AS errors,
                        (SELECT COUNT(*) FROM sessions s JOIN tenants t ON t.id = s.tenant_id
                         WHERE t.servicer_id = $1 AND s.id >= $3) AS sessions_started,
                        (SELECT COUNT(*) FROM sessions s JOIN tenants t ON t.id = s.tenant_id
                         WHERE t.servicer_id = $1 AND s.id >= $3 AND s.status = 'SESSION_COMPLETED') AS sessions_completed",
            )
            .bind(servicer)
            .bind(since)
            .bind(first_id_at(since))
            .fetch_one(conn)
            .await
        })
    }

    /// The latency, in microseconds, that 95 of 100 of the `calls` since stayed within.
    pub async fn servicer_p95(
        &mut self,
        servicer: ServicerId,
        since: DateTime<Utc>,
        calls: i64,
    ) -> DbResult<Option<i64>> {
        let skip = (calls * 95).div_euclid(100).min((calls - 1).max(0));
        run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT r.latency_us FROM requests r JOIN tenants t ON t.id = r.tenant_id
                 WHERE t.servicer_id = $1 AND r.at > $2 ORDER BY r.latency_us LIMIT 1 OFFSET $3",
            )
            .bind(servicer)
            .bind(since)
            .bind(skip)
            .fetch_optional(conn)
            .await
        })
    }
}
