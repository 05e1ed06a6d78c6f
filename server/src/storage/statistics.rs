//! Statistics of Postgres' planner, which must not keep what is erased.
//!
//! `ANALYZE`, which the autovacuum daemon runs by itself, copies a hundred values and more of each column into
//! `pg_statistic`. They stay there after their rows are deleted, until the table is analysed again: for a table in which
//! little happens, for ever. Next to no query needs to know how sealed data, digests and personal data are distributed, so
//! none is collected of them. SQLite is built without such statistics.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnection, PgPool};

use super::DbResult;
use super::inventory::tables;

/// Digests that rows are looked up by, many at once: as long as the planner does not know that they differ, it reads a whole
/// consent for each list. Of these it keeps how many there are, the lowest and the highest.
const LISTED: [(&str, &str); 1] = [("transactions", "utx")];

/// A column of the database.
#[derive(sqlx::FromRow)]
struct Collected {
    table_name: String,
    column_name: String,
    /// How many values are kept (`pg_attribute.attstattarget`); -1 for what the server is set to.
    target: i32,
    /// Type of the column, as SQL writes it.
    sql_type: String,
    /// `true` if there are statistics of it now.
    is_known: bool,
}

const COLLECTED: &str = "
    SELECT c.relname::text AS table_name, a.attname::text AS column_name,
           COALESCE(a.attstattarget, -1)::int AS target, format_type(a.atttypid, a.atttypmod) AS sql_type,
           EXISTS (SELECT 1 FROM pg_stats s
                   WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname) AS is_known
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY c.relname, a.attnum";

/// Stops the collection of statistics of whatever the inventory calls personal, sealed or a digest, and drops those there
/// are. Does nothing where that was done before. Each table by itself: other processes serve meanwhile, and locks on
/// several tables would wait for theirs in circles.
pub(super) async fn restrict(pool: &PgPool) -> DbResult<()> {
    let mut conn = pool.acquire().await?;
    for statement in statements(&mut conn).await? {
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Returns one `ALTER TABLE` for each table that has such columns.
async fn statements(conn: &mut PgConnection) -> DbResult<Vec<String>> {
    let collected: Vec<Collected> = sqlx::query_as(COLLECTED).fetch_all(conn).await?;
    let mut changes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for column in collected {
        let Collected {
            table_name,
            column_name,
            target,
            sql_type,
            is_known,
        } = column;
        let wanted = i32::from(LISTED.contains(&(table_name.as_str(), column_name.as_str())));
        if target == wanted || !is_private(&table_name, &column_name) {
            continue;
        }
        let of_table = changes.entry(table_name).or_default();
        of_table.push(format!(
            "ALTER COLUMN {column_name} SET STATISTICS {wanted}"
        ));
        if is_known {
            // The one way to drop what is known without a superuser; nothing is rewritten for the same type.
            of_table.push(format!("ALTER COLUMN {column_name} TYPE {sql_type}"));
        }
    }
    let alter = |(table, changes): (String, Vec<String>)| {
        format!("ALTER TABLE {table} {}", changes.join(", "))
    };
    Ok(changes.into_iter().map(alter).collect())
}

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
        assert!(other.len() > 100, "{other:?}");
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
        let mut conn = pool(&db).acquire().await.unwrap();
        assert_eq!(statements(&mut conn).await.unwrap(), Vec::<String>::new());
        drop(conn);
        twin.close().await;
        db.close().await;
    }
}
