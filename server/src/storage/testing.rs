//! Fresh databases for tests: a file for SQLite, a database of its own on the server that
//! `TESSERA_TEST_POSTGRES` names (`cargo xtask test` starts one).

pub mod crash;

use std::path::PathBuf;

use app::domain::ids::SessionId;
use chrono::{DateTime, Utc};
pub use kernel_testing::databases::{self, drop_postgres};
pub use kernel_testing::rows;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::{Db, run};

/// Lists the tests of a module: each plain `async fn name(db: Db)` runs once on SQLite and once on Postgres.
/// A test left off the list is dead code, which the build refuses.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let folder = tempfile::tempdir().unwrap();
                let db = $crate::storage::testing::sqlite(&folder).await;
                super::$name(db.clone()).await;
                db.close().await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let db = $crate::storage::testing::postgres().await;
                super::$name(db.clone()).await;
                db.close().await;
            })+
        }
    };
}
pub(crate) use on_both;

/// Runs tests as `on_both`, but leaves it to them to make their databases: `async fn name(make: Make)`.
macro_rules! on_both_empty {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Make::Sqlite(tempfile::tempdir().unwrap())).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Make::Postgres).await;
            })+
        }
    };
}
pub(crate) use on_both_empty;

/// An SQLite database without tables, one more in the folder.
pub async fn empty_sqlite(folder: &TempDir) -> Db {
    Db::from(databases::sqlite(folder).await)
}

/// An SQLite database as a migration left it.
pub async fn sqlite_to(folder: &TempDir, schema: i64) -> Db {
    let db = empty_sqlite(folder).await;
    db.migrate_to(schema).await.expect("migrations run");
    db
}

/// An SQLite database of the present schema beside any database: it tells what the tables are like.
pub async fn twin(folder: &TempDir) -> Db {
    let db = empty_sqlite(folder).await;
    db.migrate().await.expect("migrations run");
    db
}

/// A migrated SQLite database in the folder.
pub async fn sqlite(folder: &TempDir) -> Db {
    let db = Db::open(&format!(
        "sqlite:{}",
        folder.path().join("test.db").display()
    ))
    .await
    .expect("SQLite opens");
    db.migrate().await.expect("migrations run on SQLite");
    db
}

/// A migrated SQLite database in the folder that does not wait for the disk: for many short tests in which only
/// processes die.
pub async fn sqlite_unsynced(folder: &TempDir) -> Db {
    let path = folder.path().join("test.db");
    let unsynced = sqlx::sqlite::SqliteSynchronous::Off;
    let db = kernel::db::Db::open_sqlite(&path, unsynced).await;
    let db = Db::from(db.expect("SQLite opens"));
    db.migrate().await.expect("migrations run on SQLite");
    db
}

/// The sandbox bank's own database beside a product's, up to date: a file, or a schema.
pub async fn bank_beside(product: &Db) -> bank::Db {
    let url = match product.file().await {
        Some(file) => format!("sqlite:{}-bank", file.display()),
        None => product.url().await,
    };
    let db = bank::Db::open(&url).await.expect("it opens");
    db.migrate().await.expect("migrations run");
    db
}

/// An SQLite database of the bank's present schema: it tells what the tables are like.
pub async fn bank_twin(folder: &TempDir) -> bank::Db {
    let db = bank::Db::from(databases::sqlite(folder).await);
    db.migrate().await.expect("migrations run");
    db
}

/// Expiry of a token, its exchange, and `true` if it is dead.
pub type TokenStory = (Option<DateTime<Utc>>, Option<DateTime<Utc>>, bool);

/// Everything that is stored of a session, as far as its rules go.
pub struct Story {
    pub session: super::sessions::SessionRow,
    /// `true` if used, and the expiry, of each nonce; by number.
    pub nonces: Vec<(bool, Option<DateTime<Utc>>)>,
    /// The names of the steps taken.
    pub steps: Vec<String>,
    /// Outcome of each redirect, and the number of the step that follows it.
    pub ways: Vec<(super::callbacks::CallbackOutcome, i64)>,
    pub tokens: Vec<TokenStory>,
    /// Its status, and `true` if it was opened.
    pub consent: Option<(String, bool)>,
}

