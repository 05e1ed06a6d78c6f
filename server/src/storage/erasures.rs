//! What is taken from a tenant that is erased. Its name and its calls' statistics stay: they are the servicer's.

use app::domain::ids::{CredentialsId, TenantId};
use chrono::{DateTime, Utc};

use super::{Stored, Tx, run};

impl Tx {
    /// Stops a tenant and all its keys.
    pub async fn shut_tenant(&mut self, tenant: TenantId, now: DateTime<Utc>) -> Stored<()> {
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
    pub async fn strip_tenant(&mut self, tenant: TenantId, now: DateTime<Utc>) -> Stored<()> {
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
    pub async fn cut_retention(&mut self, id: CredentialsId, now: DateTime<Utc>) -> Stored<()> {
        run!(self, |conn| {
            sqlx::query("UPDATE consents SET data_until = $2 WHERE id = $1 AND data_until > $2")
                .bind(id)
                .bind(now)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }
}
