//! Accounts and their balances, as cached under one consent. What a bank says about its customer is sealed.

use app::domain::ids::{AccountId, BalanceId, CredentialsId};
use chrono::{DateTime, Utc};
use kernel::crypto::Digest;
use sqlx::QueryBuilder;

use super::{DbResult, Tx, run};

/// One account.
#[derive(Clone, sqlx::FromRow)]
pub struct AccountRow {
    pub id: AccountId,
    pub consent_id: CredentialsId,
    pub bank_key: Digest,
    /// Position in the bank's own order.
    pub place: i64,
    pub sealed: Vec<u8>,
    pub fetched_at: DateTime<Utc>,
    /// Keyed digest of the bank's own `resourceId`; `None` for accounts from before it was kept.
    pub resource_key: Option<Digest>,
    /// Time since which the bank has not listed it; `None` while it does.
    pub missing_since: Option<DateTime<Utc>>,
    /// Time the bank was first seen to use one transaction id for two entries; `None` if it never was.
    pub ids_reused_at: Option<DateTime<Utc>>,
}

/// One balance.
#[derive(Clone, sqlx::FromRow)]
pub struct BalanceRow {
    pub id: BalanceId,
    pub consent_id: CredentialsId,
    pub account_id: AccountId,
    pub balance_type: String,
    pub currency: String,
    pub sealed: Vec<u8>,
    pub fetched_at: DateTime<Utc>,
}

/// Filter of balances; a field that is `None` matches all.
#[derive(Clone, Debug, Default)]
pub struct BalanceFilter {
    pub account_id: Option<AccountId>,
    pub balance_type: Option<String>,
    pub currency: Option<String>,
}

/// Page of a list sorted by id: at most `limit` rows after `after`.
#[derive(Clone, Copy, Debug)]
pub struct IdPage<T> {
    pub after: Option<T>,
    pub limit: i64,
}

