//! Entries of banks' answers that could not be read: kept sealed as they came, so that nothing a bank said is lost.

use app::domain::ids::{AccountId, CredentialsId};
use chrono::{DateTime, Utc};
use kernel::crypto::Digest;
use sqlx::QueryBuilder;

use super::{DbResult, Tx, run};

/// One entry.
pub struct UnreadableRow {
    pub consent_id: CredentialsId,
    pub account_id: AccountId,
    /// Keyed digest of the entry.
    pub digest: Digest,
    /// The member that could not be read.
    pub field: String,
    pub sealed: Vec<u8>,
    pub seen_at: DateTime<Utc>,
}

/// Number of an account's entries that could not be read for one member.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct UnreadableCount {
    pub account_id: AccountId,
    pub field: String,
    pub count: i64,
}

impl Tx {
    /// Keeps an entry; one that is kept already was seen again.
    pub async fn put_unreadable(&mut self, row: &UnreadableRow) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO unreadable_entries (consent_id, account_id, digest, field, sealed, seen_at)
                 VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (consent_id, account_id, digest) DO UPDATE SET seen_at = excluded.seen_at",
            )
            .bind(row.consent_id)
            .bind(row.account_id)
            .bind(&row.digest)
            .bind(&row.field)
            .bind(&row.sealed)
            .bind(row.seen_at)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Forgets an account's entries, but for these.
    pub async fn keep_unreadable(
        &mut self,
        consent: CredentialsId,
        account: AccountId,
        kept: &[Digest],
    ) -> DbResult<()> {
        run!(self, |conn| {
            let mut sql = QueryBuilder::new("DELETE FROM unreadable_entries WHERE consent_id = ");
            sql.push_bind(consent)
                .push(" AND account_id = ")
                .push_bind(account);
            for digest in kept {
                sql.push(" AND digest <> ").push_bind(digest);
            }
            sql.build().execute(conn).await.map(|_| ())
        })
    }

    /// Counts the entries of a consent that could not be read, by account and member.
    pub async fn unreadable(&mut self, consent: CredentialsId) -> DbResult<Vec<UnreadableCount>> {
        let mut counts: Vec<UnreadableCount> = run!(self, |conn| {
            sqlx::query_as(
                "SELECT account_id, field, COUNT(*) AS count FROM unreadable_entries
                 WHERE consent_id = $1 GROUP BY account_id, field",
            )
            .bind(consent)
            .fetch_all(conn)
            .await
        })?;
        // Here, for databases sort texts each by its own rules.
        counts.sort_by(|a, b| (a.account_id, &a.field).cmp(&(b.account_id, &b.field)));
        Ok(counts)
    }
}
