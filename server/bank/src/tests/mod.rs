//! The bank through its real listener, with a plain HTTP client.

mod books;
mod gate;
mod home;
mod payments;
mod products;
mod statements;
mod walk;
mod world;

use tempfile::TempDir;

use crate::storage::{Db, SCHEMA};

/// Lists the tests of a module: each plain `async fn name(db: Db)` runs once on SQLite and once on Postgres.
/// A test left off the list is dead code, which the build refuses.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let folder = tempfile::tempdir().unwrap();
                let db = $crate::tests::sqlite(&folder).await;
                super::$name(db.clone()).await;
                db.close().await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let db = $crate::tests::postgres().await;
                super::$name(db.clone()).await;
                db.close().await;
            })+
        }
    };
}
pub(crate) use on_both;

/// A migrated database in the folder.
pub async fn sqlite(folder: &TempDir) -> Db {
    let db = Db::from(kernel_testing::databases::sqlite(folder).await);
    db.migrate().await.unwrap();
    db
}

/// A migrated schema in a database of its own on the test server.
pub async fn postgres() -> Db {
    let (db, _) = kernel_testing::databases::postgres_schema(SCHEMA).await;
    let db = Db::from(db);
    kernel_testing::databases::patiently(async || db.migrate().await).await;
    db
}