impl super::Tx {
    /// Returns what is stored of a session.
    pub async fn story(&mut self, id: SessionId) -> super::DbResult<Story> {
        let session = self.session(id).await?.expect("the session");
        run!(self, |conn| {
            let nonces = sqlx::query_as(
                "SELECT used_at IS NOT NULL, expires_at FROM nonces WHERE session_id = $1 ORDER BY position",
            );
            let nonces = nonces.bind(id).fetch_all(&mut *conn).await?;
            let steps = sqlx::query_scalar(
                "SELECT step FROM session_steps WHERE session_id = $1 ORDER BY position",
            );
            let steps = steps.bind(id).fetch_all(&mut *conn).await?;
            let ways = sqlx::query_as(
                "SELECT outcome, position FROM bank_returns WHERE session_id = $1 ORDER BY position",
            );
            let ways = ways.bind(id).fetch_all(&mut *conn).await?;
            let tokens = sqlx::query_as(
                "SELECT expires_at, exchanged_at, died_at IS NOT NULL FROM temp_tokens WHERE session_id = $1",
            );
            let tokens = tokens.bind(id).fetch_all(&mut *conn).await?;
            let consent = sqlx::query_as(
                "SELECT status, access_token IS NOT NULL FROM consents WHERE session_id = $1",
            );
            let consent = consent.bind(id).fetch_optional(&mut *conn).await?;
            Ok(Story {
                session,
                nonces,
                steps,
                ways,
                tokens,
                consent,
            })
        })
    }
}

/// A migrated database of its own on the test server.
pub async fn postgres() -> Db {
    let options = format!("TEMPLATE {}", template().await);
    empty_postgres_with(&options).await.0
}

/// Returns the name of a database that is up to date and empty: a copy of it is there sooner than the migrations run.
async fn template() -> &'static str {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let migrated = async {
        let (db, name) = postgres_with("").await;
        db.close().await;
        name
    };
    TEMPLATE.get_or_init(|| migrated).await
}

/// A database as `postgres` makes it that sorts texts by the rules of a language, as databases that people install
/// do; and its name.
pub async fn postgres_of_a_language() -> (Db, String) {
    postgres_with("TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'").await
}

async fn postgres_with(options: &str) -> (Db, String) {
    let (db, name) = empty_postgres_with(options).await;
    databases::patiently(async || db.migrate().await).await;
    (db, name)
}

/// A database of its own on the test server, without tables.
pub async fn empty_postgres() -> Db {
    empty_postgres_with("").await.0
}

async fn empty_postgres_with(options: &str) -> (Db, String) {
    let (db, name) = databases::postgres(options).await;
    (Db::from(db), name)
}

impl Db {
    /// Runs the migrations up to one.
    pub async fn migrate_to(&self, schema: i64) -> Result<(), super::OpenError> {
        let kernel: &kernel::db::Db = self;
        kernel.migrate_to(&super::MIGRATIONS, schema).await
    }

    /// Fills the disk of an SQLite database, as far as it can tell: it may not grow. Without `full` it may again.
    pub async fn fill_disk(&self, full: bool) {
        let writer = self.sqlite_writer().expect("SQLite");
        // The setting is the connection's, and there is one that writes.
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count")
            .fetch_one(writer)
            .await
            .expect("a count");
        let most = if full { pages } else { 1_000_000_000 };
        let set = format!("PRAGMA max_page_count = {most}");
        sqlx::query(sqlx::AssertSqlSafe(set))
            .execute(writer)
            .await
            .expect("the setting");
    }

    /// The URL that opens this database again.
    pub async fn url(&self) -> String {
        if let Some(file) = self.file().await {
            return format!("sqlite:{}", file.display());
        }
        let mut tx = self.read().await.expect("a connection");
        let super::Connection::Postgres(conn) = tx.link() else {
            unreachable!("SQLite has a file");
        };
        let name: String = sqlx::query_scalar("SELECT current_database()::text")
            .fetch_one(conn)
            .await
            .expect("the name");
        databases::postgres_url(&name)
    }

    /// The file of a SQLite database.
    pub async fn file(&self) -> Option<PathBuf> {
        if self.is_postgres() {
            return None;
        }
        let mut tx = self.read().await.expect("a connection");
        let (_, _, file): (i64, String, String) = run!(tx, |conn| {
            sqlx::query_as("PRAGMA database_list").fetch_one(conn).await
        })
        .expect("the list");
        Some(file.into())
    }

    /// Every row of every table of a Postgres database, as text.
    pub async fn dump(&self) -> String {
        let mut tx = self.read().await.expect("a connection");
        let super::Connection::Postgres(conn) = tx.link() else {
            return String::new();
        };
        let tables: Vec<String> =
            sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
                .fetch_all(&mut *conn)
                .await
                .expect("the tables");
        let mut all = String::new();
        for table in tables {
            let sql = format!("SELECT rows::text FROM {table} AS rows");
            let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
                .fetch_all(&mut *conn)
                .await
                .expect("the rows");
            all.extend(rows);
        }
        all
    }