impl Tx {
    /// Puts an account in, or over the one that it is; answers the id it is known by.
    pub async fn put_account(&mut self, row: &AccountRow) -> DbResult<AccountId> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "INSERT INTO accounts (id, consent_id, bank_key, place, sealed, fetched_at, resource_key)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)
                 ON CONFLICT (consent_id, bank_key) DO UPDATE
                 SET place = excluded.place, sealed = excluded.sealed, fetched_at = excluded.fetched_at,
                     resource_key = excluded.resource_key, missing_since = NULL
                 RETURNING id",
            )
            .bind(row.id)
            .bind(row.consent_id)
            .bind(&row.bank_key)
            .bind(row.place)
            .bind(&row.sealed)
            .bind(row.fetched_at)
            .bind(&row.resource_key)
            .fetch_one(conn)
            .await
        })
    }

    /// Gives an account the name it has today, if it still has the one from before there were data keys.
    pub async fn rename_account(
        &mut self,
        consent: CredentialsId,
        bank_key: &Digest,
    ) -> DbResult<()> {
        if !bank_key.has_other() {
            return Ok(());
        }
        run!(self, |conn| {
            sqlx::query("UPDATE accounts SET bank_key = $3 WHERE consent_id = $1 AND bank_key = $2")
                .bind(consent)
                .bind(bank_key.other())
                .bind(bank_key)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Notes since when the bank has not shown an account.
    pub async fn mark_account_missing(
        &mut self,
        id: AccountId,
        now: DateTime<Utc>,
    ) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE accounts SET missing_since = $2 WHERE id = $1 AND missing_since IS NULL",
            )
            .bind(id)
            .bind(now)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Notes that the bank uses one transaction id for several transactions of an account.
    pub async fn mark_ids_reused(&mut self, id: AccountId, now: DateTime<Utc>) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE accounts SET ids_reused_at = $2 WHERE id = $1 AND ids_reused_at IS NULL",
            )
            .bind(id)
            .bind(now)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// The accounts of a consent, in the bank's order.
    pub async fn accounts(&mut self, consent: CredentialsId) -> DbResult<Vec<AccountRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT id, consent_id, bank_key, place, sealed, fetched_at, resource_key, missing_since, ids_reused_at
                 FROM accounts WHERE consent_id = $1 ORDER BY place, id",
            )
            .bind(consent)
            .fetch_all(conn)
            .await
        })
    }

    /// Returns `true` if an account belongs to a consent.
    pub async fn is_account_of(&mut self, consent: CredentialsId, id: AccountId) -> DbResult<bool> {
        run!(self, |conn| {
            let found: i64 = sqlx::query_scalar(
                "SELECT COUNT(*) FROM accounts WHERE consent_id = $1 AND id = $2",
            )
            .bind(consent)
            .bind(id)
            .fetch_one(conn)
            .await?;
            Ok(found > 0)
        })
    }

    /// Returns `true` if a balance belongs to a consent.
    pub async fn is_balance_of(&mut self, consent: CredentialsId, id: BalanceId) -> DbResult<bool> {
        run!(self, |conn| {
            let found: i64 = sqlx::query_scalar(
                "SELECT COUNT(*) FROM balances WHERE consent_id = $1 AND id = $2",
            )
            .bind(consent)
            .bind(id)
            .fetch_one(conn)
            .await?;
            Ok(found > 0)
        })
    }

    /// Puts a balance in, or over the last one of its type and currency; answers the id it is known by.
    pub async fn put_balance(&mut self, row: &BalanceRow) -> DbResult<BalanceId> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "INSERT INTO balances (id, consent_id, account_id, balance_type, currency, sealed, fetched_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)
                 ON CONFLICT (account_id, balance_type, currency) DO UPDATE
                 SET sealed = excluded.sealed, fetched_at = excluded.fetched_at
                 RETURNING id",
            )
            .bind(row.id)
            .bind(row.consent_id)
            .bind(row.account_id)
            .bind(&row.balance_type)
            .bind(&row.currency)
            .bind(&row.sealed)
            .bind(row.fetched_at)
            .fetch_one(conn)
            .await
        })
    }

    /// Takes an account's balances out, but for these.
    pub async fn keep_balances(&mut self, account: AccountId, kept: &[BalanceId]) -> DbResult<()> {
        run!(self, |conn| {
            let mut sql = QueryBuilder::new("DELETE FROM balances WHERE account_id = ");
            sql.push_bind(account);
            if !kept.is_empty() {
                // One condition: SQLite reads no thousand of them.
                sql.push(" AND id NOT IN (");
                let mut list = sql.separated(", ");
                for id in kept {
                    list.push_bind(*id);
                }
                sql.push(")");
            }
            sql.build().execute(conn).await.map(|_| ())
        })
    }

    /// Takes an account out that has neither transactions nor balances left.
    pub async fn delete_account(&mut self, account: AccountId) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("DELETE FROM accounts WHERE id = $1")
                .bind(account)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// The balances of a consent that a filter lets through, by id.
    pub async fn balances(
        &mut self,
        consent: CredentialsId,
        filter: &BalanceFilter,
        page: IdPage<BalanceId>,
    ) -> DbResult<Vec<BalanceRow>> {
        run!(self, |conn| {
            let mut sql = QueryBuilder::new(
                "SELECT id, consent_id, account_id, balance_type, currency, sealed, fetched_at FROM balances
                 WHERE consent_id = ",
            );
            sql.push_bind(consent);
            if let Some(account) = filter.account_id {
                sql.push(" AND account_id = ").push_bind(account);
            }
            if let Some(kind) = &filter.balance_type {
                sql.push(" AND balance_type = ").push_bind(kind);
            }
            if let Some(currency) = &filter.currency {
                sql.push(" AND currency = ").push_bind(currency);
            }
            if let Some(after) = page.after {
                sql.push(" AND id > ").push_bind(after);
            }
            sql.push(" ORDER BY id LIMIT ").push_bind(page.limit);
            sql.build_query_as().fetch_all(conn).await
        })
    }
}
