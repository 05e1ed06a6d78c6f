//! Transactions, as cached under one consent: what filters ask for in clear, everything else sealed.

use app::domain::account::CreditDebit;
use app::domain::ids::{AccountId, CredentialsId, TransactionId};
use app::domain::transaction::BookingStatus;
use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;

use super::{Stored, Tx, run};
use crate::crypto::Digest;

/// Rows in one statement: 13 columns each stay far below both databases' limits on parameters (32,766 and 65,535).
const BATCH: usize = 500;

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
}

/// A place in the order of transactions, newest first: rows after it are older.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Newest {
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

impl<T: Copy> Range<T> {
    /// Its ends, with the operator of each.
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

/// Which transactions; all that is given must hold.
#[derive(Clone, Default)]
pub struct TransactionFilter {
    pub account_id: Option<AccountId>,
    pub currency: Option<String>,
    pub status: Option<String>,
    pub credit_debit: Option<String>,
    pub category: Option<String>,
    pub merchant: Option<Digest>,
    /// Ten-thousandths.
    pub amount: Range<i64>,
    pub booked_at: Range<DateTime<Utc>>,
    pub inserted_at: Range<DateTime<Utc>>,
}

impl Tx {
    /// Puts transactions in, or over the rows that they are. A row keeps its id and the time it was inserted.
    pub async fn put_transactions(&mut self, rows: &[TransactionRow]) -> Stored<()> {
        for batch in rows.chunks(BATCH) {
            run!(self, |conn| {
                let mut sql = QueryBuilder::new(
                    "INSERT INTO transactions (id, consent_id, account_id, utx, status, credit_debit, currency, amount,
                                               booked_at, category, merchant, sealed, inserted_at) ",
                );
                sql.push_values(batch, |mut values, row| {
                    values
                        .push_bind(row.id)
                        .push_bind(row.consent_id)
                        .push_bind(row.account_id)
                        .push_bind(&row.utx)
                        .push_bind(row.status)
                        .push_bind(row.credit_debit)
                        .push_bind(&row.currency)
                        .push_bind(row.amount)
                        .push_bind(row.booked_at)
                        .push_bind(&row.category)
                        .push_bind(&row.merchant)
                        .push_bind(&row.sealed)
                        .push_bind(row.inserted_at);
                });
                sql.push(
                    " ON CONFLICT (consent_id, utx) DO UPDATE
                     SET status = excluded.status, booked_at = excluded.booked_at, category = excluded.category,
                         merchant = excluded.merchant, sealed = excluded.sealed",
                );
                sql.build().execute(conn).await?;
            });
        }
        Ok(())
    }

    /// Where a transaction stands in the order of its consent.
    pub async fn transaction_place(
        &mut self,
        consent: CredentialsId,
        id: TransactionId,
    ) -> Stored<Option<Newest>> {
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
        filter: &TransactionFilter,
        after: Option<Newest>,
        limit: i64,
    ) -> Stored<Vec<TransactionRow>> {
        run!(self, |conn| {
            let mut sql = QueryBuilder::new(
                "SELECT id, consent_id, account_id, utx, status, credit_debit, currency, amount, booked_at, category,
                        merchant, sealed, inserted_at
                 FROM transactions WHERE consent_id = ",
            );
            sql.push_bind(consent);
            if let Some(account) = filter.account_id {
                sql.push(" AND account_id = ").push_bind(account);
            }
            for (column, value) in [
                (" AND currency = ", &filter.currency),
                (" AND status = ", &filter.status),
                (" AND credit_debit = ", &filter.credit_debit),
                (" AND category = ", &filter.category),
            ] {
                if let Some(value) = value {
                    sql.push(column).push_bind(value);
                }
            }
            if let Some(merchant) = &filter.merchant {
                sql.push(" AND merchant = ").push_bind(merchant);
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
            if let Some(after) = after {
                sql.push(" AND (booked_at, id) < (")
                    .push_bind(after.booked_at);
                sql.push(", ").push_bind(after.id).push(")");
            }
            sql.push(" ORDER BY booked_at DESC, id DESC LIMIT ")
                .push_bind(limit);
            sql.build_query_as().fetch_all(conn).await
        })
    }
}
