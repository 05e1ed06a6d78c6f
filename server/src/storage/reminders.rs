//! Owners that are reminded of consents that end soon, and the reminders already sent.

use app::domain::ids::TenantId;
use chrono::{DateTime, NaiveDate, Utc};

use super::{DbResult, Tx, run};

/// The day on which owners were reminded last.
const LAST_DAY: &str = "owners_reminded_on";

/// An owner of a tenant's servicer, with a proved address.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ReminderOwnerRow {
    pub email: String,
    /// The tenant's name.
    pub tenant: String,
}

impl Tx {
    /// Takes a day's reminders upon this transaction; `false` if they were sent.
    pub async fn claim_reminders(&mut self, day: NaiveDate) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO meta (key, value) VALUES ($1, $2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE meta.value < excluded.value",
            )
            .bind(LAST_DAY)
            .bind(day.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Marks the consents that end within some days and whose tenants were not told that; answers the tenant of each.
    pub async fn mark_reminded(
        &mut self,
        days: i64,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> DbResult<Vec<TenantId>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "UPDATE consents SET reminded = $1
                 WHERE status = 'ACTIVE' AND expires_at > $2 AND expires_at <= $3 AND (reminded IS NULL OR reminded > $1)
                 RETURNING tenant_id",
            )
            .bind(days)
            .bind(now)
            .bind(until)
            .fetch_all(conn)
            .await
        })
    }

    /// The owners of the servicer that a tenant belongs to.
    pub async fn owners_of_tenant(&mut self, tenant: TenantId) -> DbResult<Vec<ReminderOwnerRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT p.email, t.name AS tenant FROM tenants t
                 JOIN memberships m ON m.servicer_id = t.servicer_id AND m.role = 'owner'
                 JOIN people p ON p.id = m.person_id AND p.verified_at IS NOT NULL
                 WHERE t.id = $1 ORDER BY m.created_at, p.id",
            )
            .bind(tenant)
            .fetch_all(conn)
            .await
        })
    }
}
