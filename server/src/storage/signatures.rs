//! Signatures of requests: which were accepted, as digests, so that none is twice; and what was wrong with others.

use app::domain::ids::{RequestId, ServicerId, TenantId};
use app::domain::signature::SignatureTerms;
use chrono::{DateTime, Utc};

use super::{Stored, Tx, run};
use crate::crypto::Digest;

/// Refused signatures that are kept for a servicer.
const KEPT: i64 = 50;

/// A signature that was refused, with what every check found.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RefusedRow {
    pub request_id: RequestId,
    pub tenant_id: TenantId,
    pub at: DateTime<Utc>,
    pub method: String,
    pub path: String,
    /// JSON.
    pub findings: String,
}

impl Tx {
    /// Uses a signature up; `false` if it was used before. `ends_at`: from when on it would be refused anyway.
    pub async fn use_signature(&mut self, digest: &Digest, ends_at: DateTime<Utc>) -> Stored<bool> {
        // Under the name it had before there were data keys.
        if digest.has_other() && self.is_used_signature(digest).await? {
            return Ok(false);
        }
        let used = run!(self, |conn| {
            sqlx::query(
                "INSERT INTO used_signatures (digest, ends_at) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING",
            )
            .bind(digest)
            .bind(ends_at)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })?;
        Ok(used == 1)
    }

    /// Whether a signature was used.
    pub async fn is_used_signature(&mut self, digest: &Digest) -> Stored<bool> {
        let count: i64 = run!(self, |conn| {
            sqlx::query_scalar("SELECT COUNT(*) FROM used_signatures WHERE digest IN ($1, $2)")
                .bind(digest)
                .bind(digest.other())
                .fetch_one(conn)
                .await
        })?;
        Ok(count > 0)
    }

    /// Keeps what was wrong with a signature, and of its servicer the latest ones only.
    pub async fn add_refused_signature(
        &mut self,
        servicer: ServicerId,
        row: &RefusedRow,
    ) -> Stored<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO refused_signatures (request_id, servicer_id, tenant_id, at, method, path, findings)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(row.request_id)
            .bind(servicer)
            .bind(row.tenant_id)
            .bind(row.at)
            .bind(&row.method)
            .bind(&row.path)
            .bind(&row.findings)
            .execute(conn)
            .await
            .map(|_| ())
        })?;
        run!(self, |conn| {
            sqlx::query(
                "DELETE FROM refused_signatures WHERE servicer_id = $1 AND request_id NOT IN (
                     SELECT request_id FROM refused_signatures WHERE servicer_id = $1 ORDER BY request_id DESC LIMIT $2)",
            )
            .bind(servicer)
            .bind(KEPT)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// The latest refused signatures of a servicer, or the one of a request.
    pub async fn refused_signatures(
        &mut self,
        servicer: ServicerId,
        request: Option<RequestId>,
        limit: i64,
    ) -> Stored<Vec<RefusedRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT request_id, tenant_id, at, method, path, findings FROM refused_signatures
                 WHERE servicer_id = $1 AND ($2 IS NULL OR request_id = $2) ORDER BY request_id DESC LIMIT $3",
            )
            .bind(servicer)
            .bind(request)
            .bind(limit)
            .fetch_all(conn)
            .await
        })
    }

    /// A tenant's demands on signatures.
    pub async fn signature_terms(&mut self, tenant: TenantId) -> Stored<Option<SignatureTerms>> {
        let found: Option<(bool, i64)> = run!(self, |conn| {
            sqlx::query_as("SELECT signed_only, signature_seconds FROM tenants WHERE id = $1")
                .bind(tenant)
                .fetch_optional(conn)
                .await
        })?;
        Ok(found.map(|(signed_only, seconds)| SignatureTerms {
            signed_only,
            seconds,
        }))
    }

    /// Sets a tenant's demands on signatures; `false` if they were changed by somebody else meanwhile.
    pub async fn set_signature_terms(
        &mut self,
        tenant: TenantId,
        from: SignatureTerms,
        to: SignatureTerms,
    ) -> Stored<bool> {
        let changed = run!(self, |conn| {
            sqlx::query(
                "UPDATE tenants SET signed_only = $4, signature_seconds = $5
                 WHERE id = $1 AND signed_only = $2 AND signature_seconds = $3",
            )
            .bind(tenant)
            .bind(from.signed_only)
            .bind(from.seconds)
            .bind(to.signed_only)
            .bind(to.seconds)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })?;
        Ok(changed == 1)
    }
}
