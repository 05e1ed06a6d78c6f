//! Rules of what is deleted when, and the statement that deletes a batch of it. Whoever has tables brings the rules and says
//! how long a row is kept.

use chrono::{DateTime, Duration, Utc};
use sqlx::AssertSqlSafe;

use crate::db::{Db, DbResult, Link, run};

/// Rows in one transaction, so that nobody waits long for the one who writes.
pub const BATCH: i64 = 500;

/// One rule: which rows of a table are past their time. `P` says how long they are kept after the time that the condition
/// names.
#[derive(Clone, Copy, Debug)]
pub struct RetentionRule<P = Duration> {
    pub table: &'static str,
    /// Columns that identify a row.
    key: &'static str,
    /// A condition; `$1` is the present less `kept`.
    due: &'static str,
    pub kept: P,
    does: Does,
}

#[derive(Clone, Copy, Debug)]
enum Does {
    Delete,
    /// Deletes; the table counts microseconds since 1970.
    DeleteByMicros,
    /// Takes columns away and leaves the row.
    Clear(&'static str),
}

/// A database with rules of its own, which is not the product's: what is past its time in it is deleted along.
#[derive(Clone)]
pub struct RuledDatabase {
    pub db: Db,
    pub rules: &'static [RetentionRule],
}

impl<P: Copy> RetentionRule<P> {
    /// Deletes rows of a table by a condition.
    pub const fn delete(
        table: &'static str,
        key: &'static str,
        due: &'static str,
        kept: P,
    ) -> Self {
        Self {
            table,
            key,
            due,
            kept,
            does: Does::Delete,
        }
    }

    /// Deletes rows of a table that counts microseconds since 1970.
    pub const fn delete_by_micros(
        table: &'static str,
        key: &'static str,
        due: &'static str,
        kept: P,
    ) -> Self {
        Self {
            table,
            key,
            due,
            kept,
            does: Does::DeleteByMicros,
        }
    }

    /// Empties columns by a condition.
    pub const fn clear(
        table: &'static str,
        key: &'static str,
        set: &'static str,
        due: &'static str,
        kept: P,
    ) -> Self {
        Self {
            table,
            key,
            due,
            kept,
            does: Does::Clear(set),
        }
    }

    /// Returns `true` if the rule has rows to work on: those that were due before `bound`.
    pub async fn is_due(&self, tx: &mut impl Link, bound: DateTime<Utc>) -> DbResult<bool> {
        let sql = format!("SELECT 1 FROM {} WHERE {} LIMIT 1", self.table, self.due);
        let micros = matches!(self.does, Does::DeleteByMicros);
        run!(tx, |conn| {
            let query = sqlx::query(AssertSqlSafe(sql));
            let query = if micros {
                query.bind(bound.timestamp_micros())
            } else {
                query.bind(bound)
            };
            query.fetch_optional(conn).await.map(|row| row.is_some())
        })
    }

    /// Applies the rule to at most `limit` rows that were due before `bound`, and returns how many it changed.
    pub async fn forget(
        &self,
        tx: &mut impl Link,
        bound: DateTime<Utc>,
        limit: i64,
    ) -> DbResult<u64> {
        let Self {
            table, key, due, ..
        } = self;
        let some = format!("WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {due} LIMIT $2)");
        let (sql, micros) = match self.does {
            Does::Delete => (format!("DELETE FROM {table} {some}"), false),
            Does::DeleteByMicros => (format!("DELETE FROM {table} {some}"), true),
            Does::Clear(set) => (format!("UPDATE {table} SET {set} {some}"), false),
        };
        run!(tx, |conn| {
            let query = sqlx::query(AssertSqlSafe(sql));
            let query = if micros {
                query.bind(bound.timestamp_micros())
            } else {
                query.bind(bound)
            };
            query
                .bind(limit)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })
    }
}
