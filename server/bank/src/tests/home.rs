//! The bank's database: whose it is, and that it takes over what was elsewhere once and whole.

use kernel::db::Db as KernelDb;
use kernel_testing::databases;
use kernel_testing::rows::{Filling, counts, fill};

use crate::storage::{Db, TakeOverError};
use crate::tests::{on_both, postgres, sqlite};
use crate::{SCHEMA, newest_schema};

on_both!(
    an_owner_is_noted_once,
    rows_are_taken_over_once_by_one_of_many,
    what_broke_off_left_nothing
);

async fn an_owner_is_noted_once(db: Db) {
    assert_eq!(db.owner().await.unwrap(), None);
    for _ in 0..2 {
        db.belong_to("one").await.unwrap();
    }
    let foreign = db.belong_to("other").await;
    assert!(matches!(foreign, Err(TakeOverError::Foreign)));
    assert_eq!(db.owner().await.unwrap().as_deref(), Some("one"));
}

/// An earlier home of the bank's rows: a database of the same tables.
async fn earlier(folder: &tempfile::TempDir) -> Db {
    let earlier = sqlite(folder).await;
    let filling = Filling {
        rows: 250,
        at: "2026-01-01T00:00:00Z".parse().unwrap(),
        empty: &[],
        gaps: true,
    };
    fill(&earlier, &earlier, &filling).await;
    // Rows in which a database describes itself are not handed on.
    let mut tx = earlier.write().await.unwrap();
    kernel::db::run!(tx, |conn| sqlx::query("DROP TABLE bank_meta")
        .execute(conn)
        .await
        .map(|_| ()))
    .unwrap();
    tx.commit().await.unwrap();
    earlier
}

async fn rows_are_taken_over_once_by_one_of_many(db: Db) {
    let folder = tempfile::tempdir().unwrap();
    let earlier = earlier(&folder).await;
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let (db, earlier) = (db.clone(), earlier.clone());
            tokio::spawn(async move {
                let mut from = earlier.read().await.unwrap();
                db.take_over(Some(&mut from)).await.unwrap()
            })
        })
        .collect();
    let mut winners = 0;
    for task in tasks {
        winners += u32::from(task.await.unwrap());
    }
    assert_eq!(winners, 1);
    let mut held = counts(&db).await;
    assert_eq!(held.remove("bank_meta"), Some(1));
    assert!(held.values().all(|count| *count == 250), "{held:?}");
    earlier.close().await;
}

async fn what_broke_off_left_nothing(db: Db) {
    let folder = tempfile::tempdir().unwrap();
    let earlier = earlier(&folder).await;
    let mut times = 0;
    loop {
        let mut from = earlier.read().await.unwrap();
        let work = db.take_over(Some(&mut from));
        let done = kernel_testing::breaking::break_off(work, times).await;
        match done {
            Some(done) => {
                done.unwrap();
                break;
            }
            None => assert!(
                counts(&db)
                    .await
                    .values()
                    .all(|count| matches!(count, 0 | 1 | 250)),
                "after {times} waits"
            ),
        }
        times = times * 2 + 1;
    }
    let mut held = counts(&db).await;
    assert_eq!(held.remove("bank_meta"), Some(1));
    assert!(held.values().all(|count| *count == 250), "{held:?}");
    earlier.close().await;
}

/// In a database that others have tables in, the bank has a schema to itself, and looking for it makes none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_on_postgres_is_made_once_and_nothing_else_is_touched() {
    let (beside, name) = databases::postgres("").await;
    let url = databases::postgres_url(&name);
    assert!(Db::open_if_made(&url).await.unwrap().is_none());
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move {
                let db = Db::open(&url).await.unwrap();
                db.migrate().await.unwrap();
                db.close().await;
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert!(counts(&beside).await.is_empty(), "none of them in public");
    let db: KernelDb = Db::open_if_made(&url).await.unwrap().unwrap().kernel();
    let schema = kernel::db::snapshot::schema(&mut db.read().await.unwrap()).await;
    assert_eq!(schema.unwrap(), newest_schema());
    db.close().await;
    kernel::db::snapshot::drop_empty_schema(&url, SCHEMA)
        .await
        .unwrap_err();
    beside.close().await;
    postgres().await.close().await;
}
