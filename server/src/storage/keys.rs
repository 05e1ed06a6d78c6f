//! Tenant keys: digests of both kinds, sealed copies of app keys, and the one read that every call begins with.
//!
//! At most two keys of a kind are live on a tenant. The unique index over (tenant, kind, place) of keys that were not
//! stopped holds that, however many rotate at once.

use app::domain::ids::{KeyId, PersonId, ServicerId, TenantId};
use app::domain::key::KeyKind;
use app::domain::servicer::ServicerStatus;
use app::domain::tenant::{Environment, TenantStatus};
use chrono::{DateTime, Utc};
use kernel::crypto::Digest;

use super::{DbResult, Tx, run};

/// Facts about a tenant that every call in its name needs.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct TenantAuth {
    pub tenant: TenantId,
    pub servicer: ServicerId,
    pub name: String,
    pub environment: Environment,
    pub tenant_status: TenantStatus,
    pub servicer_status: ServicerStatus,
    /// `true` if its server calls must be signed.
    pub signed_only: bool,
    /// Seconds a signature may live at most.
    pub signature_seconds: i64,
    /// Networks its server may call from, in CIDR form with a blank between two; everywhere if empty.
    pub networks: String,
}

/// A key found by its digest, with its tenant.
#[derive(Clone, sqlx::FromRow)]
pub struct KeyAuth {
    pub key: KeyId,
    /// Stored digest, under the active pepper or the other one of a rotation.
    pub digest: Digest,
    pub kind: KeyKind,
    pub ends_at: Option<DateTime<Utc>>,
    pub stopped_at: Option<DateTime<Utc>>,
    #[sqlx(flatten)]
    pub tenant: TenantAuth,
}

impl KeyAuth {
    /// Returns `true` if calls may be made with it: it is neither stopped nor at its end.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.stopped_at.is_none() && self.ends_at.is_none_or(|end| end > now)
    }
}

/// One key of a tenant, as the portal lists it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct KeyRow {
    pub id: KeyId,
    pub kind: KeyKind,
    pub slot: i64,
    pub sealed: Option<Vec<u8>>,
    pub tail: String,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
    pub ends_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub last_used_by: Option<String>,
}

/// A key to be stored.
pub struct NewKeyRow<'a> {
    pub id: KeyId,
    pub tenant: TenantId,
    pub kind: KeyKind,
    pub slot: i64,
    pub digest: &'a Digest,
    pub sealed: Option<Vec<u8>>,
    pub tail: &'a str,
    pub created_at: DateTime<Utc>,
    pub created_by: &'a str,
}

