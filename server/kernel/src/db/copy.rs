//! Whole databases, table by table and without a word of what they mean: for moving from one database to another, and
//! for showing that two of them hold the same.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, QueryBuilder, Row};
use uuid::Uuid;

use super::{Connection, DbError, DbResult, Link, run};

/// Rows in one statement; Postgres takes 65,535 values in one.
const ROWS: usize = 200;
/// Bytes in one statement, about: pieces of files are large.
const BYTES: usize = 4 * 1024 * 1024;

/// A column: its name, and how its values are read and written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedColumn {
    pub name: String,
    pub kind: ColumnType,
}

/// The types of the portable dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    Uuid,
    Text,
    Bytes,
    Integer,
    Boolean,
    Time,
}

/// Checksum of a table: the number of its rows, and a sum of their hashes that does not depend on their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableChecksum {
    pub rows: u64,
    pub hash: [u64; 4],
}

/// Reason a database cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("{0}")]
    Database(#[from] DbError),
    #[error("table {0} has a column of a type that is not in the portable dialect: {1}")]
    Type(String, String),
    #[error("the tables refer to each other in a circle: {0}")]
    Circle(String),
    #[error("the tables of the two databases differ: bring both up to date first")]
    Schema,
    #[error("table {0} did not arrive as it left; nothing was kept")]
    Differs(String),
    #[error("table {0} of the target has rows already: give an empty database")]
    NotEmpty(String),
}

/// One value.
pub enum Cell {
    Uuid(Option<Uuid>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    Integer(Option<i64>),
    Boolean(Option<bool>),
    Time(Option<DateTime<Utc>>),
}

/// The names of the tables, but for the bookkeeping of migrations.
pub async fn tables(tx: &mut impl Link) -> DbResult<Vec<String>> {
    let sql = match tx.link() {
        Connection::Sqlite(_) => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'
               AND name <> '_sqlx_migrations' ORDER BY name"
        }
        Connection::Postgres(_) => {
            "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()
               AND tablename <> '_sqlx_migrations' ORDER BY 1"
        }
    };
    run!(tx, |conn| sqlx::query_scalar(sql).fetch_all(conn).await)
}

/// The columns of a table.
pub async fn columns(tx: &mut impl Link, table: &str) -> Result<Vec<CopiedColumn>, CopyError> {
    let sql = match tx.link() {
        Connection::Sqlite(_) => "SELECT name, type FROM pragma_table_info($1) ORDER BY cid",
        Connection::Postgres(_) => {
            "SELECT column_name::text, data_type::text FROM information_schema.columns
             WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position"
        }
    };
    let found: Vec<(String, String)> = run!(tx, |conn| sqlx::query_as(sql)
        .bind(table)
        .fetch_all(conn)
        .await)?;
    found
        .into_iter()
        .map(|(name, declared)| {
            let kind = match declared.to_lowercase().as_str() {
                "uuid" => ColumnType::Uuid,
                "text" => ColumnType::Text,
                "bytea" => ColumnType::Bytes,
                "bigint" => ColumnType::Integer,
                "boolean" => ColumnType::Boolean,
                "timestamptz" | "timestamp with time zone" => ColumnType::Time,
                _ => return Err(CopyError::Type(table.to_owned(), declared)),
            };
            Ok(CopiedColumn { name, kind })
        })
        .collect()
}

/// The migrations that a database has been through: version and checksum.
pub async fn migrations(tx: &mut impl Link) -> DbResult<Vec<(i64, Vec<u8>)>> {
    run!(tx, |conn| {
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations ORDER BY version")
            .fetch_all(conn)
            .await
    })
}

/// Returns the checksum of every table, by table name.
pub async fn sums(tx: &mut impl Link) -> Result<BTreeMap<String, TableChecksum>, CopyError> {
    let mut sums = BTreeMap::new();
    for table in tables(tx).await? {
        let columns = columns(tx, &table).await?;
        let sum = sum(tx, &table, &columns).await?;
        sums.insert(table, sum);
    }
    Ok(sums)
}

/// Returns the checksum of some of a table's columns.
pub async fn sum(
    tx: &mut impl Link,
    table: &str,
    columns: &[CopiedColumn],
) -> Result<TableChecksum, CopyError> {
    let sql = select(table, columns);
    let mut sum = TableChecksum::default();
    run!(tx, |conn| {
        let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(conn);
        while let Some(row) = rows.try_next().await? {
            sum.add(&cells(&row, columns)?);
        }
        Ok::<_, CopyError>(())
    })?;
    Ok(sum)
}

