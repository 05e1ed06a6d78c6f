//! Size of the request log by servicer, and deletion of what is too much or too old.

use std::collections::HashMap;

use app::domain::ids::{ServicerId, TenantId};
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use sqlx::QueryBuilder;

use super::request_log::RequestLogRow;
use super::{DbResult, Tx, run};

/// Bytes that a row takes besides its texts, indexes included.
const ROW: i64 = 600;
/// Rows that go in one transaction.
pub const BATCH: i64 = 500;

impl RequestLogRow {
    /// Returns its approximate size on disk in bytes, as [`Tx::trim_requests`] counts it too.
    fn size(&self) -> i64 {
        let texts = [
            &self.path,
            &self.user_agent,
            &self.request_body,
            &self.response_body,
        ];
        let bytes: usize = texts.into_iter().map(String::len).sum();
        ROW + i64::try_from(bytes).unwrap_or(0)
    }
}

fn hour(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}

impl Tx {
    /// The servicers of those of these tenants that exist.
    pub async fn tenants_servicers(
        &mut self,
        tenants: &[TenantId],
    ) -> DbResult<HashMap<TenantId, ServicerId>> {
        if tenants.is_empty() {
            return Ok(HashMap::new());
        }
        let rows: Vec<(TenantId, ServicerId)> = run!(self, |conn| {
            let mut select = QueryBuilder::new("SELECT id, servicer_id FROM tenants WHERE id IN (");
            let mut list = select.separated(", ");
            for tenant in tenants {
                list.push_bind(*tenant);
            }
            select.push(")");
            select.build_query_as().fetch_all(conn).await
        })?;
        Ok(rows.into_iter().collect())
    }

    /// Counts rows that were added.
    pub async fn count_requests(
        &mut self,
        rows: &[RequestLogRow],
        servicers: &HashMap<TenantId, ServicerId>,
    ) -> DbResult<()> {
        let mut sizes: HashMap<(ServicerId, DateTime<Utc>), i64> = HashMap::new();
        for row in rows {
            if let Some(servicer) = row.tenant_id.and_then(|tenant| servicers.get(&tenant)) {
                *sizes.entry((*servicer, hour(row.at))).or_default() += row.size();
            }
        }
        for ((servicer, hour), bytes) in sizes {
            run!(self, |conn| {
                sqlx::query(
                    "INSERT INTO request_log_sizes (servicer_id, hour, bytes) VALUES ($1, $2, $3)
                     ON CONFLICT (servicer_id, hour) DO UPDATE SET bytes = request_log_sizes.bytes + excluded.bytes",
                )
                .bind(servicer)
                .bind(hour)
                .bind(bytes)
                .execute(conn)
                .await
                .map(|_| ())
            })?;
        }
        Ok(())
    }

    /// Servicers of whom the log holds more than `most` bytes, and how much more.
    pub async fn heavy_servicers(&mut self, most: i64) -> DbResult<Vec<(ServicerId, i64)>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT servicer_id, CAST(SUM(bytes) - $1 AS BIGINT) FROM request_log_sizes
                 GROUP BY servicer_id HAVING SUM(bytes) > $1",
            )
            .bind(most)
            .fetch_all(conn)
            .await
        })
    }

    /// Deletes the oldest rows of a servicer, a bounded number at a time; says how many bytes that gave back. None: it
    /// has no rows, and is counted as empty from now on.
    pub async fn trim_requests(&mut self, servicer: ServicerId) -> DbResult<Option<i64>> {
        let gone: Vec<(DateTime<Utc>, i64)> = run!(self, |conn| {
            sqlx::query_as(
                "DELETE FROM requests WHERE id IN
                   (SELECT id FROM requests WHERE servicer_id = $1 ORDER BY id LIMIT $2)
                 RETURNING at, CAST($3 + octet_length(path) + octet_length(user_agent)
                                    + octet_length(request_body) + octet_length(response_body) AS BIGINT)",
            )
            .bind(servicer)
            .bind(BATCH)
            .bind(ROW)
            .fetch_all(conn)
            .await
        })?;
        if gone.is_empty() {
            run!(self, |conn| {
                sqlx::query("DELETE FROM request_log_sizes WHERE servicer_id = $1")
                    .bind(servicer)
                    .execute(conn)
                    .await
                    .map(|_| ())
            })?;
            return Ok(None);
        }
        let mut hours: HashMap<DateTime<Utc>, i64> = HashMap::new();
        for (at, bytes) in &gone {
            *hours.entry(hour(*at)).or_default() += bytes;
        }
        for (hour, bytes) in hours {
            run!(self, |conn| {
                sqlx::query(
                    "UPDATE request_log_sizes SET bytes = CASE WHEN bytes > $3 THEN bytes - $3 ELSE 0 END
                     WHERE servicer_id = $1 AND hour = $2",
                )
                .bind(servicer)
                .bind(hour)
                .bind(bytes)
                .execute(conn)
                .await
                .map(|_| ())
            })?;
        }
        Ok(Some(gone.iter().map(|(_, bytes)| bytes).sum()))
    }

    /// Forgets what was counted of hours whose rows are gone.
    pub async fn forget_request_sizes(&mut self, before: DateTime<Utc>) -> DbResult<u64> {
        run!(self, |conn| {
            sqlx::query("DELETE FROM request_log_sizes WHERE hour < $1")
                .bind(hour(before))
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })
    }
}
