//! Records of idempotency keys: answers kept for requests that come again with the same `Idempotency-Key`, and leases of those still running.

use app::domain::ids::{RequestId, TenantId};
use chrono::{DateTime, Utc};
use kernel::crypto::Digest;

use super::{DbResult, Tx, run};

/// Identity of a request: its tenant, operation and idempotency key.
#[derive(Clone)]
pub struct IdempotencyKey {
    pub tenant: TenantId,
    pub operation: &'static str,
    pub key: Digest,
}

/// Answer kept under a key that is in use, or the lease of the request that still runs.
#[derive(sqlx::FromRow)]
pub struct IdempotencyRecord {
    pub key_digest: Digest,
    pub fingerprint: Vec<u8>,
    /// HTTP status; `None` while the first request runs.
    pub status: Option<i64>,
    pub sealed: Option<Vec<u8>>,
    pub expires_at: DateTime<Utc>,
}

impl Tx {
    /// Returns `true` if a request ran, or runs, under the digest its key had before there were data keys.
    pub async fn has_former_answer(
        &mut self,
        key: &IdempotencyKey,
        now: DateTime<Utc>,
    ) -> DbResult<bool> {
        if !key.key.has_other() {
            return Ok(false);
        }
        let count: i64 = run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT COUNT(*) FROM kept_answers
                 WHERE tenant_id = $1 AND operation = $2 AND key_digest = $3 AND expires_at > $4",
            )
            .bind(key.tenant)
            .bind(key.operation)
            .bind(key.key.other())
            .bind(now)
            .fetch_one(conn)
            .await
        })?;
        Ok(count > 0)
    }

    /// Takes a key for `holder` until `lease_until`, unless it is running or answered: says whether it was taken.
    pub async fn lease_idempotency_key(
        &mut self,
        key: &IdempotencyKey,
        holder: RequestId,
        fingerprint: &[u8],
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> DbResult<bool> {
        let rows = run!(self, |conn| {
            sqlx::query(
                "INSERT INTO kept_answers (tenant_id, operation, key_digest, fingerprint, holder, lease_until, expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $6)
                 ON CONFLICT (tenant_id, operation, key_digest) DO UPDATE
                 SET fingerprint = excluded.fingerprint, holder = excluded.holder, lease_until = excluded.lease_until,
                     expires_at = excluded.expires_at, status = NULL, sealed = NULL
                 WHERE kept_answers.expires_at <= $7",
            )
            .bind(key.tenant)
            .bind(key.operation)
            .bind(&key.key)
            .bind(fingerprint)
            .bind(holder)
            .bind(lease_until)
            .bind(now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }

    /// Returns the kept answer or lease of a key, if there is one.
    pub async fn idempotency_record(
        &mut self,
        key: &IdempotencyKey,
    ) -> DbResult<Option<IdempotencyRecord>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT key_digest, fingerprint, status, sealed, expires_at FROM kept_answers
                 WHERE tenant_id = $1 AND operation = $2 AND key_digest IN ($3, $4)
                 ORDER BY expires_at DESC LIMIT 1",
            )
            .bind(key.tenant)
            .bind(key.operation)
            .bind(&key.key)
            .bind(key.key.other())
            .fetch_optional(conn)
            .await
        })
    }

    /// Keeps the answer of the request that holds the key.
    pub async fn keep_idempotent_answer(
        &mut self,
        key: &IdempotencyKey,
        holder: RequestId,
        status: u16,
        sealed: &[u8],
        expires_at: DateTime<Utc>,
    ) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE kept_answers SET status = $5, sealed = $6, expires_at = $7
                 WHERE tenant_id = $1 AND operation = $2 AND key_digest = $3 AND holder = $4 AND status IS NULL",
            )
            .bind(key.tenant)
            .bind(key.operation)
            .bind(&key.key)
            .bind(holder)
            .bind(i64::from(status))
            .bind(sealed)
            .bind(expires_at)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Frees the key of a request whose answer is not kept.
    pub async fn release_idempotency_key(
        &mut self,
        key: &IdempotencyKey,
        holder: RequestId,
    ) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "DELETE FROM kept_answers
                 WHERE tenant_id = $1 AND operation = $2 AND key_digest = $3 AND holder = $4 AND status IS NULL",
            )
            .bind(key.tenant)
            .bind(key.operation)
            .bind(&key.key)
            .bind(holder)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }
}
