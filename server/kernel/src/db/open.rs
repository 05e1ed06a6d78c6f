//! Opening a database, in the one way it may be run: SQLite with its log, synced at each commit, with one writer, on a local
//! disk; Postgres with commits that wait for the disk. What is otherwise is refused.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use super::advice::{unmigrated, unopened};
use super::filesystem::network_filesystem;
use super::readers::ReadPool;
use super::{Db, DbError, Pools, Signals, is_busy};

/// Time that an opener waits for a connection.
const WAIT: Duration = Duration::from_secs(5);
/// Tries of migrations that meet another writer, or one that gets on with the same; there are fewer migrations.
const BUSY_TRIES: usize = 100;

/// Reason a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the database URL must begin with sqlite: or postgres:, not {0:?}")]
    Scheme(String),
    #[error("cannot open the database: {}", unopened(.0))]
    Database(#[from] DbError),
    #[error("cannot bring the database up to date: {}", unmigrated(.0))]
    Migration(#[from] MigrateError),
    #[error(
        "SQLite {0} has a bug that can corrupt the database (fixed in 3.51.3): rebuild with a newer one"
    )]
    OldSqlite(String),
    /// Whoever has the tables does not take the database as it is.
    #[error("{0}")]
    Refused(String),
    #[error("there is no database at {0}: name another with --database or --data-dir")]
    Missing(PathBuf),
    #[error(
        "SQLite would run with {setting} = {found}, and must run with {wanted}: what is acknowledged could be lost. \
         Move the database to an ordinary local disk"
    )]
    Unsafe {
        setting: &'static str,
        found: String,
        wanted: &'static str,
    },
    #[error(
        "the database is on a network filesystem ({0}), on which SQLite's locks do not hold: move it to a local disk, or \
         use Postgres"
    )]
    Network(String),
    #[error(
        "Postgres would run with synchronous_commit = off: what is acknowledged could be lost. Set it with \
         `ALTER DATABASE ... SET synchronous_commit = on`"
    )]
    Forgetful,
}

/// The share of a Postgres database that its opener has.
#[derive(Clone, Copy, Debug)]
pub enum Tenancy {
    /// All of it.
    Owner,
    /// A schema of its own, with half as many connections.
    Schema(&'static str),
    /// All of it, with so many connections that write and that read.
    Guest(u32),
}

impl Db {
    /// Opens `sqlite:PATH` (made if missing) or `postgres://…`, without migrating it.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        Self::open_as(url, Tenancy::Owner).await
    }

    /// Opens `sqlite:PATH` (made if missing), or a schema of its own in `postgres://…` (made if missing), without migrating
    /// it: for whoever may share a Postgres database with others.
    pub async fn open_schema(url: &str, schema: &'static str) -> Result<Self, OpenError> {
        Self::open_as(url, Tenancy::Schema(schema)).await
    }

    /// Opens what [`Db::open_schema`] does, and makes neither a file nor a schema: `None` if there is none.
    pub async fn open_schema_if_made(
        url: &str,
        schema: &'static str,
    ) -> Result<Option<Self>, OpenError> {
        let is_made = match sqlite_path(url) {
            Some(path) => path.is_file(),
            None if is_postgres_url(url) => {
                has_schema(&PgConnectOptions::from_str(url)?, schema).await?
            }
            // Opening it says what is wrong.
            None => true,
        };
        if is_made {
            Self::open_schema(url, schema).await.map(Some)
        } else {
            Ok(None)
        }
    }

    async fn open_as(url: &str, tenancy: Tenancy) -> Result<Self, OpenError> {
        if let Some(path) = sqlite_path(url) {
            if let Some(kind) = network_filesystem(path) {
                return Err(OpenError::Network(kind));
            }
            Self::open_sqlite(path, SqliteSynchronous::Full).await
        } else if is_postgres_url(url) {
            Self::open_postgres(url, tenancy).await
        } else {
            Err(OpenError::Scheme(
                url.split(':').next().unwrap_or_default().to_owned(),
            ))
        }
    }

    /// Opens a database that is there already; an SQLite file is never made.
    pub async fn open_existing(url: &str) -> Result<Self, OpenError> {
        refuse_missing(url)?;
        Self::open(url).await
    }

