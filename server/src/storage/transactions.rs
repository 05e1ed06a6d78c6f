//! Transactions, as cached under one consent: what filters ask for in clear, everything else sealed.

use app::domain::account::CreditDebit;
use app::domain::currency::Currency;
use app::domain::ids::{AccountId, CredentialsId, TransactionId};
use app::domain::transaction::{BookingStatus, ChangeKind};
use chrono::{DateTime, Utc};
use kernel::crypto::Digest;
use sqlx::QueryBuilder;

use super::{DbResult, Tx, run};

/// Rows in one statement: 16 columns each stay far below both databases' limits on parameters (32,766 and 65,535).
pub(super) const BATCH: usize = 500;

/// One transaction.
#[derive(Clone, sqlx::FromRow)]
pub struct TransactionRow {
    pub id: TransactionId,
    pub consent_id: CredentialsId,
    pub account_id: AccountId,
    /// `utx_id`, decoded.
    pub utx: Digest,
    pub status: BookingStatus,
    pub credit_debit: CreditDebit,
    pub currency: String,
    /// Without sign, in ten-thousandths.
    pub amount: i64,
    pub booked_at: DateTime<Utc>,
    pub category: Option<String>,
    pub merchant: Option<Digest>,
    pub sealed: Vec<u8>,
    /// Whole seconds.
    pub inserted_at: DateTime<Utc>,
    /// The change that made the row what it is (see [`super::sync`]).
    pub change_no: i64,
    pub change_kind: ChangeKind,
    /// `utx` of the pending transaction this one took the place of.
    pub replaces: Option<Digest>,
}

/// Every column of a transaction, and of a past change, in one place.
macro_rules! transaction_columns {
    () => {
        "id, consent_id, account_id, utx, status, credit_debit, currency, amount, booked_at, category, merchant, \
         sealed, inserted_at, change_no, change_kind, replaces"
    };
}
pub(super) use transaction_columns;

/// Writes a row's columns, in the order of `transaction_columns!`.
macro_rules! push_transaction {
    ($values:expr, $row:expr) => {
        $values
            .push_bind($row.id)
            .push_bind($row.consent_id)
            .push_bind($row.account_id)
            .push_bind(&$row.utx)
            .push_bind($row.status)
            .push_bind($row.credit_debit)
            .push_bind(&$row.currency)
            .push_bind($row.amount)
            .push_bind($row.booked_at)
            .push_bind(&$row.category)
            .push_bind(&$row.merchant)
            .push_bind(&$row.sealed)
            .push_bind($row.inserted_at)
            .push_bind($row.change_no)
            .push_bind($row.change_kind)
            .push_bind(&$row.replaces)
    };
}
pub(super) use push_transaction;

/// A place in the order of transactions, newest first: rows after it are older.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct TransactionPosition {
    pub booked_at: DateTime<Utc>,
    pub id: TransactionId,
}

/// An interval whose ends may be open, closed or missing.
#[derive(Clone, Copy, Debug)]
pub struct Range<T> {
    pub gt: Option<T>,
    pub gte: Option<T>,
    pub lt: Option<T>,
    pub lte: Option<T>,
    pub eq: Option<T>,
}

impl<T> Default for Range<T> {
    fn default() -> Self {
        Self {
            gt: None,
            gte: None,
            lt: None,
            lte: None,
            eq: None,
        }
    }
}

impl<T: Copy + Ord> Range<T> {
    /// Returns the range of values that lie in both. If both have an `eq`, that of `self` counts.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let least = |a: Option<T>, b: Option<T>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self {
            gt: self.gt.max(other.gt),
            gte: self.gte.max(other.gte),
            lt: least(self.lt, other.lt),
            lte: least(self.lte, other.lte),
            eq: self.eq.or(other.eq),
        }
    }
}

