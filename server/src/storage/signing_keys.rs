//! Keys that servicers sign requests with: at most ten live ones each, which the unique index over (servicer, place)
//! holds, however many are added at once.

use app::domain::ids::{ServicerId, SigningKeyId};
use app::domain::signature::KeySource;
use chrono::{DateTime, Utc};

use super::{DbResult, Tx, run};

/// One live key, or set of keys behind a URL.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SigningKeyRow {
    pub id: SigningKeyId,
    pub issuer: String,
    pub source: KeySource,
    /// A JWK, or the URL of a set.
    pub material: String,
    pub kid: Option<String>,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
    pub last_used_at: Option<DateTime<Utc>>,
    /// Key set last fetched, if the source is a URL; otherwise `None`.
    pub fetched: Option<String>,
    pub fetched_at: Option<DateTime<Utc>>,
    /// Reason the last fetch failed; `None` if it did not.
    pub problem: Option<String>,
}

/// A key to be stored.
pub struct NewSigningKeyRow<'a> {
    pub id: SigningKeyId,
    pub servicer: ServicerId,
    pub slot: i64,
    pub issuer: &'a str,
    pub source: KeySource,
    pub material: &'a str,
    pub kid: Option<&'a str>,
    pub created_at: DateTime<Utc>,
    pub created_by: &'a str,
    pub fetched: Option<&'a str>,
}

impl Tx {
    /// The live keys of a servicer, the oldest first.
    pub async fn signing_keys(&mut self, servicer: ServicerId) -> DbResult<Vec<SigningKeyRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT id, issuer, source, material, kid, created_at, created_by, last_used_at, fetched, fetched_at, problem
                 FROM signing_keys WHERE servicer_id = $1 AND stopped_at IS NULL ORDER BY id",
            )
            .bind(servicer)
            .fetch_all(conn)
            .await
        })
    }

    /// Places that live keys of a servicer hold.
    pub async fn signing_slots(&mut self, servicer: ServicerId) -> DbResult<Vec<i64>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT slot FROM signing_keys WHERE servicer_id = $1 AND stopped_at IS NULL",
            )
            .bind(servicer)
            .fetch_all(conn)
            .await
        })
    }

    /// Adds a key. Fails as [taken](super::is_taken) if somebody else took its place.
    pub async fn add_signing_key(&mut self, key: &NewSigningKeyRow<'_>) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO signing_keys (id, servicer_id, slot, issuer, source, material, kid, created_at, created_by,
                                           fetched, fetched_at, asked_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
                         CASE WHEN $10 IS NULL THEN NULL ELSE $8 END, CASE WHEN $10 IS NULL THEN NULL ELSE $8 END)",
            )
            .bind(key.id)
            .bind(key.servicer)
            .bind(key.slot)
            .bind(key.issuer)
            .bind(key.source)
            .bind(key.material)
            .bind(key.kid)
            .bind(key.created_at)
            .bind(key.created_by)
            .bind(key.fetched)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Stops a live key of the servicer at once; answers its issuer, or `None` if there is no such live key.
    pub async fn stop_signing_key(
        &mut self,
        servicer: ServicerId,
        key: SigningKeyId,
        now: DateTime<Utc>,
    ) -> DbResult<Option<String>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "UPDATE signing_keys SET stopped_at = $3
                 WHERE servicer_id = $1 AND id = $2 AND stopped_at IS NULL RETURNING issuer",
            )
            .bind(servicer)
            .bind(key)
            .bind(now)
            .fetch_optional(conn)
            .await
        })
    }

    /// Claims the right to ask a set's URL: to one caller, and not again before `since` has passed.
    pub async fn claim_key_set(
        &mut self,
        key: SigningKeyId,
        now: DateTime<Utc>,
        since: DateTime<Utc>,
    ) -> DbResult<bool> {
        let claimed = run!(self, |conn| {
            sqlx::query(
                "UPDATE signing_keys SET asked_at = $2
                 WHERE id = $1 AND stopped_at IS NULL AND (asked_at IS NULL OR asked_at <= $3)",
            )
            .bind(key)
            .bind(now)
            .bind(since)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })?;
        Ok(claimed == 1)
    }

    /// Keeps what a set's URL answered.
    pub async fn keep_key_set(
        &mut self,
        key: SigningKeyId,
        set: &str,
        now: DateTime<Utc>,
    ) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE signing_keys SET fetched = $2, fetched_at = $3, problem = NULL WHERE id = $1",
            )
            .bind(key)
            .bind(set)
            .bind(now)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Notes that a set's URL could not be read; the set it answered before stays.
    pub async fn note_key_set_problem(&mut self, key: SigningKeyId, problem: &str) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("UPDATE signing_keys SET problem = $2 WHERE id = $1")
                .bind(key)
                .bind(problem)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Notes a use, to the minute.
    pub async fn note_signing_key_use(
        &mut self,
        key: SigningKeyId,
        now: DateTime<Utc>,
    ) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE signing_keys SET last_used_at = $2
                 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $3)",
            )
            .bind(key)
            .bind(now)
            .bind(now - chrono::Duration::minutes(1))
            .execute(conn)
            .await
            .map(|_| ())
        })
    }
}
