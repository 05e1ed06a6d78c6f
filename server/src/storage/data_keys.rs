//! Data keys, wrapped; and which process has read which keys of the key file.

use chrono::{DateTime, Utc};
use kernel::crypto::Wrapped;
use uuid::Uuid;

use super::{DbResult, Signal, Tx, run};

/// The signal that data keys were erased.
pub const ERASED: Signal = Signal::named("data_keys.erased");

/// A running process and the keys it has read.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct HolderRow {
    pub process: Uuid,
    /// The active vault key.
    pub vault: String,
    /// The active pepper.
    pub pepper: String,
    /// All keys, with a space between two.
    pub keys: String,
    pub seen_at: DateTime<Utc>,
}

impl Tx {
    /// Keeps the data key of a new owner; `false` if it has one.
    pub async fn add_data_key(&mut self, key: &Wrapped, now: DateTime<Utc>) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO data_keys (owner, head, under, wrapped, created_at) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (owner) DO NOTHING",
            )
            .bind(key.owner)
            .bind(&key.head)
            .bind(&key.under)
            .bind(&key.bytes)
            .bind(now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// The data key of an owner; `None` if it never had one, or it was erased.
    pub async fn data_key(&mut self, owner: Uuid) -> DbResult<Option<Wrapped>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT owner, head, under, wrapped AS bytes FROM data_keys WHERE owner = $1 AND wrapped IS NOT NULL",
            )
            .bind(owner)
            .fetch_optional(conn)
            .await
        })
    }

    /// Erases the data key of an owner: what was sealed under it never opens again. `false` if there was none.
    pub async fn erase_data_key(&mut self, owner: Uuid, now: DateTime<Utc>) -> DbResult<bool> {
        self.signal(ERASED);
        run!(self, |conn| {
            sqlx::query(
                "UPDATE data_keys SET wrapped = NULL, erased_at = $2 WHERE owner = $1 AND wrapped IS NOT NULL",
            )
            .bind(owner)
            .bind(now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Owners whose data key was erased since a time.
    pub async fn erased_owners(&mut self, since: DateTime<Utc>) -> DbResult<Vec<Uuid>> {
        run!(self, |conn| {
            sqlx::query_scalar("SELECT owner FROM data_keys WHERE erased_at >= $1")
                .bind(since)
                .fetch_all(conn)
                .await
        })
    }

    /// Tenants from before there were data keys, at most `limit`.
    pub async fn tenants_without_data_key(&mut self, limit: i64) -> DbResult<Vec<Uuid>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT id FROM tenants WHERE NOT EXISTS (SELECT 1 FROM data_keys WHERE owner = tenants.id) LIMIT $1",
            )
            .bind(limit)
            .fetch_all(conn)
            .await
        })
    }

    /// Data keys that are wrapped under another vault key than this one, at most `limit`.
    pub async fn data_keys_not_under(
        &mut self,
        under: &[u8],
        limit: i64,
    ) -> DbResult<Vec<Wrapped>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT owner, head, under, wrapped AS bytes FROM data_keys
                 WHERE under <> $1 AND wrapped IS NOT NULL ORDER BY owner LIMIT $2",
            )
            .bind(under)
            .bind(limit)
            .fetch_all(conn)
            .await
        })
    }

    /// Counts the data keys wrapped under a vault key.
    pub async fn count_data_keys_under(&mut self, under: &[u8]) -> DbResult<i64> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT COUNT(*) FROM data_keys WHERE under = $1 AND wrapped IS NOT NULL",
            )
            .bind(under)
            .fetch_one(conn)
            .await
        })
    }

    /// Wraps a data key anew, unless somebody did or it was erased meanwhile.
    pub async fn rewrap_data_key(&mut self, from: &Wrapped, to: &Wrapped) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE data_keys SET under = $3, wrapped = $4 WHERE owner = $1 AND under = $2 AND wrapped IS NOT NULL",
            )
            .bind(from.owner)
            .bind(&from.under)
            .bind(&to.under)
            .bind(&to.bytes)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Stores the keys that a process has read from the key file.
    pub async fn hold_keys(&mut self, row: &HolderRow) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO key_holders (process, vault, pepper, keys, seen_at) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (process) DO UPDATE
                 SET vault = excluded.vault, pepper = excluded.pepper, keys = excluded.keys, seen_at = excluded.seen_at",
            )
            .bind(row.process)
            .bind(&row.vault)
            .bind(&row.pepper)
            .bind(&row.keys)
            .bind(row.seen_at)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Forgets a process that ends, and those that have not been heard of since a time.
    pub async fn forget_holders(&mut self, process: Uuid, before: DateTime<Utc>) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("DELETE FROM key_holders WHERE process = $1 OR seen_at < $2")
                .bind(process)
                .bind(before)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// The processes heard of since a time.
    pub async fn key_holders(&mut self, since: DateTime<Utc>) -> DbResult<Vec<HolderRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT process, vault, pepper, keys, seen_at FROM key_holders WHERE seen_at >= $1 ORDER BY process",
            )
            .bind(since)
            .fetch_all(conn)
            .await
        })
    }
}