    pub async fn open_sqlite(
        path: &Path,
        synchronous: SqliteSynchronous,
    ) -> Result<Self, OpenError> {
        make_private(path);
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            .foreign_keys(true)
            // What is deleted is overwritten, not only forgotten: erasure must be real.
            .pragma("secure_delete", "ON")
            .busy_timeout(Duration::from_secs(5))
            // A page is handed over whole, not in turns with whoever reads it.
            .row_buffer_size(512)
            .pragma("mmap_size", "0");
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(WAIT)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            // SQLite itself ends a transaction whose statement finds the disk full. sqlx, which did not, tries to roll it
            // back, fails, and believes from then on that the connection is in a transaction: nothing could be written
            // with it any more. Another one takes its place.
            .before_acquire(|conn, _| Box::pin(async move { Ok(!conn.is_in_transaction()) }));
        let writer = writer.connect_with(options.clone()).await?;
        let least = match synchronous {
            SqliteSynchronous::Full | SqliteSynchronous::Extra => 2,
            // For tests in which only processes die.
            SqliteSynchronous::Off | SqliteSynchronous::Normal => 0,
        };
        check_sqlite(&mut *writer.acquire().await?, least).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(8)
            .acquire_timeout(WAIT)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None);
        let readers = readers.connect_lazy_with(options.create_if_missing(false).read_only(true));
        let pools = Pools::Sqlite {
            writer,
            readers: ReadPool::new(readers),
        };
        Ok(Self(pools, Signals::of_sqlite()))
    }

    pub async fn open_postgres(url: &str, tenancy: Tenancy) -> Result<Self, OpenError> {
        let mut options = PgConnectOptions::from_str(url)?.application_name("tessera");
        let connections = match tenancy {
            Tenancy::Owner => 16,
            Tenancy::Guest(connections) => connections,
            Tenancy::Schema(schema) => {
                make_schema(&options, schema).await?;
                options = options.options([("search_path", schema)]);
                8
            }
        };
        let pool = || {
            PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(WAIT)
                .test_before_acquire(false)
                // Only a connection that rested may have died unnoticed: asking each time would double a short read.
                .before_acquire(|connection, meta| {
                    Box::pin(async move {
                        Ok(meta.idle_for < Duration::from_secs(1)
                            || connection.ping().await.is_ok())
                    })
                })
        };
        let writer = pool().connect_with(options.clone()).await?;
        let commits: String = sqlx::query_scalar("SHOW synchronous_commit")
            .fetch_one(&writer)
            .await?;
        check_commits(&commits)?;
        let counters = pool()
            .max_connections(4)
            .connect_lazy_with(options.clone().options([("synchronous_commit", "off")]));
        let readers = pool().connect_lazy_with(options.options([
            ("default_transaction_read_only", "on"),
            // Our lists are pages in an index's order. A bitmap gathers all of a list to sort it, and looks cheap
            // whenever the statistics are older than the rows.
            ("enable_bitmapscan", "off"),
        ]));
        let counters = ReadPool::new(counters);
        let signals = Signals::of_postgres(counters.clone());
        let pools = Pools::Postgres {
            writer,
            readers: ReadPool::new(readers),
            counters,
        };
        Ok(Self(pools, signals))
    }
}

/// Opens one connection, within the time that a pool would take.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, DbError> {
    let connected = tokio::time::timeout(WAIT, options.connect()).await;
    connected.map_err(|_| DbError::PoolTimedOut)?
}

async fn has_schema(options: &PgConnectOptions, schema: &str) -> Result<bool, DbError> {
    let mut conn = connect(options).await?;
    let found = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)")
        .bind(schema)
        .fetch_one(&mut conn)
        .await?;
    conn.close().await?;
    Ok(found)
}

/// Makes a schema that is missing. Of several who make it at once one does, and the others find it.
async fn make_schema(options: &PgConnectOptions, schema: &str) -> Result<(), DbError> {
    // Asked first: making a schema takes a right that whoever may use it need not have.
    if has_schema(options, schema).await? {
        return Ok(());
    }
    let mut conn = connect(options).await?;
    let sql = format!("CREATE SCHEMA IF NOT EXISTS {schema}");
    let made = conn.execute(AssertSqlSafe(sql)).await;
    conn.close().await?;
    match made {
        Err(_) if has_schema(options, schema).await? => Ok(()),
        made => made.map(|_| ()),
    }
}

/// Runs the migrations that an SQLite database lacks. Nothing keeps two processes from doing so at once, as sqlx locks
/// Postgres only: of each migration one of them then finds that it is done. That is no failure while somebody gets on.
pub(super) async fn migrate_sqlite(
    all: &Migrator,
    version: i64,
    writer: &SqlitePool,
) -> Result<(), OpenError> {
    let count = async || {
        let sql = "SELECT COUNT(*) FROM _sqlx_migrations";
        let count: Result<i64, DbError> = sqlx::query_scalar(sql).fetch_one(writer).await;
        // The table is made with the first of them.
        count.unwrap_or(0)
    };
    // Whoever writes something else at that moment ends a migration as well, which shows in no count.
    for _ in 0..BUSY_TRIES {
        let before = count().await;
        match all.run_to(version, writer).await {
            Err(
                MigrateError::Execute(ref error) | MigrateError::ExecuteMigration(ref error, _),
            ) if is_busy(error) || count().await > before => {}
            done => return Ok(done?),
        }
    }
    Ok(all.run_to(version, writer).await?)
}

