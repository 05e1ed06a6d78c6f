//! Rate limits that several processes share, as when each will be whole again (microseconds since 1970).

use super::{DbResult, Tx, run};

impl Tx {
    /// Takes `price` out of a budget worth `whole` and answers when it will be whole again; nothing if it is not there. A
    /// row that says more than the whole is owed was written before the clock went back, and counts for nothing.
    pub async fn take_budget(
        &mut self,
        subject: &str,
        now: i64,
        price: i64,
        whole: i64,
    ) -> DbResult<Option<i64>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "INSERT INTO budgets (subject, whole_at) VALUES ($1, $2 + $3)
                 ON CONFLICT (subject) DO UPDATE SET whole_at =
                     CASE WHEN budgets.whole_at BETWEEN $2 AND $2 + $4 + $4 THEN budgets.whole_at ELSE $2 END + $3
                 WHERE CASE WHEN budgets.whole_at BETWEEN $2 AND $2 + $4 + $4 THEN budgets.whole_at ELSE $2 END + $3 <= $2 + $4
                 RETURNING whole_at",
            )
            .bind(subject)
            .bind(now)
            .bind(price)
            .bind(whole)
            .fetch_optional(conn)
            .await
        })
    }

    /// Returns the time a budget will be whole again, in microseconds since 1970; `None` if nothing was ever taken from
    /// it.
    pub async fn budget(&mut self, subject: &str) -> DbResult<Option<i64>> {
        run!(self, |conn| {
            sqlx::query_scalar("SELECT whole_at FROM budgets WHERE subject = $1")
                .bind(subject)
                .fetch_optional(conn)
                .await
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::storage::Db;
    use crate::storage::retention::rule;
    use crate::storage::testing::on_both;

    on_both!(
        a_budget_is_taken_until_it_is_empty,
        of_many_takers_none_gets_what_is_not_there
    );

    async fn take(db: &Db, now: i64, price: i64) -> Option<i64> {
        let mut tx = db.write().await.unwrap();
        let taken = tx.take_budget("x", now, price, 100).await.unwrap();
        tx.commit().await.unwrap();
        taken
    }

    async fn a_budget_is_taken_until_it_is_empty(db: Db) {
        assert_eq!(take(&db, 1000, 60).await, Some(1060));
        assert_eq!(take(&db, 1000, 60).await, None, "there are 40 left");
        assert_eq!(take(&db, 1000, 40).await, Some(1100));
        assert_eq!(take(&db, 1019, 20).await, None);
        assert_eq!(take(&db, 1020, 20).await, Some(1120));
        assert_eq!(take(&db, 5000, 100).await, Some(5100), "whole again");
        assert_eq!(take(&db, 1000, 60).await, Some(1060), "the clock went back");
        assert_eq!(
            take(&db, 1000, 60).await,
            None,
            "and is counted by from then on"
        );
        assert_eq!(take(&db, 5000, 100).await, Some(5100));
        let mut tx = db.write().await.unwrap();
        assert_eq!(tx.budget("x").await.unwrap(), Some(5100));
        let at = |micros| chrono::DateTime::from_timestamp_micros(micros).unwrap();
        let whole = rule("budgets");
        assert_eq!(tx.forget(whole, at(5099), 9).await.unwrap(), 0);
        assert_eq!(tx.forget(whole, at(5100), 9).await.unwrap(), 1);
        assert_eq!(tx.budget("x").await.unwrap(), None);
    }

    async fn of_many_takers_none_gets_what_is_not_there(db: Db) {
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move { take(&db, 1000, 10).await.is_some() })
            })
            .collect();
        let mut taken = 0;
        for task in tasks {
            taken += u32::from(task.await.unwrap());
        }
        assert_eq!(taken, 10);
    }
}
