//! From every released schema, with data in it, to the present one; and in the middle of it the process dies.

use std::collections::BTreeMap;
use std::process::Command;

use chrono::{DateTime, Utc};
use tempfile::TempDir;

use super::testing::rows::{Filling, counts, fill};
use super::testing::{empty_postgres, empty_sqlite, on_both_empty, sqlite_to};
use super::{Db, MIGRATIONS, copy};

on_both_empty!(
    every_released_schema_comes_up_to_date_with_its_data,
    a_migration_that_dies_anywhere_is_finished_by_the_next_start,
);

/// The last migrations of schemas that were in use.
const RELEASED: [i64; 2] = [13, 20];
/// The schema that most installations come from.
const LAST: i64 = 20;

fn filling() -> Filling {
    Filling {
        rows: 3,
        at: "2026-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap(),
        empty: &[],
        gaps: true,
    }
}

/// Brings an empty database to an old schema and fills it.
async fn aged(db: &Db, schema: i64) {
    let folder = tempfile::tempdir().unwrap();
    let twin = sqlite_to(&folder, schema).await;
    db.migrate_to(schema).await.unwrap();
    fill(db, &twin, &filling()).await;
    twin.close().await;
}

/// Returns the checksum of each table of an old schema, over the columns it had then.
async fn held(
    db: &Db,
    then: &BTreeMap<String, Vec<copy::CopiedColumn>>,
) -> BTreeMap<String, copy::TableChecksum> {
    let mut tx = db.read().await.unwrap();
    let mut sums = BTreeMap::new();
    for (table, columns) in then {
        let sum = copy::sum(&mut tx, table, columns).await.unwrap();
        sums.insert(table.clone(), sum);
    }
    sums
}

async fn columns_of(db: &Db) -> BTreeMap<String, Vec<copy::CopiedColumn>> {
    let mut tx = db.read().await.unwrap();
    let mut all = BTreeMap::new();
    for table in copy::tables(&mut tx).await.unwrap() {
        let columns = copy::columns(&mut tx, &table).await.unwrap();
        all.insert(table, columns);
    }
    all
}

async fn every_released_schema_comes_up_to_date_with_its_data(make: Make) {
    for schema in RELEASED {
        let db = make.empty().await;
        aged(&db, schema).await;
        let before = counts(&db).await;
        assert!(before.values().all(|count| *count == 3), "{before:?}");
        let then = columns_of(&db).await;
        let held_then = held(&db, &then).await;
        db.migrate().await.unwrap();
        let now = columns_of(&db).await;
        for (table, columns) in &then {
            let kept = now.get(table).unwrap_or_else(|| panic!("{table} is gone"));
            assert!(
                columns.iter().all(|column| kept.contains(column)),
                "{table}"
            );
        }
        let held_now = held(&db, &then).await;
        assert_eq!(held_now, held_then, "from schema {schema}");
        db.close().await;
    }
}

/// A process of its own that brings a database up to date; its parent kills it somewhere.
#[tokio::test]
async fn the_database_that_the_environment_names_is_brought_up_to_date() {
    let Ok(url) = std::env::var("TESSERA_TEST_MIGRATE") else {
        return;
    };
    let db = Db::open(&url).await.unwrap();
    db.migrate().await.unwrap();
    db.close().await;
}

/// Runs that process under strace, which kills it at the n-th call of a kind; says whether it came to its end.
async fn killed_at(url: &str, call: &str, n: u32) -> bool {
    let mut command = Command::new("strace");
    command
        .args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            &format!("trace={call}"),
        ])
        .args(["-e", &format!("inject={call}:signal=KILL:when={n}")])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "storage::upgrade_tests::the_database_that_the_environment_names_is_brought_up_to_date",
        ])
        .env("TESSERA_TEST_MIGRATE", url);
    let ended = tokio::task::spawn_blocking(move || command.output());
    let ended = ended.await.unwrap();
    ended
        .expect("strace is installed: `cargo xtask test --install`")
        .status
        .success()
}

async fn a_migration_that_dies_anywhere_is_finished_by_the_next_start(make: Make) {
    // SQLite: every so many writes to its files. Postgres: every so many messages, of which each statement is one or more.
    let (call, step) = match make {
        Make::Sqlite(_) => ("pwrite64", 41),
        Make::Postgres => ("sendto", 7),
    };
    let reference = make.empty().await;
    reference.migrate().await.unwrap();
    let wanted = columns_of(&reference).await;
    reference.close().await;
    let mut deaths = 0;
    for at in (1..).step_by(step) {
        let db = make.empty().await;
        aged(&db, LAST).await;
        let then = columns_of(&db).await;
        let held_then = held(&db, &then).await;
        let url = db.url().await;
        db.close().await;
        let survived = killed_at(&url, call, at).await;
        deaths += u32::from(!survived);
        let db = Db::open(&url).await.unwrap();
        db.migrate().await.unwrap();
        assert_eq!(columns_of(&db).await, wanted, "killed at {at}");
        assert_eq!(held(&db, &then).await, held_then, "killed at {at}");
        if let Some(file) = db.file().await {
            db.close().await;
            super::backup::check_file(&file).await.unwrap();
        } else {
            db.close().await;
        }
        if survived {
            break;
        }
    }
    assert!(deaths >= 2, "it was killed in the middle {deaths} times");
    assert_eq!(
        MIGRATIONS.iter().filter(|it| it.version <= LAST).count(),
        17,
        "released migrations are never taken away"
    );
}

/// Makes empty databases.
pub(super) enum Make {
    Sqlite(TempDir),
    Postgres,
}

impl Make {
    async fn empty(&self) -> Db {
        match self {
            Self::Sqlite(folder) => empty_sqlite(folder).await,
            Self::Postgres => empty_postgres().await,
        }
    }
}