impl Tx {
    /// The key with this digest, live or not, and its tenant: one indexed read.
    pub async fn key_by_digest(&mut self, digest: &Digest) -> DbResult<Option<KeyAuth>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT k.id AS key, k.digest, k.kind, k.ends_at, k.stopped_at,
                        t.id AS tenant, t.servicer_id AS servicer, t.name, t.environment,
                        t.status AS tenant_status, s.status AS servicer_status,
                        t.signed_only, t.signature_seconds, t.networks
                 FROM tenant_keys k
                 JOIN tenants t ON t.id = k.tenant_id
                 JOIN servicers s ON s.id = t.servicer_id
                 WHERE k.digest IN ($1, $2)",
            )
            .bind(digest)
            .bind(digest.other())
            .fetch_optional(conn)
            .await
        })
    }

    /// The tenant of this id, for calls that a nonce authorises.
    pub async fn tenant_auth(&mut self, tenant: TenantId) -> DbResult<Option<TenantAuth>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT t.id AS tenant, t.servicer_id AS servicer, t.name, t.environment,
                        t.status AS tenant_status, s.status AS servicer_status,
                        t.signed_only, t.signature_seconds, t.networks
                 FROM tenants t JOIN servicers s ON s.id = t.servicer_id
                 WHERE t.id = $1",
            )
            .bind(tenant)
            .fetch_optional(conn)
            .await
        })
    }

    /// Returns `true` if a tenant registered a web origin.
    pub async fn has_origin(&mut self, tenant: TenantId, origin: &str) -> DbResult<bool> {
        let count: i64 = run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT COUNT(*) FROM tenant_origins WHERE tenant_id = $1 AND origin = $2",
            )
            .bind(tenant)
            .bind(origin)
            .fetch_one(conn)
            .await
        })?;
        Ok(count > 0)
    }

    /// The keys of a tenant that are live at `now`, newest first within a kind.
    pub async fn live_keys(
        &mut self,
        tenant: TenantId,
        now: DateTime<Utc>,
    ) -> DbResult<Vec<KeyRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT id, kind, slot, sealed, tail, created_at, created_by, ends_at, last_used_at, last_used_by
                 FROM tenant_keys
                 WHERE tenant_id = $1 AND stopped_at IS NULL AND (ends_at IS NULL OR ends_at > $2)
                 ORDER BY kind DESC, id DESC",
            )
            .bind(tenant)
            .bind(now)
            .fetch_all(conn)
            .await
        })
    }

    /// Adds a key. Fails as [taken](super::is_taken) while its place holds a key that was not stopped.
    pub async fn add_key(&mut self, key: &NewKeyRow<'_>) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO tenant_keys (id, tenant_id, kind, slot, digest, sealed, tail, created_at, created_by)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            )
            .bind(key.id)
            .bind(key.tenant)
            .bind(key.kind)
            .bind(key.slot)
            .bind(key.digest)
            .bind(&key.sealed)
            .bind(key.tail)
            .bind(key.created_at)
            .bind(key.created_by)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Gives back the places of keys whose overlap is over.
    pub async fn retire_keys(
        &mut self,
        tenant: TenantId,
        kind: KeyKind,
        now: DateTime<Utc>,
    ) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE tenant_keys SET stopped_at = ends_at
                 WHERE tenant_id = $1 AND kind = $2 AND stopped_at IS NULL AND ends_at <= $3",
            )
            .bind(tenant)
            .bind(kind)
            .bind(now)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Lets a live key end at `at`, or earlier if it was to end earlier; says when, or `None` if it is not live.
    pub async fn end_key(
        &mut self,
        tenant: TenantId,
        key: KeyId,
        at: DateTime<Utc>,
    ) -> DbResult<Option<DateTime<Utc>>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "UPDATE tenant_keys
                 SET ends_at = CASE WHEN ends_at IS NOT NULL AND ends_at < $3 THEN ends_at ELSE $3 END
                 WHERE tenant_id = $1 AND id = $2 AND stopped_at IS NULL
                 RETURNING ends_at",
            )
            .bind(tenant)
            .bind(key)
            .bind(at)
            .fetch_optional(conn)
            .await
        })
    }

    /// Stops a live key at once; says which kind it was, or `None` if it was not live.
    pub async fn stop_key(
        &mut self,
        tenant: TenantId,
        key: KeyId,
        now: DateTime<Utc>,
    ) -> DbResult<Option<KeyKind>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "UPDATE tenant_keys SET stopped_at = $3
                 WHERE tenant_id = $1 AND id = $2 AND stopped_at IS NULL AND (ends_at IS NULL OR ends_at > $3)
                 RETURNING kind",
            )
            .bind(tenant)
            .bind(key)
            .bind(now)
            .fetch_optional(conn)
            .await
        })
    }

    /// Returns `true` if a tenant has a key, or had it.
    pub async fn has_key(&mut self, tenant: TenantId, key: KeyId) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT EXISTS (SELECT 1 FROM tenant_keys WHERE tenant_id = $1 AND id = $2)",
            )
            .bind(tenant)
            .bind(key)
            .fetch_one(conn)
            .await
        })
    }

    /// Stops every key of the sandbox tenants that a person owns.
    pub async fn stop_sandbox_keys_of(
        &mut self,
        person: PersonId,
        now: DateTime<Utc>,
    ) -> DbResult<u64> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE tenant_keys SET stopped_at = $2
                 WHERE stopped_at IS NULL AND tenant_id IN
                       (SELECT t.id FROM tenants t JOIN memberships m ON m.servicer_id = t.servicer_id
                        WHERE m.person_id = $1 AND m.role = 'owner' AND t.environment = 'sandbox')",
            )
            .bind(person)
            .bind(now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })
    }

    /// Stops every key that the servicers of the sandbox alone which a person owns sign with.
    pub async fn stop_signing_keys_of(
        &mut self,
        person: PersonId,
        now: DateTime<Utc>,
    ) -> DbResult<u64> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE signing_keys SET stopped_at = $2
                 WHERE stopped_at IS NULL AND servicer_id IN
                       (SELECT s.id FROM servicers s JOIN memberships m ON m.servicer_id = s.id
                        WHERE m.person_id = $1 AND m.role = 'owner' AND s.status = 'sandbox')",
            )
            .bind(person)
            .bind(now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })
    }

    /// Notes that somebody kept a key that they were shown.
    pub async fn note_key_seen(&mut self, key: KeyId, now: DateTime<Utc>) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("UPDATE tenant_keys SET seen_at = $2 WHERE id = $1 AND seen_at IS NULL")
                .bind(key)
                .bind(now)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Notes when and from where a key was last used; an older note never replaces a newer one.
    pub async fn note_key_use(&mut self, key: KeyId, at: DateTime<Utc>, by: &str) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE tenant_keys SET last_used_at = $2, last_used_by = $3
                 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)",
            )
            .bind(key)
            .bind(at)
            .bind(by)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }
}
