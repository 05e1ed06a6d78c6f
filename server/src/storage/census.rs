//! Census of the digests made under a pepper: counted kind by kind, and ended where an operator says so.

use chrono::{DateTime, Utc};

use super::{DbResult, Tx, run};

/// One kind of digest.
pub struct DigestKind {
    /// Name of the kind, in the words of an operator.
    pub name: &'static str,
    /// Event that removes such digests by itself, or the action that an operator has to take.
    pub goes: &'static str,
    count: Count,
    /// Statement that ends what is left, bound like the count; `None` where digests only go away by themselves.
    end: Option<Count>,
}

/// One statement for a pepper with an id ($1: the id, eight bytes), and one for the pepper from before there were ids,
/// whose digests have 32 bytes. $2 is the time.
struct Count {
    by_id: &'static str,
    first: &'static str,
}

macro_rules! count {
    ($table:literal, $column:literal, $more:literal) => {
        Count {
            by_id: concat!(
                "SELECT COUNT(*) FROM ",
                $table,
                " WHERE substr(",
                $column,
                ", 1, 8) = $1 AND length(",
                $column,
                ") = 40 AND ",
                $more
            ),
            first: concat!(
                "SELECT COUNT(*) FROM ",
                $table,
                " WHERE length($1) < 9 AND length(",
                $column,
                ") = 32 AND ",
                $more
            ),
        }
    };
}

macro_rules! end {
    ($set:literal, $column:literal, $more:literal) => {
        Some(Count {
            by_id: concat!(
                $set,
                " WHERE substr(",
                $column,
                ", 1, 8) = $1 AND length(",
                $column,
                ") = 40 AND ",
                $more
            ),
            first: concat!(
                $set,
                " WHERE length($1) < 9 AND length(",
                $column,
                ") = 32 AND ",
                $more
            ),
        })
    };
}

/// Digests of secrets, which every rotation of the pepper moves.
pub static SECRETS: [DigestKind; 9] = [
    DigestKind {
        name: "client secrets and app keys",
        goes: "renewed when used next; rotate those that nobody uses",
        count: count!(
            "tenant_keys",
            "digest",
            "stopped_at IS NULL AND (ends_at IS NULL OR ends_at > $2)"
        ),
        end: end!(
            "UPDATE tenant_keys SET stopped_at = $2",
            "digest",
            "stopped_at IS NULL AND (ends_at IS NULL OR ends_at > $2)"
        ),
    },
    DigestKind {
        name: "access tokens of consents",
        goes: "renewed at the next read; those never read end with their consents",
        count: count!(
            "consents",
            "access_token",
            "status = 'ACTIVE' AND data_until > $2"
        ),
        // Their banks are told: consents_on_pepper.
        end: None,
    },
    DigestKind {
        name: "end-users that consents are bound to",
        goes: "renewed when tenant_user_id comes with the next read",
        count: count!(
            "consents",
            "tenant_user",
            "status = 'ACTIVE' AND data_until > $2"
        ),
        // Their banks are told: consents_on_pepper.
        end: None,
    },
    DigestKind {
        name: "sessions of the API under way",
        goes: "over within a day",
        count: count!("sessions", "tenant_user", "expires_at > $2"),
        end: None,
    },
    DigestKind {
        name: "nonces",
        goes: "over within half an hour, those that wait within a day",
        count: count!(
            "nonces",
            "digest",
            "used_at IS NULL AND (expires_at IS NULL OR expires_at > $2)"
        ),
        end: end!(
            "UPDATE nonces SET expires_at = $2",
            "digest",
            "used_at IS NULL AND (expires_at IS NULL OR expires_at > $2)"
        ),
    },
    DigestKind {
        name: "temp_tokens",
        goes: "over within ten minutes, those that wait for files within a day",
        count: count!(
            "temp_tokens",
            "digest",
            "exchanged_at IS NULL AND died_at IS NULL AND (expires_at IS NULL OR expires_at > $2)"
        ),
        end: end!(
            "UPDATE temp_tokens SET died_at = $2",
            "digest",
            "exchanged_at IS NULL AND died_at IS NULL AND (expires_at IS NULL OR expires_at > $2)"
        ),
    },
    DigestKind {
        name: "end-users at their bank",
        goes: "over when they come back, within a day",
        count: count!("bank_returns", "state", "outcome = 'waiting' AND $2 = $2"),
        end: None,
    },
    DigestKind {
        name: "links in letters and ways into servicers",
        goes: "over within a week",
        count: count!(
            "(SELECT digest, expires_at, used_at FROM email_links UNION ALL SELECT digest, expires_at, used_at FROM claim_tokens) l",
            "digest",
            "used_at IS NULL AND expires_at > $2"
        ),
        end: None,
    },
    DigestKind {
        name: "people signed in to the portal",
        goes: "renewed at their next click; over within twelve hours",
        count: count!("portal_sessions", "digest", "expires_at > $2"),
        end: end!("DELETE FROM portal_sessions", "digest", "expires_at > $2"),
    },
];

