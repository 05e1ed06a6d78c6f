//! The one table of what is deleted when, and the statement that deletes a batch of it. `inventory.rs` beside it says of
//! every table and column why it is kept; whatever it says is deleted by the schedule has its rule here.

use chrono::{DateTime, Duration, Utc};

use super::{DbResult, Tx};

/// One rule of the product's.
pub type RetentionRule = kernel::retention::RetentionRule<RetentionPeriod>;

/// The table that notes what it forgets (`storage/signatures.rs`).
const USED_SIGNATURES: &str = "used_signatures";

/// Duration that rows are kept for after the time that the rule's condition names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetentionPeriod {
    For(Duration),
    /// Kept for the days of the audit log, a setting (`data.audit_days`).
    Audit,
}

impl RetentionPeriod {
    /// The time before which rows are past theirs.
    pub fn bound(self, now: DateTime<Utc>, audit: Duration) -> DateTime<Utc> {
        match self {
            Self::For(time) => now - time,
            Self::Audit => now - audit,
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
    RetentionRule::delete(USED_SIGNATURES, "digest", "ends_at <= $1", DAY),
    RetentionRule::delete_by_micros("budgets", "subject", "whole_at <= $1", NOW),
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
    /// Applies a rule to at most `limit` rows, and returns how many it changed.
    pub async fn forget(
        &mut self,
        rule: &RetentionRule,
        bound: DateTime<Utc>,
        limit: i64,
    ) -> DbResult<u64> {
        if rule.table == USED_SIGNATURES {
            self.note_forgotten_signatures(bound).await?;
        }
        rule.forget(self, bound, limit).await
    }
}
