//! The one table of what is deleted when, and the statement that deletes a batch of it. `inventory.rs` beside it says of
//! every table and column why it is kept; whatever it says is deleted by the schedule has its rule here.

use chrono::{DateTime, Duration, Utc};
use sqlx::AssertSqlSafe;

use super::{DbResult, Tx, run};

/// Rows in one transaction, so that nobody waits long for the one who writes.
pub const BATCH: i64 = 500;

/// One rule: which rows of a table are past their time.
#[derive(Clone, Copy, Debug)]
pub struct RetentionRule {
    pub table: &'static str,
    /// Columns that identify a row.
    key: &'static str,
    /// A condition; `$1` is the present less `kept`.
    due: &'static str,
    pub kept: RetentionPeriod,
    does: Does,
}

/// Duration that rows are kept for after the time that the rule's condition names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetentionPeriod {
    For(Duration),
    /// Kept for the days of the audit log, a setting (`data.audit_days`).
    Audit,
}

#[derive(Clone, Copy, Debug)]
enum Does {
    Delete,
    /// Deletes; the table counts microseconds since 1970.
    DeleteByMicros,
    /// Deletes, and notes the end of the last one that is deleted (`storage/signatures.rs`).
    DeleteSignatures,
    /// Takes columns away and leaves the row.
    Clear(&'static str),
}

impl RetentionRule {
    /// Deletes rows of a table by a condition.
    pub const fn delete(
        table: &'static str,
        key: &'static str,
        due: &'static str,
        kept: RetentionPeriod,
    ) -> Self {
        Self {
            table,
            key,
            due,
            kept,
            does: Does::Delete,
        }
    }

    /// Empties columns by a condition.
    pub const fn clear(
        table: &'static str,
        key: &'static str,
        set: &'static str,
        due: &'static str,
        kept: RetentionPeriod,
    ) -> Self {
        Self {
            table,
            key,
            due,
            kept,
            does: Does::Clear(set),
        }
    }