impl Tx {
    /// Counts the digests of a kind made under a pepper: the one with this id, or with `first` the one from before
    /// there were ids.
    pub async fn count_on_pepper(
        &mut self,
        kind: &DigestKind,
        tag: &[u8],
        first: bool,
        now: DateTime<Utc>,
    ) -> DbResult<i64> {
        let sql = if first {
            kind.count.first
        } else {
            kind.count.by_id
        };
        run!(self, |conn| {
            sqlx::query_scalar(sql)
                .bind(tag)
                .bind(now)
                .fetch_one(conn)
                .await
        })
    }

    /// Ends what is left of a kind on a pepper.
    pub async fn end_on_pepper(
        &mut self,
        kind: &DigestKind,
        tag: &[u8],
        first: bool,
        now: DateTime<Utc>,
    ) -> DbResult<u64> {
        let Some(end) = &kind.end else {
            return Ok(0);
        };
        let sql = if first { end.first } else { end.by_id };
        run!(self, |conn| {
            sqlx::query(sql)
                .bind(tag)
                .bind(now)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })
    }

    /// Counts the passwords that were hashed under the pepper with this prefix; empty for the one from before there
    /// were ids.
    pub async fn count_passwords_on(&mut self, prefix: &str) -> DbResult<i64> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT COUNT(*) FROM people WHERE password IS NOT NULL
                 AND CASE WHEN $1 = '' THEN password LIKE '$%' ELSE password LIKE $1 || '%' END",
            )
            .bind(prefix)
            .fetch_one(conn)
            .await
        })
    }

    /// Clears the passwords that were hashed with a pepper: their people choose new ones by letter.
    pub async fn clear_passwords_on(&mut self, prefix: &str) -> DbResult<u64> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE people SET password = NULL WHERE password IS NOT NULL
                 AND CASE WHEN $1 = '' THEN password LIKE '$%' ELSE password LIKE $1 || '%' END",
            )
            .bind(prefix)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })
    }

    /// Counts, by kind, the digests made under a pepper, before there were data keys, that are not renewed yet.
    pub async fn count_former_names(
        &mut self,
        now: DateTime<Utc>,
    ) -> DbResult<Vec<(&'static str, i64)>> {
        let kinds = [
            (
                "accounts, renamed when they are fetched next",
                "SELECT COUNT(*) FROM accounts WHERE length(bank_key) = 32 AND $1 = $1",
            ),
            (
                "products, renamed when they are asked for next",
                "SELECT COUNT(*) FROM products WHERE length(bank_key) = 32 AND $1 = $1",
            ),
            (
                "merchants of transactions, renamed by `secrets rewrap`",
                "SELECT COUNT(*) FROM transactions WHERE length(merchant) = 32 AND $1 = $1",
            ),
            (
                "answers kept for Idempotency-Keys, over within a day",
                "SELECT COUNT(*) FROM kept_answers WHERE length(key_digest) = 32 AND expires_at > $1",
            ),
            (
                "signatures used up, over within an hour",
                "SELECT COUNT(*) FROM used_signatures WHERE length(digest) = 32 AND ends_at > $1",
            ),
        ];
        let mut counts = Vec::new();
        for (name, sql) in kinds {
            let count: i64 = run!(self, |conn| {
                sqlx::query_scalar(sql).bind(now).fetch_one(conn).await
            })?;
            counts.push((name, count));
        }
        Ok(counts)
    }
}
