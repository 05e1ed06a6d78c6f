//! A look at the database beside the server, and a hand on it: for states that no door leads to quickly, and for seeing
//! that nothing changed.

use std::collections::BTreeMap;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{AssertSqlSafe, PgPool};

use super::World;

/// Tables that change without anybody's call having an effect: the log of calls, the worker's own round, and the other
/// company's books.
const ASIDE: [&str; 6] = [
    "requests",
    "request_log_sizes",
    "jobs",
    "_sqlx_migrations",
    "budgets",
    "key_holders",
];
/// Columns that tell when something was last seen or asked for, and what the bank last said of a payment: it is sealed
/// anew each time. What came of it (`status`, `final`, `updated_at`) is compared.
const SEEN: [&str; 6] = [
    "last_used_at",
    "last_used_by",
    "seen_at",
    "look_at",
    "as_of",
    "said",
];

/// A connection of the test's own.
pub enum Sql {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Every row of every table that only an effect changes, as text.
pub type Dump = BTreeMap<String, Vec<String>>;

impl World {
    /// Opens the world's database.
    pub async fn sql(&self) -> Sql {
        match self.database_url.strip_prefix("sqlite:") {
            Some(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .busy_timeout(std::time::Duration::from_secs(10));
                Sql::Sqlite(SqlitePool::connect_with(options).await.unwrap())
            }
            None => Sql::Postgres(PgPool::connect(&self.database_url).await.unwrap()),
        }
    }
}

impl World {
    /// Returns the size of the database on disk, in bytes: of its files on SQLite, of the table `requests` on
    /// PostgreSQL.
    pub async fn disk(&self, sql: &Sql) -> u64 {
        match sql {
            Sql::Sqlite(_) => std::fs::read_dir(&self.folder)
                .unwrap()
                .map(|entry| entry.unwrap())
                .filter(|entry| {
                    entry
                        .file_name()
                        .to_string_lossy()
                        .starts_with("tessera.db")
                })
                .map(|entry| entry.metadata().unwrap().len())
                .sum(),
            Sql::Postgres(_) => {
                let size = "SELECT CAST(pg_total_relation_size('requests') AS TEXT)";
                sql.texts(size).await[0].parse().unwrap()
            }
        }
    }
}

impl Sql {
    /// Counts the rows of `from`: `TABLE WHERE CONDITION`.
    pub async fn count(&self, from: &str) -> u64 {
        let counted = self
            .texts(&format!("SELECT CAST(COUNT(*) AS TEXT) FROM {from}"))
            .await;
        counted[0].parse().unwrap()
    }

    /// Runs a statement; answers how many rows it changed.
    pub async fn run(&self, text: &str) -> u64 {
        let query = AssertSqlSafe(text.to_owned());
        match self {
            Self::Sqlite(pool) => sqlx::query(query)
                .execute(pool)
                .await
                .unwrap()
                .rows_affected(),
            Self::Postgres(pool) => sqlx::query(query)
                .execute(pool)
                .await
                .unwrap()
                .rows_affected(),
        }
    }

    /// The first column of every row, which must be text.
    pub async fn texts(&self, text: &str) -> Vec<String> {
        let query = AssertSqlSafe(text.to_owned());
        match self {
            Self::Sqlite(pool) => sqlx::query_scalar(query).fetch_all(pool).await.unwrap(),
            Self::Postgres(pool) => sqlx::query_scalar(query).fetch_all(pool).await.unwrap(),
        }
    }

    /// An id as this database writes it in a statement.
    pub fn id(&self, id: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("x'{}'", id.replace('-', "")),
            Self::Postgres(_) => format!("'{id}'::uuid"),
        }
    }

    /// A column of ids as text.
    pub fn shown(&self, column: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("lower(hex({column}))"),
            Self::Postgres(_) => format!("{column}::text"),
        }
    }

    /// A time so many seconds from now (before now, if negative), as this database writes it in a statement.
    pub fn seconds_from_now(&self, seconds: i64) -> String {
        let at = chrono::Utc::now() + chrono::Duration::seconds(seconds);
        let text = at.format("%Y-%m-%dT%H:%M:%S%.6f+00:00");
        match self {
            Self::Sqlite(_) => format!("'{text}'"),
            Self::Postgres(_) => format!("'{text}'::timestamptz"),
        }
    }

    /// Returns every row that only an effect changes, for comparing before with after.
    pub async fn dump(&self) -> Dump {
        let mut dump = Dump::new();
        for table in self.tables().await {
            let aside = ASIDE.contains(&table.as_str()) || table.starts_with("sqlite_");
            if aside {
                continue;
            }
            let columns = self.columns(&table).await;
            let cells: Vec<String> = columns
                .iter()
                .filter(|column| !SEEN.contains(&column.as_str()))
                .map(|column| match self {
                    Self::Sqlite(_) => format!("quote(\"{column}\")"),
                    Self::Postgres(_) => format!("COALESCE(\"{column}\"::text, 'NULL')"),
                })
                .collect();
            let mut rows = self
                .texts(&format!(
                    "SELECT {} FROM \"{table}\"",
                    cells.join(" || '|' || ")
                ))
                .await;
            rows.sort();
            dump.insert(table, rows);
        }
        dump
    }

    /// Every row of every table, as text; bytes in hexadecimal.
    pub async fn everything(&self) -> Dump {
        let mut dump = Dump::new();
        for table in self.tables().await {
            let columns = self.columns(&table).await;
            let cell = |column: &String| match self {
                Self::Sqlite(_) => format!("quote(\"{column}\")"),
                Self::Postgres(_) => format!("COALESCE(\"{column}\"::text, 'NULL')"),
            };
            let cells: Vec<String> = columns.iter().map(cell).collect();
            let select = format!("SELECT {} FROM \"{table}\"", cells.join(" || '|' || "));
            dump.insert(table, self.texts(&select).await);
        }
        dump
    }

    async fn tables(&self) -> Vec<String> {
        self.texts(match self {
            Self::Sqlite(_) => "SELECT name FROM sqlite_master WHERE type = 'table'",
            Self::Postgres(_) => {
                "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'"
            }
        })
        .await
    }

    async fn columns(&self, table: &str) -> Vec<String> {
        self.texts(&match self {
            Self::Sqlite(_) => format!("SELECT name FROM pragma_table_info('{table}')"),
            Self::Postgres(_) => format!(
                "SELECT column_name::text FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position"
            ),
        })
        .await
    }
}

/// The rows that came or went, table by table.
pub fn changes(before: &Dump, after: &Dump) -> Vec<String> {
    let tables: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let mut changes = Vec::new();
    for table in tables {
        let (before, after) = (&before[table], &after[table]);
        if before == after {
            continue;
        }
        let gone: Vec<_> = before.iter().filter(|row| !after.contains(row)).collect();
        let new: Vec<_> = after.iter().filter(|row| !before.contains(row)).collect();
        if !gone.is_empty() || !new.is_empty() {
            changes.push(format!("{table} changed\n  gone: {gone:?}\n  new: {new:?}"));
        }
    }
    changes
}
