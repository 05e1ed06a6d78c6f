//! The end of accounts whose address nobody proved: everything that hangs on them goes, table by table.

use app::domain::ids::{PersonId, ServicerId};
use chrono::{DateTime, Utc};

use super::{DbResult, Tx, run};

/// Servicers that end with their only member `$1`: never approved, without production, and registered with the one form;
/// those that operators make have no country.
const SERVICERS: &str = "SELECT m.servicer_id FROM memberships m JOIN servicers v ON v.id = m.servicer_id
     WHERE m.person_id = $1 AND v.status = 'sandbox'
       AND NOT EXISTS (SELECT 1 FROM memberships o WHERE o.servicer_id = m.servicer_id AND o.person_id <> $1)
       AND v.country <> ''
       AND NOT EXISTS (SELECT 1 FROM tenants t WHERE t.servicer_id = m.servicer_id AND t.environment = 'production')";

/// Tables with rows that belong to a servicer `$1`, in an order of deletion that leaves no reference to a deleted row.
/// Every table with a servicer, tenant, session or consent in it has its line: a test compares the list with the
/// schema.
pub const SERVICER_TABLES: &[(&str, &str)] = &[
    ("upload_chunks", UPLOADS),
    ("uploads", SESSIONS),
    ("renewals", SESSIONS),
    ("products", CONSENTS),
    ("past_changes", CONSENTS),
    ("transactions", CONSENTS),
    ("unreadable_entries", CONSENTS),
    ("balances", CONSENTS),
    ("accounts", CONSENTS),
    ("payments", TENANTS),
    ("consents", TENANTS),
    ("temp_tokens", TENANTS),
    ("bank_returns", SESSIONS),
    ("nonces", SESSIONS),
    ("session_steps", SESSIONS),
    ("sessions", TENANTS),
    ("console_calls", RUNS),
    ("console_runs", "servicer_id = $1"),
    ("kept_answers", TENANTS),
    ("refused_signatures", "servicer_id = $1"),
    ("requests", "servicer_id = $1"),
    ("request_log_sizes", "servicer_id = $1"),
    ("tenant_keys", TENANTS),
    ("tenant_skills", TENANTS),
    ("tenant_origins", TENANTS),
    ("tenant_redirect_links", TENANTS),
    ("tenants", "servicer_id = $1"),
    ("signing_keys", "servicer_id = $1"),
    ("claim_tokens", "servicer_id = $1"),
    ("memberships", "servicer_id = $1"),
    ("servicers", "id = $1"),
];

/// Tables with rows that belong to a person `$1`, besides those of their servicers.
pub const PERSON_TABLES: &[(&str, &str)] = &[
    (
        "console_calls",
        "run_id IN (SELECT id FROM console_runs WHERE person_id = $1)",
    ),
    ("console_runs", "person_id = $1"),
    ("memberships", "person_id = $1"),
    ("email_links", "person_id = $1"),
    ("portal_sessions", "person_id = $1"),
    ("people", "id = $1"),
];

const TENANTS: &str = "tenant_id IN (SELECT id FROM tenants WHERE servicer_id = $1)";
const SESSIONS: &str = "session_id IN (SELECT s.id FROM sessions s JOIN tenants t ON t.id = s.tenant_id WHERE t.servicer_id = $1)";
const CONSENTS: &str = "consent_id IN (SELECT c.id FROM consents c JOIN tenants t ON t.id = c.tenant_id WHERE t.servicer_id = $1)";
const UPLOADS: &str =
    "upload_id IN (SELECT u.id FROM uploads u JOIN sessions s ON s.id = u.session_id
     JOIN tenants t ON t.id = s.tenant_id WHERE t.servicer_id = $1)";
const RUNS: &str = "run_id IN (SELECT id FROM console_runs WHERE servicer_id = $1)";

impl Tx {
    /// Returns `true` if there are unproved accounts from before their use was noted.
    pub async fn has_undated_people(&mut self) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "SELECT 1 FROM people WHERE last_used_at IS NULL AND verified_at IS NULL LIMIT 1",
            )
            .fetch_optional(conn)
            .await
            .map(|row| row.is_some())
        })
    }

    /// Notes `now` as the last use of unproved accounts from before their use was noted, so that their days begin.
    pub async fn begin_days_of_unproved(&mut self, now: DateTime<Utc>) -> DbResult<u64> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE people SET last_used_at = $1 WHERE last_used_at IS NULL AND verified_at IS NULL",
            )
            .bind(now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })
    }

    /// Accounts that never proved their address, unused since a time, neither in the portal nor by the keys of their
    /// tenants; at most `limit`.
    pub async fn unproved_unused(
        &mut self,
        since: DateTime<Utc>,
        limit: i64,
    ) -> DbResult<Vec<PersonId>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT p.id FROM people p
                 WHERE p.verified_at IS NULL AND NOT p.admin AND p.last_used_at <= $1
                   AND NOT EXISTS (SELECT 1 FROM memberships m JOIN tenants t ON t.servicer_id = m.servicer_id
                                   JOIN tenant_keys k ON k.tenant_id = t.id
                                   WHERE m.person_id = p.id AND k.last_used_at > $1)
                 ORDER BY p.last_used_at, p.id LIMIT $2",
            )
            .bind(since)
            .bind(limit)
            .fetch_all(conn)
            .await
        })
    }

    /// Takes an account for its end, unless it was proved or used meanwhile; answers the servicers that end with it.
    pub async fn take_for_ending(
        &mut self,
        person: PersonId,
        since: DateTime<Utc>,
    ) -> DbResult<Option<Vec<ServicerId>>> {
        let taken = run!(self, |conn| {
            sqlx::query(
                "UPDATE people SET email_key = '' WHERE id = $1 AND verified_at IS NULL AND last_used_at <= $2",
            )
            .bind(person)
            .bind(since)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })?;
        if !taken {
            return Ok(None);
        }
        run!(self, |conn| {
            sqlx::query_scalar(SERVICERS)
                .bind(person)
                .fetch_all(conn)
                .await
                .map(Some)
        })
    }

    /// Erases the data keys of a servicer's tenants: what was sealed under them is lost wherever a copy of it is. Answers
    /// whose they were. The rows stay for a while, so that every process forgets the keys.
    pub async fn erase_data_keys_of(
        &mut self,
        servicer: ServicerId,
        now: DateTime<Utc>,
    ) -> DbResult<Vec<uuid::Uuid>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "UPDATE data_keys SET wrapped = NULL, erased_at = $2
                 WHERE owner IN (SELECT id FROM tenants WHERE servicer_id = $1) AND wrapped IS NOT NULL
                 RETURNING owner",
            )
            .bind(servicer)
            .bind(now)
            .fetch_all(conn)
            .await
        })
    }

    /// Deletes a servicer with everything that hangs on it.
    pub async fn delete_servicer(&mut self, servicer: ServicerId) -> DbResult<()> {
        self.delete_all(SERVICER_TABLES, servicer.0).await
    }

    /// Deletes a person with everything that hangs on them beside their servicers.
    pub async fn delete_person(&mut self, person: PersonId) -> DbResult<()> {
        self.delete_all(PERSON_TABLES, person.0).await
    }

    async fn delete_all(
        &mut self,
        tables: &'static [(&'static str, &'static str)],
        id: uuid::Uuid,
    ) -> DbResult<()> {
        for (table, condition) in tables {
            let sql = sqlx::AssertSqlSafe(format!("DELETE FROM {table} WHERE {condition}"));
            run!(self, |conn| {
                sqlx::query(sql).bind(id).execute(conn).await.map(|_| ())
            })?;
        }
        Ok(())
    }
}
