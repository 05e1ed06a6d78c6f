//! Signatures of requests: which were accepted, as digests, so that none is twice; and what was wrong with others.

use app::domain::ids::{RequestId, ServicerId, TenantId};
use app::domain::signature::SignatureTerms;
use chrono::{DateTime, Utc};
use kernel::crypto::Digest;

use super::{DbResult, Tx, run};

/// Refused signatures that are kept for a servicer: so many whose sender proved something, and so many others.
const KEPT: i64 = 50;

/// Result of using a signature up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Used {
    First,
    Before,
    /// It ends no later than one that was deleted, so that its use cannot be known: the clock went back.
    Forgotten {
        to: DateTime<Utc>,
    },
}

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
    /// `true` if a valid secret or signature came with it. Such rows are counted apart, so that strangers' requests
    /// push none of them out.
    pub proved: bool,
}

impl Tx {
    /// Uses a signature up. `ends_at`: from when on it would be refused anyway.
    pub async fn use_signature(
        &mut self,
        digest: &Digest,
        ends_at: DateTime<Utc>,
    ) -> DbResult<Used> {
        // Under the name it had before there were data keys.
        if digest.has_other() && self.is_used_signature(digest).await? {
            return Ok(Used::Before);
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
        // Looked at last: whatever was forgotten before the row was written is known here.
        match self.signatures_forgotten_to().await? {
            Some(to) if ends_at <= to => Ok(Used::Forgotten { to }),
            _ if used == 1 => Ok(Used::First),
            _ => Ok(Used::Before),
        }
    }

    /// The latest end of a signature that was forgotten.
    pub async fn signatures_forgotten_to(&mut self) -> DbResult<Option<DateTime<Utc>>> {
        run!(self, |conn| {
            sqlx::query_scalar("SELECT forgotten_to FROM forgotten_signatures WHERE id = 1")
                .fetch_optional(conn)
                .await
        })
    }

    /// Returns `true` if a signature was used.
    pub async fn is_used_signature(&mut self, digest: &Digest) -> DbResult<bool> {
        let count: i64 = run!(self, |conn| {
            sqlx::query_scalar("SELECT COUNT(*) FROM used_signatures WHERE digest IN ($1, $2)")
                .bind(digest)
                .bind(digest.other())
                .fetch_one(conn)
                .await
        })?;
        Ok(count > 0)
    }

    /// Notes which of the signatures that are about to be forgotten ends last: a clock that goes back further must make
    /// none of them good again.
    pub async fn note_forgotten_signatures(&mut self, before: DateTime<Utc>) -> DbResult<()> {
        let last: Option<DateTime<Utc>> = run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT ends_at FROM used_signatures WHERE ends_at <= $1 ORDER BY ends_at DESC LIMIT 1",
            )
            .bind(before)
            .fetch_optional(conn)
            .await
        })?;
        let Some(last) = last else {
            return Ok(());
        };
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO forgotten_signatures (id, forgotten_to) VALUES (1, $1)
                 ON CONFLICT (id) DO UPDATE SET forgotten_to = excluded.forgotten_to
                 WHERE forgotten_signatures.forgotten_to < excluded.forgotten_to",
            )
            .bind(last)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Keeps what was wrong with a signature, and of its servicer the latest ones only.
    pub async fn add_refused_signature(
        &mut self,
        servicer: ServicerId,
        row: &RefusedRow,
    ) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO refused_signatures (request_id, servicer_id, tenant_id, at, method, path, findings, proved)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(row.request_id)
            .bind(servicer)
            .bind(row.tenant_id)
            .bind(row.at)
            .bind(&row.method)
            .bind(&row.path)
            .bind(&row.findings)
            .bind(row.proved)
            .execute(conn)
            .await
            .map(|_| ())
        })?;
        run!(self, |conn| {
            sqlx::query(
                "DELETE FROM refused_signatures WHERE servicer_id = $1 AND proved = $3 AND request_id NOT IN (
                     SELECT request_id FROM refused_signatures WHERE servicer_id = $1 AND proved = $3
                     ORDER BY request_id DESC LIMIT $2)",
            )
            .bind(servicer)
            .bind(KEPT)
            .bind(row.proved)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// The latest refused signatures of a servicer: of those who proved something, or of the others.
    pub async fn refused_signatures(
        &mut self,
        servicer: ServicerId,
        proved: bool,
        limit: i64,
    ) -> DbResult<Vec<RefusedRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT request_id, tenant_id, at, method, path, findings, proved FROM refused_signatures
                 WHERE servicer_id = $1 AND proved = $2 ORDER BY request_id DESC LIMIT $3",
            )
            .bind(servicer)
            .bind(proved)
            .bind(limit)
            .fetch_all(conn)
            .await
        })
    }

    /// The refused signature of a request.
    pub async fn refused_signature(
        &mut self,
        servicer: ServicerId,
        request: RequestId,
    ) -> DbResult<Option<RefusedRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT request_id, tenant_id, at, method, path, findings, proved FROM refused_signatures
                 WHERE servicer_id = $1 AND request_id = $2",
            )
            .bind(servicer)
            .bind(request)
            .fetch_optional(conn)
            .await
        })
    }

    /// A tenant's demands on signatures.
    pub async fn signature_terms(&mut self, tenant: TenantId) -> DbResult<Option<SignatureTerms>> {
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
    ) -> DbResult<bool> {
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