/// Copies every table into an empty database of the same schema, and reads them again to see that each arrived as it left.
/// Answers how many rows each table has. Nothing is committed here.
pub async fn copy_all(
    from: &mut impl Link,
    to: &mut impl Link,
) -> Result<BTreeMap<String, u64>, CopyError> {
    if migrations(from).await? != migrations(to).await? {
        return Err(CopyError::Schema);
    }
    let names = tables(to).await?;
    for table in &names {
        let columns = columns(to, table).await?;
        if sum(to, table, &columns).await?.rows > 0 {
            return Err(CopyError::NotEmpty(table.clone()));
        }
    }
    copy_tables(from, to, names).await
}

/// Copies tables that `to` has under the same names, with the columns that it has there; otherwise as [`copy_all`].
pub async fn copy_tables(
    from: &mut impl Link,
    to: &mut impl Link,
    names: Vec<String>,
) -> Result<BTreeMap<String, u64>, CopyError> {
    let mut copied = BTreeMap::new();
    for table in order(to, names).await? {
        let columns = columns(to, &table).await?;
        let left = copy_table(from, to, &table, &columns).await?;
        if sum(to, &table, &columns).await? != left {
            return Err(CopyError::Differs(table));
        }
        copied.insert(table, left.rows);
    }
    Ok(copied)
}

/// The tables, each after those it refers to.
async fn order(tx: &mut impl Link, tables: Vec<String>) -> Result<Vec<String>, CopyError> {
    let sql = match tx.link() {
        Connection::Sqlite(_) => "SELECT \"table\" FROM pragma_foreign_key_list($1)",
        Connection::Postgres(_) => {
            "SELECT other.relname::text FROM pg_constraint c
             JOIN pg_class own ON own.oid = c.conrelid JOIN pg_class other ON other.oid = c.confrelid
             JOIN pg_namespace home ON home.oid = own.relnamespace
             WHERE c.contype = 'f' AND home.nspname = current_schema() AND own.relname = $1"
        }
    };
    let mut waiting = BTreeMap::new();
    for table in tables {
        let refers: Vec<String> = run!(tx, |conn| sqlx::query_scalar(sql)
            .bind(&table)
            .fetch_all(conn)
            .await)?;
        waiting.insert(table, refers);
    }
    order_of(waiting)
}

async fn copy_table(
    from: &mut impl Link,
    to: &mut impl Link,
    table: &str,
    columns: &[CopiedColumn],
) -> Result<TableChecksum, CopyError> {
    let sql = select(table, columns);
    run!(from, |conn| {
        let mut left = TableChecksum::default();
        let mut batch: Vec<Vec<Cell>> = Vec::new();
        let mut bytes = 0;
        let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(conn);
        while let Some(row) = rows.try_next().await? {
            let row = cells(&row, columns)?;
            left.add(&row);
            bytes += row.iter().map(Cell::len).sum::<usize>();
            batch.push(row);
            if batch.len() >= ROWS || bytes >= BYTES {
                insert(to, table, columns, std::mem::take(&mut batch)).await?;
                bytes = 0;
            }
        }
        insert(to, table, columns, batch).await?;
        Ok(left)
    })
}

/// Tables, each after those it refers to.
pub fn order_of(mut waiting: BTreeMap<String, Vec<String>>) -> Result<Vec<String>, CopyError> {
    let mut order: Vec<String> = Vec::new();
    while !waiting.is_empty() {
        let free: Vec<String> = waiting
            .iter()
            .filter(|(table, refers)| {
                refers
                    .iter()
                    .all(|other| other == *table || order.contains(other))
            })
            .map(|(table, _)| table.clone())
            .collect();
        if free.is_empty() {
            let names: Vec<_> = waiting.into_keys().collect();
            return Err(CopyError::Circle(names.join(", ")));
        }
        for table in free {
            waiting.remove(&table);
            order.push(table);
        }
    }
    Ok(order)
}

pub fn select(table: &str, columns: &[CopiedColumn]) -> String {
    format!("SELECT {} FROM \"{table}\"", names(columns))
}

fn names(columns: &[CopiedColumn]) -> String {
    let names: Vec<String> = columns
        .iter()
        .map(|column| format!("\"{}\"", column.name))
        .collect();
    names.join(", ")
}

