//! Fresh databases for tests, without tables: a file for SQLite, a database of its own on the server that
//! `TESSERA_TEST_POSTGRES` names (`cargo xtask test` starts one).

use std::sync::atomic::{AtomicU32, Ordering};

use kernel::db::{Db, Tenancy};
use tempfile::TempDir;

/// Connections of a test's database that write, and that read: many tests share one server.
const CONNECTIONS: u32 = 8;

/// An SQLite database, one more in the folder.
pub async fn sqlite(folder: &TempDir) -> Db {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("{}.db", COUNT.fetch_add(1, Ordering::Relaxed));
    let url = format!("sqlite:{}", folder.path().join(name).display());
    Db::open(&url).await.expect("SQLite opens")
}

/// A database of its own on the test server, made with these options of `CREATE DATABASE`; and its name.
pub async fn postgres(options: &str) -> (Db, String) {
    let (url, name) = make_postgres(options).await;
    let db = Db::open_postgres(&url, Tenancy::Guest(CONNECTIONS)).await;
    (db.expect("Postgres opens"), name)
}

/// A schema in such a database.
pub async fn postgres_schema(schema: &'static str) -> (Db, String) {
    let (url, name) = make_postgres("").await;
    let db = Db::open_postgres(&url, Tenancy::Schema(schema)).await;
    (db.expect("Postgres opens"), name)
}

async fn make_postgres(options: &str) -> (String, String) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "tessera_test_{}_{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    drop_postgres(&name).await;
    on_server(&format!("CREATE DATABASE {name} {options}")).await;
    (postgres_url(&name), name)
}

/// Returns the URL of a database of the test server.
pub fn postgres_url(name: &str) -> String {
    let mut url = url::Url::parse(&server()).expect("TESSERA_TEST_POSTGRES is a URL");
    url.set_path(name);
    url.into()
}

/// Takes a database of the test server away, once nobody is connected to it.
pub async fn drop_postgres(name: &str) {
    on_server(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
}

/// Tries what a machine with much to do may keep waiting for longer than a server would.
pub async fn patiently<E: std::fmt::Debug>(attempt: impl AsyncFn() -> Result<(), E>) {
    let mut done = attempt().await;
    for _ in 0..5 {
        if done.is_ok() {
            break;
        }
        done = attempt().await;
    }
    done.expect("it is done at last");
}

fn server() -> String {
    std::env::var("TESSERA_TEST_POSTGRES")
        .expect("TESSERA_TEST_POSTGRES is not set: run `cargo xtask test`, or name a Postgres server whose user may create databases")
}

async fn on_server(sql: &str) {
    let admin = sqlx::PgPool::connect(&server())
        .await
        .expect("the test Postgres answers");
    sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()))
        .execute(&admin)
        .await
        .expect("it is done");
    admin.close().await;
}
