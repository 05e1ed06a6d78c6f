//! Rows for every table of a schema, made from the schema itself: types, references and checks. For tests of what is done
//! to whole databases, whatever the tables mean.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use kernel::db::copy::{Cell, ColumnType, CopiedColumn, columns, insert, order_of, tables};
use kernel::db::{Connection, Db, run};
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

/// Parameters of the rows that tables are filled with.
pub struct Filling {
    /// Rows in each table.
    pub rows: i64,
    /// The time of every first row; later ones are a second apart.
    pub at: DateTime<Utc>,
    /// Columns that are empty, as `table.column`.
    pub empty: &'static [&'static str],
    /// `true` if every third row leaves columns empty where it may.
    pub gaps: bool,
}

/// Facts of a schema that SQLite tells of itself.
struct Schema {
    references: BTreeMap<(String, String), (String, String)>,
    /// The text that made a table.
    made_by: BTreeMap<String, String>,
    may_be_empty: BTreeMap<(String, String), bool>,
}

/// Fills every table. `schema` is an SQLite database of the same schema: the database itself, or its twin.
pub async fn fill(db: &Db, schema: &Db, filling: &Filling) {
    let mut twin = schema.read().await.unwrap();
    let names = tables(&mut twin).await.unwrap();
    let told = {
        let Connection::Sqlite(conn) = twin.link() else {
            panic!("the schema is told by SQLite")
        };
        Schema::of(conn, &names).await
    };
    drop(twin);
    let mut refers: BTreeMap<String, Vec<String>> = names
        .iter()
        .map(|name| (name.clone(), Vec::new()))
        .collect();
    for ((table, _), (other, _)) in &told.references {
        refers.get_mut(table).unwrap().push(other.clone());
    }
    let mut tx = db.write().await.unwrap();
    for table in order_of(refers).unwrap() {
        let columns = columns(&mut tx, &table).await.unwrap();
        // `CHECK (id = 1)`: a table of one row.
        let rows = if told.made_by[&table].contains("CHECK (id = 1)") {
            1
        } else {
            filling.rows
        };
        let rows = (0..rows)
            .map(|n| {
                let cells = columns.iter();
                cells
                    .map(|column| told.cell(&table, column, n, filling))
                    .collect()
            })
            .collect();
        insert(&mut tx, &table, &columns, rows)
            .await
            .unwrap_or_else(|error| panic!("{table}: {error}"));
    }
    tx.commit().await.unwrap();
}

/// Counts the rows of every table.
pub async fn counts(db: &Db) -> BTreeMap<String, i64> {
    let mut tx = db.read().await.unwrap();
    let mut counts = BTreeMap::new();
    for table in tables(&mut tx).await.unwrap() {
        let sql = format!("SELECT COUNT(*) FROM \"{table}\"");
        let count: i64 = run!(tx, |conn| sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_one(conn)
            .await)
        .unwrap();
        counts.insert(table, count);
    }
    counts
}

impl Schema {
    async fn of(conn: &mut SqliteConnection, tables: &[String]) -> Self {
        let mut schema = Self {
            references: BTreeMap::new(),
            made_by: BTreeMap::new(),
            may_be_empty: BTreeMap::new(),
        };
        for table in tables {
            let references: Vec<(String, String, String)> = sqlx::query_as(
                "SELECT \"from\", \"table\", \"to\" FROM pragma_foreign_key_list($1)",
            )
            .bind(table)
            .fetch_all(&mut *conn)
            .await
            .unwrap();
            for (from, other, to) in references {
                schema.references.insert((table.clone(), from), (other, to));
            }
            let text: String = sqlx::query_scalar(
                "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = $1",
            )
            .bind(table)
            .fetch_one(&mut *conn)
            .await
            .unwrap();
            schema.made_by.insert(table.clone(), text);
            let columns: Vec<(String, i64, i64)> =
                sqlx::query_as("SELECT name, \"notnull\", pk FROM pragma_table_info($1)")
                    .bind(table)
                    .fetch_all(&mut *conn)
                    .await
                    .unwrap();
            for (column, not_null, key) in columns {
                let may = not_null == 0 && key == 0;
                schema.may_be_empty.insert((table.clone(), column), may);
            }
        }
        schema
    }