    /// The time before which rows are past theirs.
    pub fn bound(&self, now: DateTime<Utc>, audit: Duration) -> DateTime<Utc> {
        match self.kept {
            RetentionPeriod::For(time) => now - time,
            RetentionPeriod::Audit => now - audit,
        }
    }
}

const NOW: RetentionPeriod = RetentionPeriod::For(Duration::zero());
const DAY: RetentionPeriod = RetentionPeriod::For(Duration::days(1));
const WEEK: RetentionPeriod = RetentionPeriod::For(Duration::days(7));
const MONTH: RetentionPeriod = RetentionPeriod::For(Duration::days(30));
const QUARTER: RetentionPeriod = RetentionPeriod::For(Duration::days(90));
const YEAR: RetentionPeriod = RetentionPeriod::For(Duration::days(365));

/// Every rule, what hangs on a row before the row itself.
pub const RULES: &[RetentionRule] = &[
    // Links and tokens that were mailed or printed: used or not, they say what they are for a week after their end.
    RetentionRule::delete("email_links", "digest", "expires_at < $1", WEEK),
    RetentionRule::delete("claim_tokens", "digest", "expires_at < $1", WEEK),
    RetentionRule::delete("portal_sessions", "digest", "expires_at <= $1", NOW),
    RetentionRule::delete(
        "sign_in_failures",
        "subject",
        "last_at < $1 AND (blocked_until IS NULL OR blocked_until < $1)",
        RetentionPeriod::For(Duration::hours(1)),
    ),
    // A letter counts for a day.
    RetentionRule::delete("letters_sent", "subject, place", "at <= $1", DAY),
    RetentionRule::delete(
        "kept_answers",
        "tenant_id, operation, key_digest",
        "expires_at <= $1",
        NOW,
    ),
    // Processes that ended without saying so.
    RetentionRule::delete("key_holders", "process", "seen_at < $1", DAY),
    RetentionRule::delete("requests", "id", "at < $1", MONTH),
    RetentionRule::delete("request_log_sizes", "servicer_id, hour", "hour < $1", MONTH),
    RetentionRule::delete("refused_signatures", "request_id", "at < $1", MONTH),
    // A clock that is set back by less than this refuses no signature; one that is set back further makes none good again.
    RetentionRule {
        table: "used_signatures",
        key: "digest",
        due: "ends_at <= $1",
        kept: DAY,
        does: Does::DeleteSignatures,
    },
    RetentionRule {
        table: "budgets",
        key: "subject",
        due: "whole_at <= $1",
        kept: NOW,
        does: Does::DeleteByMicros,
    },
    // Jobs that are done go at once; those given up wait for an operator.
    RetentionRule::delete(
        "jobs",
        "id",
        "failed_at IS NOT NULL AND failed_at < $1",
        MONTH,
    ),
    // Runs of the console: what they held goes a day after they began, the run itself a month later.
    RetentionRule::clear(
        "console_runs",
        "id",
        "held = NULL",
        "held IS NOT NULL AND forget_at <= $1",
        NOW,
    ),
    RetentionRule::delete(
        "console_calls",
        "run_id, position",
        "run_id IN (SELECT id FROM console_runs WHERE forget_at <= $1)",
        NOW,
    ),
    RetentionRule::delete(
        "console_runs",
        "id",
        "forget_at < $1 AND NOT EXISTS (SELECT 1 FROM console_calls c WHERE c.run_id = console_runs.id)",
        MONTH,
    ),
    // Keys that ended: who made them and used them last is of interest for a while.
    RetentionRule::delete(
        "tenant_keys",
        "id",
        "COALESCE(stopped_at, ends_at) < $1",
        YEAR,
    ),
    RetentionRule::delete("signing_keys", "id", "stopped_at < $1", YEAR),
    // A token handed in late is told what became of it; after that nobody knows it.
    RetentionRule::delete(
        "temp_tokens",
        "digest",
        "created_at < $1 AND session_id IN (SELECT id FROM sessions WHERE erased_at IS NOT NULL)",
        MONTH,
    ),
    // Of what was erased, that it was there: consents as long as the audit log, other sessions for a quarter of a year.
    RetentionRule::delete(
        "renewals",
        "session_id",
        "consent_id IN (SELECT id FROM consents WHERE erased_at < $1)",
        RetentionPeriod::Audit,
    ),
    RetentionRule::delete(
        "consents",
        "id",
        "erased_at < $1 AND NOT EXISTS (SELECT 1 FROM renewals r WHERE r.consent_id = consents.id)",
        RetentionPeriod::Audit,
    ),
    RetentionRule::delete(
        "sessions",
        "id",
        "erased_at < $1
           AND NOT EXISTS (SELECT 1 FROM consents c WHERE c.session_id = sessions.id)
           AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.session_id = sessions.id)
           AND NOT EXISTS (SELECT 1 FROM renewals r WHERE r.session_id = sessions.id)
           AND NOT EXISTS (SELECT 1 FROM temp_tokens t WHERE t.session_id = sessions.id)",
        QUARTER,
    ),
    RetentionRule::delete("audit_log", "id", "at < $1", RetentionPeriod::Audit),
];

/// The rule for a table.
#[cfg(test)]
pub fn rule(table: &str) -> &'static RetentionRule {
    RULES.iter().find(|rule| rule.table == table).unwrap()
}

impl Tx {
    /// Returns `true` if a rule has rows to work on.
    pub async fn is_due(&mut self, rule: &RetentionRule, bound: DateTime<Utc>) -> DbResult<bool> {
        let sql = format!("SELECT 1 FROM {} WHERE {} LIMIT 1", rule.table, rule.due);
        let micros = matches!(rule.does, Does::DeleteByMicros);
        run!(self, |conn| {
            let query = sqlx::query(AssertSqlSafe(sql));
            let query = if micros {
                query.bind(bound.timestamp_micros())
            } else {
                query.bind(bound)
            };
            query.fetch_optional(conn).await.map(|row| row.is_some())
        })
    }

    /// Applies a rule to at most `limit` rows, and returns how many it changed.
    pub async fn forget(
        &mut self,
        rule: &RetentionRule,
        bound: DateTime<Utc>,
        limit: i64,
    ) -> DbResult<u64> {
        let RetentionRule {
            table, key, due, ..
        } = rule;
        if matches!(rule.does, Does::DeleteSignatures) {
            self.note_forgotten_signatures(bound).await?;
        }
        let some = format!("WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {due} LIMIT $2)");
        let (sql, micros) = match rule.does {
            Does::Delete | Does::DeleteSignatures => (format!("DELETE FROM {table} {some}"), false),
            Does::DeleteByMicros => (format!("DELETE FROM {table} {some}"), true),
            Does::Clear(set) => (format!("UPDATE {table} SET {set} {some}"), false),
        };
        run!(self, |conn| {
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