impl<T: Copy> Range<T> {
    /// Returns the bounds that are set, each with its SQL operator.
    fn ends(&self) -> impl Iterator<Item = (&'static str, T)> {
        [
            (" > ", self.gt),
            (" >= ", self.gte),
            (" < ", self.lt),
            (" <= ", self.lte),
            (" = ", self.eq),
        ]
        .into_iter()
        .filter_map(|(operator, end)| end.map(|end| (operator, end)))
    }
}

/// Conditions on the columns of transactions; every field that is set must match.
#[derive(Clone, Default)]
pub struct TransactionConditions {
    pub account_id: Option<AccountId>,
    pub currency: Option<Currency>,
    pub status: Option<BookingStatus>,
    pub credit_debit: Option<CreditDebit>,
    pub category: Option<String>,
    /// Digests of merchants, of which one must match.
    pub merchant: Option<Vec<Digest>>,
    /// Amount in ten-thousandths of the currency unit.
    pub amount: Range<i64>,
    pub booked_at: Range<DateTime<Utc>>,
    pub inserted_at: Range<DateTime<Utc>>,
}

/// The statement for a page of transactions, with something in front.
macro_rules! page_sql {
    ($before:literal, $consent:expr, $filter:expr, $after:expr, $limit:expr) => {{
        let filter: &TransactionConditions = $filter;
        let mut sql = QueryBuilder::new(concat!(
            $before,
            "SELECT ",
            transaction_columns!(),
            " FROM transactions WHERE "
        ));
        match filter.account_id {
            // An account is of one consent alone: its own index is enough, and no other must be tempting.
            Some(account) => {
                sql.push("account_id = (SELECT id FROM accounts WHERE id = ")
                    .push_bind(account)
                    .push(" AND consent_id = ")
                    .push_bind($consent)
                    .push(")");
            }
            None => {
                sql.push("consent_id = ").push_bind($consent);
            }
        }
        // Written out, so that the index of those few is seen to fit.
        match filter.status {
            Some(BookingStatus::Pending) => drop(sql.push(" AND status = 'pending'")),
            Some(BookingStatus::Booked) => drop(sql.push(" AND status = 'booked'")),
            None => {}
        }
        if let Some(currency) = filter.currency {
            sql.push(" AND currency = ").push_bind(currency.as_str());
        }
        if let Some(direction) = filter.credit_debit {
            sql.push(" AND credit_debit = ").push_bind(direction);
        }
        if let Some(category) = &filter.category {
            sql.push(" AND category = ").push_bind(category);
        }
        if let Some(keys) = &filter.merchant {
            sql.push(" AND merchant IN (");
            let mut list = sql.separated(", ");
            for key in keys {
                list.push_bind(key);
            }
            sql.push(")");
        }
        for (operator, end) in filter.amount.ends() {
            sql.push(" AND amount").push(operator).push_bind(end);
        }
        for (operator, end) in filter.booked_at.ends() {
            sql.push(" AND booked_at").push(operator).push_bind(end);
        }
        for (operator, end) in filter.inserted_at.ends() {
            sql.push(" AND inserted_at").push(operator).push_bind(end);
        }
        if let Some(after) = $after {
            let after: TransactionPosition = after;
            sql.push(" AND (booked_at, id) < (")
                .push_bind(after.booked_at);
            sql.push(", ").push_bind(after.id).push(")");
        }
        sql.push(" ORDER BY booked_at DESC, id DESC LIMIT ")
            .push_bind($limit);
        sql
    }};
}

impl Tx {
    /// Puts transactions in, or over the rows that they are. A row keeps its id and the time it was inserted.
    pub async fn put_transactions(&mut self, rows: &[TransactionRow]) -> DbResult<()> {
        for batch in rows.chunks(BATCH) {
            run!(self, |conn| {
                let mut sql = QueryBuilder::new(concat!(
                    "INSERT INTO transactions (",
                    transaction_columns!(),
                    ") "
                ));
                sql.push_values(batch, |mut values, row| {
                    push_transaction!(values, row);
                });
                sql.push(
                    " ON CONFLICT (consent_id, utx) DO UPDATE
                     SET account_id = excluded.account_id, status = excluded.status, credit_debit = excluded.credit_debit,
                         currency = excluded.currency, amount = excluded.amount, booked_at = excluded.booked_at,
                         category = excluded.category, merchant = excluded.merchant, sealed = excluded.sealed,
                         change_no = excluded.change_no, change_kind = excluded.change_kind, missing_since = NULL",
                );
                sql.build().execute(conn).await?;
            });
        }
        Ok(())
    }

