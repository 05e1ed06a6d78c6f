//! Statistics of Postgres' planner, which must not keep what is erased.
//!
//! `ANALYZE`, which the autovacuum daemon runs by itself, copies a hundred values and more of each column into
//! `pg_statistic`. They stay there after their rows are deleted, until the table is analysed again: for a table in which
//! little happens, for ever. Next to no query needs to know how sealed data, digests and personal data are distributed, so
//! none is collected of them. SQLite is built without such statistics.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::{Db, DbResult};

/// Columns of a crate's tables whose values the planner must not keep.
#[derive(Clone, Copy)]
pub struct PrivateColumns {
    /// Returns `true` if a column of a table holds more than ids, times, states and settings.
    pub is_private: fn(&str, &str) -> bool,
    /// Private columns, as table and name, that rows are looked up by, many at once. Of these the planner keeps how many
    /// values there are, the lowest and the highest.
    pub listed: &'static [(&'static str, &'static str)],
}

/// A column of the database.
#[derive(sqlx::FromRow)]
struct Collected {
    table_name: String,
    column_name: String,
    /// Number of values that are kept (`pg_attribute.attstattarget`); -1 for the server's default.
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

impl Db {
    /// Stops the collection of statistics of private columns, and drops those there are; returns how many tables it changed.
    /// Does nothing on SQLite, or where that was done before. Each table by itself: other processes serve meanwhile, and locks
    /// on several tables would wait for theirs in circles.
    pub async fn restrict_statistics(&self, columns: PrivateColumns) -> DbResult<usize> {
        let Some(pool) = self.postgres_writer() else {
            return Ok(0);
        };
        let mut conn = pool.acquire().await?;
        let statements = statements(&mut conn, columns).await?;
        let count = statements.len();
        for statement in statements {
            sqlx::query(AssertSqlSafe(statement))
                .execute(&mut *conn)
                .await?;
        }
        Ok(count)
    }
}

/// Returns one `ALTER TABLE` for each table that has such columns.
async fn statements(conn: &mut PgConnection, columns: PrivateColumns) -> DbResult<Vec<String>> {
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
        let wanted = i32::from(
            columns
                .listed
                .contains(&(table_name.as_str(), column_name.as_str())),
        );
        if target == wanted || !(columns.is_private)(&table_name, &column_name) {
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
