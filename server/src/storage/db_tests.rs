//! What the kernel's database does, shown on the product's schema and on both databases.

use std::time::{Duration, Instant};

use super::testing::{self, on_both};
use super::{Connection, Db, DbError, DbResult, OpenError, Tx, lost_race, run};

/// Time within which a connection that died is replaced.
const WAIT: Duration = Duration::from_secs(5);

on_both!(
    what_is_not_committed_never_happened,
    a_reader_cannot_write,
    writers_wait_for_each_other,
    a_read_that_is_given_up_disturbs_nobody,
    many_wait_for_few_connections
);

async fn count(db: &Db) -> i64 {
    let mut tx = db.read().await.unwrap();
    run!(tx, |conn| sqlx::query_scalar("SELECT COUNT(*) FROM meta")
        .fetch_one(conn)
        .await)
    .unwrap()
}

async fn put(tx: &mut Tx, key: &str) -> DbResult<()> {
    run!(tx, |conn| sqlx::query(
        "INSERT INTO meta (key, value) VALUES ($1, 'x')"
    )
    .bind(key)
    .execute(conn)
    .await
    .map(|_| ()))
}

async fn what_is_not_committed_never_happened(db: Db) {
    let mut tx = db.write().await.unwrap();
    put(&mut tx, "dropped").await.unwrap();
    drop(tx);
    let mut tx = db.write().await.unwrap();
    put(&mut tx, "kept").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(count(&db).await, 1);
}

async fn a_reader_cannot_write(db: Db) {
    let mut tx = db.read().await.unwrap();
    assert!(put(&mut tx, "sneaked").await.is_err());
    assert_eq!(count(&db).await, 0);
}

async fn writers_wait_for_each_other(db: Db) {
    let tasks: Vec<_> = (0..40)
        .map(|n| {
            let db = db.clone();
            tokio::spawn(async move {
                let mut tx = db.write().await.unwrap();
                let seen: i64 = run!(tx, |conn| sqlx::query_scalar("SELECT COUNT(*) FROM meta")
                    .fetch_one(conn)
                    .await)
                .unwrap();
                put(&mut tx, &format!("{n}-{seen}")).await.unwrap();
                tx.commit().await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(count(&db).await, 40);
}

/// SQLite has one writer at a time: nobody can wait for anybody in a circle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_circle_of_waiting_on_postgres_is_a_lost_race() {
    let db = testing::postgres().await;
    let (mut one, mut two) = (db.write().await.unwrap(), db.write().await.unwrap());
    put(&mut one, "a").await.unwrap();
    put(&mut two, "b").await.unwrap();
    let other = tokio::spawn(async move { put(&mut two, "a").await });
    let mine = put(&mut one, "b").await;
    // Dropped before the other is asked for: what it holds would keep the other waiting.
    drop(one);
    let outcomes = [mine, other.await.unwrap()];
    let lost = outcomes.iter().filter_map(|put| put.as_ref().err());
    let lost: Vec<bool> = lost.map(lost_race).collect();
    assert_eq!(lost, [true], "{outcomes:?}");
    db.close().await;
}

async fn remember(db: &Db) {
    let mut tx = db.write().await.unwrap();
    tx.claim_meta("name", "value").await.unwrap();
    tx.commit().await.unwrap();
}

async fn a_read_that_is_given_up_disturbs_nobody(db: Db) {
    remember(&db).await;
    for _ in 0..100 {
        let mut tx = db.read().await.unwrap();
        let given_up = tokio::time::timeout(Duration::ZERO, tx.count_transactions(None));
        drop(given_up.await);
        drop(tx);
        let mut tx = db.read().await.unwrap();
        assert_eq!(tx.meta("name").await.unwrap().as_deref(), Some("value"));
    }
}

async fn many_wait_for_few_connections(db: Db) {
    remember(&db).await;
    let readers = (0..200).map(|_| {
        let db = db.clone();
        tokio::spawn(async move { db.read().await?.meta("name").await })
    });
    for reader in readers.collect::<Vec<_>>() {
        let value = reader.await.unwrap().unwrap();
        assert_eq!(value.as_deref(), Some("value"));
    }
}

/// On SQLite there is nothing between us and the file that could die.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_died_on_postgres_is_replaced() {
    let db = testing::postgres().await;
    let mut tx = db.read().await.unwrap();
    let Connection::Postgres(conn) = tx.link() else {
        panic!("not Postgres");
    };
    let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(conn)
        .await
        .unwrap();
    drop(tx);
    let mut tx = db.write().await.unwrap();
    if let Connection::Postgres(conn) = tx.link() {
        let end = sqlx::query("SELECT pg_terminate_backend($1)").bind(backend);
        end.execute(conn).await.unwrap();
    }
    drop(tx);
    let begin = Instant::now();
    while !db.read().await.unwrap().is_alive().await {
        assert!(begin.elapsed() < WAIT, "it is still lent");
    }
    db.close().await;
}

#[tokio::test]
async fn postgres_without_synchronous_commit_is_refused() {
    let db = testing::postgres().await;
    let url = db.url().await;
    let name = url.rsplit('/').next().unwrap();
    let writer = db.postgres_writer().unwrap();
    // Said of the role in this database, it goes over what is said of either.
    let set = format!("ALTER ROLE CURRENT_USER IN DATABASE {name} SET synchronous_commit = off");
    sqlx::query(sqlx::AssertSqlSafe(set))
        .execute(writer)
        .await
        .unwrap();
    assert!(matches!(Db::open(&url).await, Err(OpenError::Forgetful)));
    db.close().await;
}

/// Fifty writers, half of them of another process' pool: each waits its turn, and none is told that the database is
/// busy.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_of_writers_waits_in_line() {
    const WRITERS: usize = 50;
    const EACH: usize = 20;
    let folder = tempfile::tempdir().unwrap();
    let one = testing::sqlite(&folder).await;
    let two = Db::open(&one.url().await).await.unwrap();
    let tasks: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let db = if writer % 2 == 0 {
                one.clone()
            } else {
                two.clone()
            };
            tokio::spawn(async move {
                for n in 0..EACH {
                    let mut tx = db.write().await?;
                    tx.claim_meta(&format!("{writer}-{n}"), "x").await?;
                    tx.commit().await?;
                }
                Ok::<_, DbError>(())
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let mut tx = one.read().await.unwrap();
    let sums = super::copy::sums(&mut tx).await.unwrap();
    assert_eq!(sums["meta"].rows, (WRITERS * EACH) as u64);
    drop(tx);
    two.close().await;
    one.close().await;
}

#[tokio::test]
async fn a_new_database_is_read_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let url = format!("sqlite:{}", path.display());
    let db = Db::open(&url).await.unwrap();
    db.migrate().await.unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
    }
    db.close().await;
}
