//! The log of changes to a consent's transactions, which a client's mirror is kept by.
//!
//! Each change has a number, taken from a counter in the consent's own row. That row stays locked until the change is
//! committed, so numbers come to light in their order: whoever has seen a number has seen all before it. A row says
//! which change made it what it is; what a later change has overtaken is kept in `past_changes`, so that the two
//! together hold every change exactly once.

use app::domain::ids::CredentialsId;
use sqlx::QueryBuilder;

use super::transactions::{BATCH, TransactionRow, push_transaction, transaction_columns};
use super::{DbResult, Tx, run};

/// The statement for changes after a number, with something in front. That numbers are positive is said for the index,
/// which asks for it.
macro_rules! changes_sql {
    ($before:literal) => {
        concat!(
            $before,
            "SELECT * FROM (
                SELECT * FROM (SELECT ",
            transaction_columns!(),
            "       FROM transactions
                    WHERE consent_id = $1 AND change_no > 0 AND change_no > $2 ORDER BY change_no LIMIT $3) AS rows_now
                UNION ALL
                SELECT * FROM (SELECT ",
            transaction_columns!(),
            "       FROM past_changes WHERE consent_id = $1 AND change_no > $2 ORDER BY change_no LIMIT $3) AS rows_past
             ) AS changes ORDER BY change_no LIMIT $3"
        )
    };
}

impl Tx {
    /// Takes the next `count` numbers of a consent; answers the last of them.
    pub async fn take_changes(&mut self, consent: CredentialsId, count: i64) -> DbResult<i64> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "UPDATE consents SET changes = changes + $2 WHERE id = $1 RETURNING changes",
            )
            .bind(consent)
            .bind(count)
            .fetch_one(conn)
            .await
        })
    }

    /// Keeps changes that others have overtaken.
    pub async fn put_past_changes(&mut self, rows: &[TransactionRow]) -> DbResult<()> {
        for batch in rows.chunks(BATCH) {
            run!(self, |conn| {
                let mut sql = QueryBuilder::new(concat!(
                    "INSERT INTO past_changes (",
                    transaction_columns!(),
                    ") "
                ));
                sql.push_values(batch, |mut values, row| {
                    push_transaction!(values, row);
                });
                sql.build().execute(conn).await?;
            });
        }
        Ok(())
    }

    /// The changes after a number, in order: each with the row as it left it. One statement, for a change must not move
    /// from one table to the other between two.
    pub async fn changes_after(
        &mut self,
        consent: CredentialsId,
        after: i64,
        limit: i64,
    ) -> DbResult<Vec<TransactionRow>> {
        run!(self, |conn| {
            sqlx::query_as(changes_sql!(""))
                .bind(consent)
                .bind(after)
                .bind(limit)
                .fetch_all(conn)
                .await
        })
    }

    /// Returns the database's query plan for the changes after a number.
    #[cfg(test)]
    pub async fn explain_changes(
        &mut self,
        consent: CredentialsId,
        after: i64,
    ) -> DbResult<String> {
        let lines: Vec<String> = match self.link() {
            super::Connection::Sqlite(conn) => {
                let rows: Vec<(i64, i64, i64, String)> =
                    sqlx::query_as(changes_sql!("EXPLAIN QUERY PLAN "))
                        .bind(consent)
                        .bind(after)
                        .bind(101_i64)
                        .fetch_all(conn)
                        .await?;
                rows.into_iter().map(|row| row.3).collect()
            }
            super::Connection::Postgres(conn) => {
                sqlx::query_scalar(changes_sql!("EXPLAIN "))
                    .bind(consent)
                    .bind(after)
                    .bind(101_i64)
                    .fetch_all(conn)
                    .await?
            }
        };
        Ok(lines.join("\n"))
    }
}
