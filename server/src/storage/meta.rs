//! Facts about the installation, one line each: which key file belongs to this database, and the like.

use super::{DbResult, Tx, run};

impl Tx {
    /// A fact, if it is known.
    pub async fn meta(&mut self, key: &str) -> DbResult<Option<String>> {
        run!(self, |conn| {
            sqlx::query_scalar("SELECT value FROM meta WHERE key = $1")
                .bind(key)
                .fetch_optional(conn)
                .await
        })
    }

    /// Holds a fact until the transaction ends: whoever else wants to hold it waits.
    pub async fn hold_meta(&mut self, key: &str) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("UPDATE meta SET value = value WHERE key = $1")
                .bind(key)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Writes a fact down unless it is known already; says whether this call wrote it.
    /// Of several processes that try at once the others wait until the first has committed.
    pub async fn claim_meta(&mut self, key: &str, value: &str) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query("INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(key)
                .bind(value)
                .execute(conn)
                .await
                .map(|done| done.rows_affected() == 1)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::storage::Db;
    use crate::storage::testing::on_both;

    on_both!(a_fact_is_claimed_once);

    async fn a_fact_is_claimed_once(db: Db) {
        let tasks: Vec<_> = (0..16)
            .map(|n| {
                let db = db.clone();
                tokio::spawn(async move {
                    let mut tx = db.write().await.unwrap();
                    let mine = tx.claim_meta("fact", &n.to_string()).await.unwrap();
                    tx.commit().await.unwrap();
                    mine.then_some(n)
                })
            })
            .collect();
        let mut winners = Vec::new();
        for task in tasks {
            winners.extend(task.await.unwrap());
        }
        let kept = db.read().await.unwrap().meta("fact").await.unwrap();
        assert_eq!(
            winners.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [kept.unwrap()]
        );
    }
}