/// Adds rows, all in one statement.
pub async fn insert(
    to: &mut impl Link,
    table: &str,
    columns: &[CopiedColumn],
    rows: Vec<Vec<Cell>>,
) -> DbResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let head = format!("INSERT INTO \"{table}\" ({}) ", names(columns));
    run!(to, |conn| {
        let mut query = QueryBuilder::new(head);
        query.push_values(rows, |mut values, row| {
            for cell in row {
                match cell {
                    Cell::Uuid(value) => values.push_bind(value),
                    Cell::Text(value) => values.push_bind(value),
                    Cell::Bytes(value) => values.push_bind(value),
                    Cell::Integer(value) => values.push_bind(value),
                    Cell::Boolean(value) => values.push_bind(value),
                    Cell::Time(value) => values.push_bind(value),
                };
            }
        });
        query
            .build()
            .persistent(false)
            .execute(conn)
            .await
            .map(|_| ())
    })
}

pub fn cells<R: Row>(row: &R, columns: &[CopiedColumn]) -> DbResult<Vec<Cell>>
where
    usize: sqlx::ColumnIndex<R>,
    for<'r> Option<Uuid>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    for<'r> Option<String>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    for<'r> Option<Vec<u8>>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    for<'r> Option<i64>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    for<'r> Option<bool>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    for<'r> Option<DateTime<Utc>>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            Ok(match column.kind {
                ColumnType::Uuid => Cell::Uuid(row.try_get_unchecked(at)?),
                ColumnType::Text => Cell::Text(row.try_get_unchecked(at)?),
                ColumnType::Bytes => Cell::Bytes(row.try_get_unchecked(at)?),
                ColumnType::Integer => Cell::Integer(row.try_get_unchecked(at)?),
                ColumnType::Boolean => Cell::Boolean(row.try_get_unchecked(at)?),
                ColumnType::Time => Cell::Time(row.try_get_unchecked(at)?),
            })
        })
        .collect()
}

impl Cell {
    /// Returns the value as JSON; bytes in base64.
    pub fn json(self) -> serde_json::Value {
        match self {
            Self::Uuid(value) => json!(value),
            Self::Text(value) => json!(value),
            Self::Bytes(value) => json!(value.map(|bytes| STANDARD.encode(bytes))),
            Self::Integer(value) => json!(value),
            Self::Boolean(value) => json!(value),
            Self::Time(value) => json!(value),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(Some(text)) => text.len(),
            Self::Bytes(Some(bytes)) => bytes.len(),
            _ => 16,
        }
    }

    /// Adds the value, with a mark of its kind and its length, so that no two rows look alike.
    fn hash(&self, hash: &mut Sha256) {
        let mut put = |kind: u8, bytes: Option<&[u8]>| match bytes {
            None => hash.update([0]),
            Some(bytes) => {
                hash.update([kind]);
                hash.update((bytes.len() as u64).to_be_bytes());
                hash.update(bytes);
            }
        };
        match self {
            Self::Uuid(value) => put(1, value.as_ref().map(|it| it.as_bytes().as_slice())),
            Self::Text(value) => put(2, value.as_ref().map(String::as_bytes)),
            Self::Bytes(value) => put(3, value.as_deref()),
            Self::Integer(value) => put(
                4,
                value
                    .map(i64::to_be_bytes)
                    .as_ref()
                    .map(<[u8; 8]>::as_slice),
            ),
            Self::Boolean(value) => put(
                5,
                value
                    .map(|it| [u8::from(it)])
                    .as_ref()
                    .map(<[u8; 1]>::as_slice),
            ),
            Self::Time(value) => put(
                6,
                value
                    .map(|it| it.timestamp_micros().to_be_bytes())
                    .as_ref()
                    .map(<[u8; 8]>::as_slice),
            ),
        }
    }
}

impl TableChecksum {
    fn add(&mut self, row: &[Cell]) {
        let mut hash = Sha256::new();
        for cell in row {
            cell.hash(&mut hash);
        }
        let digest = hash.finalize();
        for (part, bytes) in self.hash.iter_mut().zip(digest.chunks_exact(8)) {
            let word = bytes
                .iter()
                .fold(0, |word, byte| (word << 8) | u64::from(*byte));
            *part = part.wrapping_add(word);
        }
        self.rows += 1;
    }
}
