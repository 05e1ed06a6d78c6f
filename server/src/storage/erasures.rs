//! Erasure of a consent's data, and of a tenant's: its name and its calls' statistics stay, they are the servicer's.

use app::domain::ids::{CredentialsId, TenantId};
use chrono::{DateTime, Utc};

use super::{DbResult, Tx, run};

impl Tx {
    /// Stops a tenant and all its keys.
    pub async fn shut_tenant(&mut self, tenant: TenantId, now: DateTime<Utc>) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("UPDATE tenants SET status = 'paused' WHERE id = $1")
                .bind(tenant)
                .execute(&mut *conn)
                .await?;
            sqlx::query(
                "UPDATE tenant_keys SET stopped_at = $2 WHERE tenant_id = $1 AND stopped_at IS NULL",
            )
            .bind(tenant)
            .bind(now)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Empties what only the tenant could read, and lets its sessions end now.
    pub async fn strip_tenant(&mut self, tenant: TenantId, now: DateTime<Utc>) -> DbResult<()> {
        run!(self, |conn| {
            for sql in [
                "UPDATE tenants SET utx_key = $3 WHERE id = $1 AND $2 = $2",
                "UPDATE tenant_keys SET sealed = NULL WHERE tenant_id = $1 AND $2 = $2 AND $3 = $3",
                "UPDATE temp_tokens SET sealed = $3, died_at = COALESCE(died_at, $2) WHERE tenant_id = $1",
                "UPDATE sessions SET expires_at = $2, pending_since = NULL
                 WHERE tenant_id = $1 AND expires_at > $2 AND $3 = $3",
                "DELETE FROM kept_answers WHERE tenant_id = $1 AND $2 = $2 AND $3 = $3",
                "DELETE FROM tenant_redirect_links WHERE tenant_id = $1 AND $2 = $2 AND $3 = $3",
                "DELETE FROM tenant_origins WHERE tenant_id = $1 AND $2 = $2 AND $3 = $3",
                "DELETE FROM console_calls WHERE run_id IN (SELECT id FROM console_runs WHERE tenant_id = $1)
                 AND $2 = $2 AND $3 = $3",
                "DELETE FROM console_runs WHERE tenant_id = $1 AND $2 = $2 AND $3 = $3",
            ] {
                sqlx::query(sql)
                    .bind(tenant)
                    .bind(now)
                    .bind(Vec::<u8>::new())
                    .execute(&mut *conn)
                    .await?;
            }
            Ok(())
        })
    }

    /// Lets the data of a consent go now.
    pub async fn cut_retention(&mut self, id: CredentialsId, now: DateTime<Utc>) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("UPDATE consents SET data_until = $2 WHERE id = $1 AND data_until > $2")
                .bind(id)
                .bind(now)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Consents whose data has to go by now, the oldest first.
    pub async fn consents_to_erase(
        &mut self,
        now: DateTime<Utc>,
        limit: i64,
    ) -> DbResult<Vec<CredentialsId>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT id FROM consents WHERE erased_at IS NULL AND data_until <= $1 ORDER BY data_until LIMIT $2",
            )
            .bind(now)
            .bind(limit)
            .fetch_all(conn)
            .await
        })
    }

    /// Deletes up to `limit` each of a consent's transactions and past changes; says how many there were.
    pub async fn erase_transactions(&mut self, id: CredentialsId, limit: i64) -> DbResult<u64> {
        run!(self, |conn| {
            let rows = sqlx::query(
                "DELETE FROM transactions WHERE consent_id = $1 AND change_no > 0 AND change_no IN
                    (SELECT change_no FROM transactions WHERE consent_id = $1 AND change_no > 0
                     ORDER BY change_no LIMIT $2)",
            )
            .bind(id)
            .bind(limit)
            .execute(&mut *conn)
            .await?
            .rows_affected();
            let past = sqlx::query(
                "DELETE FROM past_changes WHERE consent_id = $1 AND change_no IN
                    (SELECT change_no FROM past_changes WHERE consent_id = $1 ORDER BY change_no LIMIT $2)",
            )
            .bind(id)
            .bind(limit)
            .execute(conn)
            .await?
            .rows_affected();
            Ok(rows + past)
        })
    }

    /// Deletes what else is kept under a consent, its way into the bank included. The record itself stays, empty.
    pub async fn erase_consent(&mut self, id: CredentialsId, now: DateTime<Utc>) -> DbResult<()> {
        run!(self, |conn| {
            for sql in [
                "DELETE FROM past_changes WHERE consent_id = $1",
                "DELETE FROM unreadable_entries WHERE consent_id = $1",
                "DELETE FROM transactions WHERE consent_id = $1",
                "DELETE FROM balances WHERE consent_id = $1",
                "DELETE FROM accounts WHERE consent_id = $1",
                "DELETE FROM payments WHERE consent_id = $1",
                "DELETE FROM products WHERE consent_id = $1",
            ] {
                sqlx::query(sql).bind(id).execute(&mut *conn).await?;
            }
            sqlx::query(
                "UPDATE consents SET bank_grant = NULL, tenant_user = NULL, erased_at = $2, bank_calls = NULL,
                                     fetch_claim = NULL, fetch_until = NULL, refresh_at = NULL,
                                     status = CASE WHEN status = 'ACTIVE' THEN 'EXPIRED' ELSE status END
                 WHERE id = $1 AND erased_at IS NULL",
            )
            .bind(id)
            .bind(now)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }
}