    /// The rows of a consent that are these transactions.
    pub async fn transactions_by_utx(
        &mut self,
        consent: CredentialsId,
        utx: &[&Digest],
    ) -> DbResult<Vec<TransactionRow>> {
        let mut rows = Vec::with_capacity(utx.len());
        for batch in utx.chunks(BATCH) {
            run!(self, |conn| {
                let mut sql = QueryBuilder::new(concat!(
                    "SELECT ",
                    transaction_columns!(),
                    " FROM transactions WHERE consent_id = "
                ));
                // As rows: of a plain list Postgres, while it has no statistics, compares each value with each row.
                sql.push_bind(consent).push(" AND utx IN (VALUES ");
                let mut list = sql.separated(", ");
                for one in batch {
                    list.push("(").push_bind_unseparated(*one);
                    list.push_unseparated(")");
                }
                sql.push(")");
                rows.extend(
                    sql.build_query_as::<TransactionRow>()
                        .fetch_all(conn)
                        .await?,
                );
            });
        }
        Ok(rows)
    }

    /// An account's transactions that are not booked yet.
    pub async fn pending_transactions(
        &mut self,
        consent: CredentialsId,
        account: AccountId,
    ) -> DbResult<Vec<TransactionRow>> {
        run!(self, |conn| {
            sqlx::query_as(concat!(
                "SELECT ",
                transaction_columns!(),
                " FROM transactions WHERE consent_id = $1 AND status = 'pending' AND account_id = $2
                 ORDER BY booked_at, id"
            ))
            .bind(consent)
            .bind(account)
            .fetch_all(conn)
            .await
        })
    }

    /// An account's booked transactions from a time on, oldest first, after a place.
    pub async fn booked_transactions(
        &mut self,
        account: AccountId,
        from: DateTime<Utc>,
        after: Option<TransactionPosition>,
        limit: i64,
    ) -> DbResult<Vec<TransactionRow>> {
        run!(self, |conn| {
            let mut sql = QueryBuilder::new(concat!(
                "SELECT ",
                transaction_columns!(),
                " FROM transactions WHERE status = 'booked' AND account_id = "
            ));
            sql.push_bind(account);
            match after {
                Some(after) => {
                    sql.push(" AND (booked_at, id) > (")
                        .push_bind(after.booked_at);
                    sql.push(", ").push_bind(after.id).push(")");
                }
                None => {
                    sql.push(" AND booked_at >= ").push_bind(from);
                }
            }
            sql.push(" ORDER BY booked_at, id LIMIT ").push_bind(limit);
            sql.build_query_as().fetch_all(conn).await
        })
    }

    /// An account's transactions booked, or known from, between two times, the ends included.
    pub async fn transactions_between(
        &mut self,
        account: AccountId,
        (from, until): (DateTime<Utc>, DateTime<Utc>),
        limit: i64,
    ) -> DbResult<Vec<TransactionRow>> {
        run!(self, |conn| {
            sqlx::query_as(concat!(
                "SELECT ",
                transaction_columns!(),
                " FROM transactions WHERE account_id = $1 AND booked_at >= $2 AND booked_at <= $3
                 ORDER BY booked_at, id LIMIT $4"
            ))
            .bind(account)
            .bind(from)
            .bind(until)
            .bind(limit)
            .fetch_all(conn)
            .await
        })
    }

