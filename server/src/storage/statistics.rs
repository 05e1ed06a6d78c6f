//! What the planner of Postgres must not keep of the product's tables (`kernel::db::statistics`).

use kernel::db::statistics::PrivateColumns;

use super::inventory::tables;

/// Whatever the inventory calls personal, sealed or a digest. As long as the planner does not know that the digests of
/// transactions differ, it reads a whole consent for each list of them.
pub(super) const PRIVATE: PrivateColumns = PrivateColumns {
    is_private,
    listed: &[("transactions", "utx")],
};

/// Returns `true` if a column holds more than ids, times, states and settings.
fn is_private(table: &str, column: &str) -> bool {
    let known = tables().find(|known| known.name == table);
    known.is_some_and(|known| {
        [known.personal, known.digests, known.sealed]
            .iter()
            .any(|names| names.split_whitespace().any(|name| name == column))
    })
}

#[cfg(test)]
mod tests {
    use sqlx::AssertSqlSafe;
    use sqlx::postgres::PgPool;

    use super::*;
    use crate::storage::Db;
    use crate::storage::testing::postgres;
    use crate::storage::testing::rows::{Filling, fill};
    use crate::storage::testing::sqlite;

    fn pool(db: &Db) -> &PgPool {
        db.postgres_writer().expect("Postgres")
    }

    /// Returns the private and the other columns that the planner knows values of.
    async fn known(db: &Db) -> (Vec<String>, Vec<String>) {
        let sql = "SELECT tablename::text, attname::text FROM pg_stats WHERE schemaname = current_schema()";
        let known: Vec<(String, String)> = sqlx::query_as(sql).fetch_all(pool(db)).await.unwrap();
        let (private, other): (Vec<_>, Vec<_>) = known
            .into_iter()
            .partition(|(table, column)| is_private(table, column));
        let names = |list: Vec<(String, String)>| {
            list.into_iter()
                .map(|(table, column)| format!("{table}.{column}"))
                .collect()
        };
        (names(private), names(other))
    }

    async fn run(db: &Db, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        sqlx::raw_sql(sql).execute(pool(db)).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_planner_keeps_nothing_that_is_erased() {
        let db = postgres().await;
        let folder = tempfile::tempdir().unwrap();
        let twin = sqlite(&folder).await;
        let filling = Filling {
            rows: 200,
            at: "2026-01-01T00:00:00Z".parse().unwrap(),
            empty: &[],
            gaps: false,
        };
        fill(&db, &twin, &filling).await;
        run(&db, "ANALYZE").await;
        let (private, other) = known(&db).await;
        assert_eq!(private, ["transactions.utx"]);
        let kept = "SELECT count(*) FROM pg_stats, unnest(histogram_bounds::text::text[]) WHERE attname = 'utx'";
        let kept: i64 = sqlx::query_scalar(kept).fetch_one(pool(&db)).await.unwrap();
        assert!(kept <= 2, "{kept}");
        assert!(other.len() > 60, "{other:?}");
        // An installation of before: values were collected, and are dropped by the next start.
        run(
            &db,
            "ALTER TABLE transactions ALTER COLUMN sealed SET STATISTICS -1, ALTER COLUMN utx SET STATISTICS -1;
             ALTER TABLE people ALTER COLUMN email SET STATISTICS -1;
             ANALYZE",
        )
        .await;
        assert_eq!(known(&db).await.0.len(), 3);
        db.migrate().await.unwrap();
        assert_eq!(known(&db).await.0, Vec::<String>::new());
        run(&db, "ANALYZE").await;
        assert_eq!(known(&db).await.0, ["transactions.utx"]);
        assert_eq!(db.restrict_statistics(PRIVATE).await.unwrap(), 0);
        twin.close().await;
        db.close().await;
    }
}