    fn cell(&self, table: &str, column: &CopiedColumn, n: i64, filling: &Filling) -> Cell {
        let place = (table.to_owned(), column.name.clone());
        let may_be_empty = self.may_be_empty.get(&place) == Some(&true);
        let named = format!("{table}.{}", column.name);
        let gap = filling.gaps && n % 3 == 2 && may_be_empty;
        if gap || filling.empty.contains(&named.as_str()) {
            return match column.kind {
                ColumnType::Uuid => Cell::Uuid(None),
                ColumnType::Text => Cell::Text(None),
                ColumnType::Bytes => Cell::Bytes(None),
                ColumnType::Integer => Cell::Integer(None),
                ColumnType::Boolean => Cell::Boolean(None),
                ColumnType::Time => Cell::Time(None),
            };
        }
        // What refers to a row has the value that is in it.
        let mut origin = place;
        while let Some(other) = self.references.get(&origin) {
            origin = other.clone();
        }
        let origin = format!("{}.{}", origin.0, origin.1);
        match column.kind {
            ColumnType::Uuid => Cell::Uuid(Some(named_id(&origin, n))),
            ColumnType::Text => Cell::Text(Some(self.text(table, &column.name, &origin, n))),
            ColumnType::Bytes => {
                let id = named_id(&origin, n);
                Cell::Bytes(Some(
                    [id.as_bytes().as_slice(), b"\0\xff", id.as_bytes()].concat(),
                ))
            }
            ColumnType::Integer => Cell::Integer(Some(self.integer(table, &column.name, n))),
            ColumnType::Boolean => Cell::Boolean(Some(false)),
            ColumnType::Time => Cell::Time(Some(
                filling.at + Duration::seconds(n) + Duration::microseconds(n),
            )),
        }
    }

    /// A number that the column's check allows: of `IN (0, 1)` one, of `BETWEEN 0 AND 9` one that is.
    fn integer(&self, table: &str, column: &str, n: i64) -> i64 {
        let made_by = &self.made_by[table];
        let after = |check: String| made_by.find(&check).map(|at| &made_by[at + check.len()..]);
        if let Some(list) = after(format!("CHECK ({column} IN (")) {
            let list: Vec<i64> = list
                .split(')')
                .next()
                .unwrap()
                .split(',')
                .map(|word| word.trim().parse().unwrap())
                .collect();
            return list[usize::try_from(n).unwrap() % list.len()];
        }
        if let Some(range) = after(format!("CHECK ({column} BETWEEN ")) {
            let mut ends = range
                .split(')')
                .next()
                .unwrap()
                .split(" AND ")
                .map(|word| word.trim().parse::<i64>().unwrap());
            let (first, last) = (ends.next().unwrap(), ends.next().unwrap());
            return first + n % (last - first + 1);
        }
        if after(format!("CHECK ({column} = 1)")).is_some() {
            return 1;
        }
        n
    }

    /// A text that the column's check allows: of `CHECK (column IN ('a', 'b'))` one of the words.
    fn text(&self, table: &str, column: &str, origin: &str, n: i64) -> String {
        let made_by = &self.made_by[table];
        let check = format!("CHECK ({column} IN (");
        let Some(at) = made_by.find(&check) else {
            return format!("{origin} {n} \u{e9}\u{1f600}'\"");
        };
        let words = made_by[at + check.len()..].split(')').next().unwrap();
        let words: Vec<_> = words.split('\'').skip(1).step_by(2).collect();
        words[usize::try_from(n).unwrap() % words.len()].to_owned()
    }
}

fn named_id(origin: &str, n: i64) -> Uuid {
    kernel::crypto::named_uuid(&format!("{origin}/{n}"))
}