    /// Notes since when the bank has not shown these.
    pub async fn mark_missing(
        &mut self,
        ids: &[TransactionId],
        now: DateTime<Utc>,
    ) -> DbResult<()> {
        for batch in ids.chunks(BATCH) {
            run!(self, |conn| {
                let mut sql = QueryBuilder::new("UPDATE transactions SET missing_since = ");
                sql.push_bind(now)
                    .push(" WHERE missing_since IS NULL AND id IN (");
                let mut list = sql.separated(", ");
                for id in batch {
                    list.push_bind(*id);
                }
                sql.push(")");
                sql.build().execute(conn).await?;
            });
        }
        Ok(())
    }

    /// Notes that nothing is amiss with these after all.
    pub async fn unmark_missing(&mut self, ids: &[TransactionId]) -> DbResult<()> {
        for batch in ids.chunks(BATCH) {
            run!(self, |conn| {
                let mut sql =
                    QueryBuilder::new("UPDATE transactions SET missing_since = NULL WHERE id IN (");
                let mut list = sql.separated(", ");
                for id in batch {
                    list.push_bind(*id);
                }
                sql.push(")");
                sql.build().execute(conn).await?;
            });
        }
        Ok(())
    }

    /// An account's transactions that the bank did not show, and since when.
    pub async fn missing_transactions(
        &mut self,
        account: AccountId,
    ) -> DbResult<Vec<(TransactionId, DateTime<Utc>)>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT id, missing_since FROM transactions
                 WHERE account_id = $1 AND missing_since IS NOT NULL ORDER BY id",
            )
            .bind(account)
            .fetch_all(conn)
            .await
        })
    }

    /// Takes transactions out.
    pub async fn delete_transactions(&mut self, ids: &[TransactionId]) -> DbResult<()> {
        for batch in ids.chunks(BATCH) {
            run!(self, |conn| {
                let mut sql = QueryBuilder::new("DELETE FROM transactions WHERE id IN (");
                let mut list = sql.separated(", ");
                for id in batch {
                    list.push_bind(*id);
                }
                sql.push(")");
                sql.build().execute(conn).await?;
            });
        }
        Ok(())
    }

    /// Returns the position of a transaction in the order of its consent; `None` if the consent has no such
    /// transaction.
    pub async fn transaction_position(
        &mut self,
        consent: CredentialsId,
        id: TransactionId,
    ) -> DbResult<Option<TransactionPosition>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT booked_at, id FROM transactions WHERE consent_id = $1 AND id = $2",
            )
            .bind(consent)
            .bind(id)
            .fetch_optional(conn)
            .await
        })
    }

    /// The transactions of a consent that a filter lets through, newest first.
    pub async fn transactions(
        &mut self,
        consent: CredentialsId,
        filter: &TransactionConditions,
        after: Option<TransactionPosition>,
        limit: i64,
    ) -> DbResult<Vec<TransactionRow>> {
        run!(self, |conn| {
            let mut sql = page_sql!("", consent, filter, after, limit);
            sql.build_query_as().fetch_all(conn).await
        })
    }

    /// Returns the database's query plan for [`Tx::transactions`]: for the benchmark, and for the test that holds the
    /// indexes.
    #[cfg(any(test, feature = "bench"))]
    pub async fn explain_transactions(
        &mut self,
        consent: CredentialsId,
        filter: &TransactionConditions,
        after: Option<TransactionPosition>,
    ) -> DbResult<String> {
        let lines: Vec<String> = match self.link() {
            super::Connection::Sqlite(conn) => {
                let mut sql = page_sql!("EXPLAIN QUERY PLAN ", consent, filter, after, 101_i64);
                let rows: Vec<(i64, i64, i64, String)> =
                    sql.build_query_as().fetch_all(conn).await?;
                rows.into_iter().map(|row| row.3).collect()
            }
            super::Connection::Postgres(conn) => {
                let mut sql = page_sql!(
                    "EXPLAIN (ANALYZE, BUFFERS) ",
                    consent,
                    filter,
                    after,
                    101_i64
                );
                sql.build_query_scalar().fetch_all(conn).await?
            }
        };
        Ok(lines.join("\n"))
    }
}