/// Makes the file of a new SQLite database one that its owner alone may read, as SQLite's own files beside it will be. What is
/// wrong with the place is told by SQLite, which opens it next.
fn make_private(path: &Path) {
    let mut file = OpenOptions::new();
    file.write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .ok();
}

/// Refuses an SQLite file that is not there.
pub fn refuse_missing(url: &str) -> Result<(), OpenError> {
    match sqlite_path(url) {
        Some(path) if !path.is_file() => Err(OpenError::Missing(path.to_owned())),
        _ => Ok(()),
    }
}

/// Returns `true` if a URL is one of Postgres.
pub fn is_postgres_url(url: &str) -> bool {
    url.starts_with("postgres:") || url.starts_with("postgresql:")
}

/// The path of an SQLite database's URL.
pub fn sqlite_path(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("sqlite:")?;
    Some(Path::new(path.strip_prefix("//").unwrap_or(path)))
}

/// Asks a connection how it runs, and refuses what could lose an acknowledged write.
async fn check_sqlite(
    conn: &mut SqliteConnection,
    least_synchronous: i64,
) -> Result<(), OpenError> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(&mut *conn)
        .await?;
    if version_numbers(&version) < [3, 51, 3] {
        return Err(OpenError::OldSqlite(version));
    }
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(&mut *conn)
        .await?;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
        .fetch_one(&mut *conn)
        .await?;
    let foreign_keys: i64 = sqlx::query_scalar("PRAGMA foreign_keys")
        .fetch_one(&mut *conn)
        .await?;
    // No row where it was left out of SQLite.
    let mapped: Option<i64> = sqlx::query_scalar("PRAGMA mmap_size")
        .fetch_optional(conn)
        .await?;
    let mapped = mapped.unwrap_or(0);
    for (right, setting, found, wanted) in [
        (journal == "wal", "journal_mode", journal.clone(), "wal"),
        (
            synchronous >= least_synchronous,
            "synchronous",
            synchronous.to_string(),
            "FULL (2)",
        ),
        (
            foreign_keys == 1,
            "foreign_keys",
            foreign_keys.to_string(),
            "1",
        ),
        (mapped == 0, "mmap_size", mapped.to_string(), "0"),
    ] {
        if !right {
            return Err(OpenError::Unsafe {
                setting,
                found,
                wanted,
            });
        }
    }
    Ok(())
}

fn check_commits(synchronous_commit: &str) -> Result<(), OpenError> {
    if synchronous_commit == "off" {
        return Err(OpenError::Forgetful);
    }
    Ok(())
}

fn version_numbers(version: &str) -> [u32; 3] {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    [
        numbers.next().unwrap_or(0),
        numbers.next().unwrap_or(0),
        numbers.next().unwrap_or(0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(
            version_numbers("3.51.3") >= [3, 51, 3]
                && version_numbers("3.51.10") > [3, 51, 3]
                && version_numbers("3.9.0") < [3, 51, 3]
        );
    }

    fn safe(folder: &TempDir) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(folder.path().join("test.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .pragma("mmap_size", "0")
    }

    #[tokio::test]
    async fn sqlite_is_run_the_one_safe_way_or_not_at_all() {
        let broken = [
            ("", None),
            ("journal_mode", Some("DELETE")),
            ("synchronous", Some("NORMAL")),
            ("foreign_keys", Some("OFF")),
            ("mmap_size", Some("1048576")),
        ];
        for (setting, value) in broken {
            let folder = tempfile::tempdir().unwrap();
            let mut options = safe(&folder);
            if let Some(value) = value {
                options = options.pragma(setting, value);
            }
            let mut conn = options.connect().await.unwrap();
            let checked = check_sqlite(&mut conn, 2).await;
            conn.close().await.unwrap();
            match (value, checked) {
                (None, Ok(())) => {}
                (Some(_), Err(OpenError::Unsafe { setting: named, .. })) => {
                    assert_eq!(named, setting);
                }
                (_, other) => panic!("{setting} {value:?}: {other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_database_is_opened_the_safe_way() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let db = Db::open(&url).await.unwrap();
        let mut conn = db.sqlite_writer().unwrap().acquire().await.unwrap();
        check_sqlite(&mut conn, 2).await.unwrap();
        drop(conn);
        db.close().await;
    }

    #[test]
    fn a_commit_that_waits_for_nothing_is_refused() {
        assert!(matches!(check_commits("off"), Err(OpenError::Forgetful)));
        for waits in ["on", "local", "remote_write", "remote_apply"] {
            check_commits(waits).unwrap();
        }
    }
}