    /// Counts the rows of a table.
    pub async fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        let mut tx = self.read().await.expect("a connection");
        run!(tx, |conn| sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_one(conn)
            .await)
        .expect("the table")
    }

    /// Every table that has one of these columns.
    pub async fn tables_with(&self, columns: &[&str]) -> Vec<String> {
        let named: Vec<String> = columns.iter().map(|name| format!("'{name}'")).collect();
        let named = named.join(", ");
        let sql = if self.is_postgres() {
            format!(
                "SELECT DISTINCT table_name::text FROM information_schema.columns
                 WHERE table_schema = 'public' AND column_name IN ({named})"
            )
        } else {
            format!(
                "SELECT DISTINCT m.name FROM sqlite_master m, pragma_table_info(m.name) c
                 WHERE m.type = 'table' AND c.name IN ({named})"
            )
        };
        let mut tx = self.read().await.expect("a connection");
        run!(tx, |conn| sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_all(conn)
            .await)
        .expect("the tables")
    }

    /// The files of a Postgres database as they lie on the disk once its tables are packed: rows, what is stored out of
    /// line, and indexes. Not its log of writes, which the cluster has in common.
    pub async fn postgres_files(&self) -> Vec<u8> {
        let mut tx = self.read().await.expect("a connection");
        let super::Connection::Postgres(conn) = tx.link() else {
            return Vec::new();
        };
        let mut say = async |sql: String| {
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .execute(&mut *conn)
                .await
                .expect("it is done");
        };
        let tables: Vec<String> = crate::storage::inventory::tables()
            .map(|table| table.name.to_owned())
            .collect();
        say("SET default_transaction_read_only = off".into()).await;
        say(format!("VACUUM FULL {}", tables.join(", "))).await;
        say("CHECKPOINT".into()).await;
        say("SET default_transaction_read_only = on".into()).await;
        let files: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT pg_read_binary_file(pg_relation_filepath(c.oid)) FROM pg_class c
             WHERE c.relkind IN ('r', 't', 'i') AND (c.relname = 'pg_statistic' OR c.relnamespace IN
                (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'pg_toast')))",
        )
        .fetch_all(conn)
        .await
        .expect("the files");
        files.concat()
    }

    /// Lets Postgres collect the statistics that its autovacuum daemon would collect at some time.
    pub async fn analyse(&self) {
        if self.is_postgres() {
            self.alter("ANALYZE").await;
        }
    }

    /// Takes the audit log away, so that acts cannot be written down.
    pub async fn break_audit_log(&self) {
        self.alter("ALTER TABLE audit_log RENAME TO audit_log_away")
            .await;
    }

    /// Puts the audit log back.
    pub async fn mend_audit_log(&self) {
        self.alter("ALTER TABLE audit_log_away RENAME TO audit_log")
            .await;
    }

    /// Does to one row what nobody should.
    pub async fn alter_one(&self, sql: &str, id: uuid::Uuid) {
        let mut tx = self.write().await.expect("a connection");
        run!(tx, |conn| sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()))
            .bind(id)
            .execute(conn)
            .await
            .map(|_| ()))
        .expect("the row");
        tx.commit().await.expect("commit");
    }

    async fn alter(&self, sql: &'static str) {
        let mut tx = self.write().await.expect("a connection");
        run!(tx, |conn| sqlx::query(sql).execute(conn).await.map(|_| ())).expect("the table");
        tx.commit().await.expect("commit");
    }
}

impl super::Tx {
    /// Puts another key on every transaction of a consent that has one.
    pub async fn put_merchant(
        &mut self,
        consent: app::domain::ids::CredentialsId,
        key: &kernel::crypto::Digest,
    ) {
        run!(self, |conn| sqlx::query(
            "UPDATE transactions SET merchant = $2 WHERE consent_id = $1"
        )
        .bind(consent)
        .bind(key)
        .execute(conn)
        .await
        .map(|_| ()))
        .expect("the rows");
    }

    /// Rows of uploads and of their pieces, in whatever state.
    pub async fn count_uploads(&mut self) -> (i64, i64) {
        run!(self, |conn| sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM uploads), (SELECT COUNT(*) FROM upload_chunks)"
        )
        .fetch_one(conn)
        .await)
        .expect("the tables")
    }
}
