//! From every released schema, with data in it, to the present one, in which the sandbox bank has a database of its own; and
//! in the middle of it the process dies.

use std::collections::BTreeMap;
use std::process::Command;

use chrono::{DateTime, Utc};
use kernel::db::snapshot::LoneFile;
use tempfile::TempDir;

use super::bring_up_to_date;
use crate::config::{Config, bank_database_beside};
use crate::storage::testing::rows::{Filling, counts, fill};
use crate::storage::testing::{empty_postgres, empty_sqlite, on_both_empty, sqlite_to};
use crate::storage::{Db, copy};

on_both_empty!(
    every_released_schema_comes_up_to_date_with_its_data,
    a_migration_that_dies_anywhere_is_finished_by_the_next_start,
    a_bank_that_has_its_own_rows_keeps_them,
    rows_of_the_bank_are_not_dropped_by_a_migration_alone,
);

/// The last migrations of schemas that were in use.
const RELEASED: [i64; 3] = [13, 20, 44];
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

type Columns = BTreeMap<String, Vec<copy::CopiedColumn>>;

/// Settings that name this database, and the bank's beside it.
async fn settings(db: &Db) -> Config {
    let mut config = Config::default();
    config.storage.database = db.url().await;
    // Taken over whether or not there is a sandbox.
    config.sandbox.enabled = false;
    config
}

/// Brings a database up to date as every start does; returns the bank's.
async fn up_to_date(db: &Db) -> bank::Db {
    let bank = bring_up_to_date(db, &settings(db).await).await.unwrap();
    bank.expect("there were rows of the bank's")
}

/// Opens the bank's database of a database that was brought up to date.
async fn bank_of(db: &Db) -> bank::Db {
    let url = bank_database_beside(&db.url().await);
    bank::Db::open_if_made(&url).await.unwrap().unwrap()
}

/// Returns the checksum of each table of an old schema, over the columns it had then, wherever it is now.
async fn held(
    db: &Db,
    bank: Option<&bank::Db>,
    then: &Columns,
) -> BTreeMap<String, copy::TableChecksum> {
    let mut own = db.read().await.unwrap();
    let there = copy::tables(&mut own).await.unwrap();
    let mut sums = BTreeMap::new();
    for (table, columns) in then {
        let sum = if there.contains(table) {
            copy::sum(&mut own, table, columns).await
        } else {
            let mut tx = bank.expect("a bank").read().await.unwrap();
            copy::sum(&mut tx, table, columns).await
        };
        sums.insert(table.clone(), sum.unwrap());
    }
    sums
}

async fn columns_of(db: &kernel::db::Db) -> Columns {
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
        // A table of one row has one.
        assert!(
            before.values().all(|count| matches!(count, 1 | 3)),
            "{before:?}"
        );
        let then = columns_of(&db).await;
        let held_then = held(&db, None, &then).await;
        let bank = up_to_date(&db).await;
        let own = columns_of(&db).await;
        let banks = columns_of(&bank).await;
        for (table, columns) in &then {
            let kept = own.get(table).or_else(|| banks.get(table));
            let kept = kept.unwrap_or_else(|| panic!("{table} is gone"));
            assert!(
                columns.iter().all(|column| kept.contains(column)),
                "{table}"
            );
            assert!(
                !(own.contains_key(table) && banks.contains_key(table)),
                "{table} is in both"
            );
        }
        let held_now = held(&db, Some(&bank), &then).await;
        assert_eq!(held_now, held_then, "from schema {schema}");
        bank.close().await;
        // The next start changes nothing.
        let again = bring_up_to_date(&db, &settings(&db).await).await.unwrap();
        assert!(again.is_none(), "nothing is left to take over");
        db.close().await;
    }
}

/// A bank's database that was opened before is another's story: older rows are neither added to it nor put in its place.
async fn a_bank_that_has_its_own_rows_keeps_them(make: Make) {
    let db = make.empty().await;
    aged(&db, 44).await;
    let url = bank_database_beside(&db.url().await);
    let bank = bank::Db::open(&url).await.unwrap();
    bank.migrate().await.unwrap();
    assert!(bank.take_over(None::<&mut kernel::db::Tx>).await.unwrap());
    up_to_date(&db).await.close().await;
    let rows = counts(&bank).await;
    assert_eq!(rows["bank_meta"], 1);
    assert!(
        rows.iter()
            .all(|(table, rows)| *rows == 0 || table == "bank_meta"),
        "{rows:?}"
    );
    assert!(!counts(&db).await.contains_key("bank_consents"));
    bank.close().await;
    db.close().await;
}

/// Whoever forgets the bank is refused, and nothing is lost.
async fn rows_of_the_bank_are_not_dropped_by_a_migration_alone(make: Make) {
    let db = make.empty().await;
    aged(&db, 44).await;
    let refused = db.migrate().await.unwrap_err().to_string();
    assert!(refused.contains("server migrate"), "{refused}");
    assert_eq!(counts(&db).await["bank_consents"], 3);
    up_to_date(&db).await.close().await;
    db.close().await;
}

/// A process of its own that brings a database up to date; its parent kills it somewhere.
#[tokio::test]
async fn the_database_that_the_environment_names_is_brought_up_to_date() {
    let Ok(url) = std::env::var("TESSERA_TEST_MIGRATE") else {
        return;
    };
    let db = Db::open(&url).await.unwrap();
    up_to_date(&db).await.close().await;
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
            "start::upgrade_tests::the_database_that_the_environment_names_is_brought_up_to_date",
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
        let held_then = held(&db, None, &then).await;
        let url = db.url().await;
        db.close().await;
        let survived = killed_at(&url, call, at).await;
        deaths += u32::from(!survived);
        let db = Db::open(&url).await.unwrap();
        let left = bring_up_to_date(&db, &settings(&db).await).await.unwrap();
        let bank = match left {
            Some(bank) => bank,
            None => bank_of(&db).await,
        };
        assert_eq!(columns_of(&db).await, wanted, "killed at {at}");
        assert_eq!(
            held(&db, Some(&bank), &then).await,
            held_then,
            "killed at {at}"
        );
        bank.close().await;
        if let Some(file) = db.file().await {
            db.close().await;
            LoneFile::check(&file).await.unwrap().close().await.unwrap();
        } else {
            db.close().await;
        }
        if survived {
            break;
        }
    }
    assert!(deaths >= 2, "it was killed in the middle {deaths} times");
}

#[test]
fn released_migrations_are_never_taken_away() {
    let migrations = sqlx::migrate::Migrator::iter;
    assert_eq!(
        migrations(&crate::storage::MIGRATIONS)
            .filter(|it| it.version <= LAST)
            .count(),
        17
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
