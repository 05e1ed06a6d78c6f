//! Backups are whole, fit their key file alone, never overwrite, and are put back only into an empty place.

use kernel::clock::Clock;
use kernel::crypto::Secrets;
use kernel::db::copy::copy_all;
use kernel::db::snapshot::LoneFile;
use tempfile::TempDir;

use super::*;
use crate::config::Config;
use crate::start;
use crate::storage::Db;
use crate::storage::copy::{TableChecksum, sums};
use crate::storage::testing::rows::{Filling, fill};
use crate::storage::testing::{bank_twin, postgres, sqlite_to, twin};

const FILLING: Filling = Filling {
    rows: 9,
    at: DateTime::UNIX_EPOCH,
    empty: &[],
    gaps: true,
};

struct Place {
    folder: TempDir,
    config: Config,
    clock: Clock,
}

impl Place {
    /// A place for an SQLite database, or with a Postgres database of its own.
    fn new(database: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.storage.data_dir = folder.path().join("data").display().to_string();
        config.storage.database = database.to_owned();
        let clock = Clock::mock("2026-01-01T00:00:00Z".parse().unwrap(), 7);
        Self {
            folder,
            config,
            clock,
        }
    }

    /// A place with an installation that has something in it.
    async fn filled(database: &str) -> Self {
        let place = Self::new(database);
        let state = start::open(&place.config, place.clock.clone())
            .await
            .unwrap();
        let mut tx = state.db.write().await.unwrap();
        for n in 0..5_000 {
            let text = format!("{n} {}", "text with \u{e9} and \u{1f600} ".repeat(20));
            tx.claim_meta(&format!("fact {n}"), &text).await.unwrap();
        }
        tx.commit().await.unwrap();
        // And rows in every table there is.
        let folder = tempfile::tempdir().unwrap();
        let schema = twin(&folder).await;
        fill(&state.db, &schema, &FILLING).await;
        schema.close().await;
        let bank = &state.bank_database.as_ref().unwrap().db;
        let schema = bank_twin(&folder).await;
        fill(bank, &schema, &FILLING).await;
        schema.close().await;
        state.close().await;
        place
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn sums(&self) -> std::collections::BTreeMap<String, TableChecksum> {
        let db = Db::open_existing(&self.config.database_url())
            .await
            .unwrap();
        let mut tx = db.read().await.unwrap();
        let mut all = sums(&mut tx).await.unwrap();
        drop(tx);
        db.close().await;
        all.extend(bank_sums(&self.config.bank_database_url()).await);
        all
    }

    /// Takes over another's key file.
    fn with_keys_of(&self, other: &Self) {
        std::fs::create_dir_all(&self.config.storage.data_dir).unwrap();
        std::fs::copy(other.config.secrets_file(), self.config.secrets_file()).unwrap();
    }
}

async fn bank_sums(url: &str) -> std::collections::BTreeMap<String, TableChecksum> {
    let db = bank::Db::open_if_made(url).await.unwrap().unwrap();
    let mut tx = db.read().await.unwrap();
    let sums = sums(&mut tx).await.unwrap();
    assert!(sums["bank_consents"].rows > 0);
    drop(tx);
    db.close().await;
    sums
}

async fn backed_up_and_restored(from: Place, to: Place) {
    let file = from.file("one.backup");
    let made = make(&from.config, &from.clock, &file).await.unwrap();
    assert_eq!(made.bytes, std::fs::metadata(&file).unwrap().len());
    let again = make(&from.config, &from.clock, &file).await;
    assert!(matches!(again, Err(BackupError::Exists(_))));
    let bytes = std::fs::read(&file).unwrap();
    let clear = b"text with";
    assert!(!bytes.windows(clear.len()).any(|window| window == clear));

    let without = restore(&to.config, &file).await;
    assert!(
        matches!(without, Err(BackupError::NoKeys(_))),
        "{without:?}"
    );
    to.with_keys_of(&from);
    // Altered anywhere, or cut short anywhere, it does not open, and nothing is left behind.
    for at in [3, 60, 400, bytes.len() / 2, bytes.len() - 5] {
        let mut broken = bytes.clone();
        broken[at] ^= 1;
        std::fs::write(from.file("broken"), &broken).unwrap();
        restore(&to.config, &from.file("broken")).await.unwrap_err();
    }
    for length in [0, 17, bytes.len() / 2, bytes.len() - 1, bytes.len() - 45] {
        std::fs::write(from.file("short"), &bytes[..length]).unwrap();
        restore(&to.config, &from.file("short")).await.unwrap_err();
    }
    let left = std::fs::read_dir(&to.config.storage.data_dir)
        .unwrap()
        .count();
    assert_eq!(left, 1, "the key file alone");

    restore(&to.config, &file).await.unwrap();
    assert_eq!(to.sums().await, from.sums().await);
    let twice = restore(&to.config, &file).await;
    assert!(matches!(twice, Err(BackupError::NotEmpty(_))), "{twice:?}");
    // The bank's place must be empty as well, for one could not be told from the other afterwards.
    if let Some(path) = sqlite_path(&to.config.database_url()) {
        let aside = to.file("aside.db");
        std::fs::rename(path, &aside).unwrap();
        let beside = restore(&to.config, &file).await;
        assert!(
            matches!(beside, Err(BackupError::NotEmpty(_))),
            "{beside:?}"
        );
        assert!(!path.exists());
        std::fs::rename(&aside, path).unwrap();
    }
    // It is served with its keys.
    start::check(&to.config).await.unwrap();
    let state = start::open(&to.config, to.clock.clone()).await.unwrap();
    state.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sqlite_database_is_backed_up_and_restored() {
    backed_up_and_restored(Place::filled("").await, Place::new("")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_database_is_backed_up_and_restored() {
    let (from, to) = (postgres().await, postgres().await);
    let urls = (from.url().await, to.url().await);
    // The target is empty, without tables even.
    let mut tx = to.write().await.unwrap();
    crate::storage::run!(tx, |conn| sqlx::query("DROP SCHEMA public CASCADE")
        .execute(&mut *conn)
        .await
        .map(|_| ()))
    .unwrap();
    crate::storage::run!(tx, |conn| sqlx::query("CREATE SCHEMA public")
        .execute(&mut *conn)
        .await
        .map(|_| ()))
    .unwrap();
    tx.commit().await.unwrap();
    from.close().await;
    to.close().await;
    backed_up_and_restored(Place::filled(&urls.0).await, Place::new(&urls.1)).await;
}

/// A backup of a version in which the bank's tables lay in the product's database: the first start after it is restored moves
/// them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_from_before_the_bank_moved_out_is_restored_and_served() {
    let (from, to) = (Place::new(""), Place::new(""));
    std::fs::create_dir_all(&from.config.storage.data_dir).unwrap();
    let id = from.clock.id();
    Secrets::create(&from.config.secrets_file(), id, &from.clock).unwrap();
    let db = Db::open(&from.config.database_url()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let schema = sqlite_to(&folder, 44).await;
    db.migrate_to(44).await.unwrap();
    fill(&db, &schema, &FILLING).await;
    schema.close().await;
    let mut tx = db.write().await.unwrap();
    tx.claim_meta("secrets_id", &id.to_string()).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = db.read().await.unwrap();
    let mut held = sums(&mut tx).await.unwrap();
    held.retain(|table, _| {
        bank::inventory::TABLES
            .iter()
            .any(|known| known.name == table)
    });
    assert_eq!(held.len(), 11);
    drop(tx);
    db.close().await;
    let file = from.file("old.backup");
    let made = make(&from.config, &from.clock, &file).await.unwrap();
    assert!(made.header.bank.is_none() && made.header.schema == 44);

    to.with_keys_of(&from);
    restore(&to.config, &file).await.unwrap();
    start::check(&to.config).await.unwrap();
    let state = start::open(&to.config, to.clock.clone()).await.unwrap();
    state.close().await;
    let mut now = bank_sums(&to.config.bank_database_url()).await;
    now.remove("bank_meta").unwrap();
    assert_eq!(now, held);
}

/// Whose bank a database is, is written in it: one that is another installation's is neither served nor backed up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_banks_database_is_one_installations() {
    let (one, mut other) = (Place::filled("").await, Place::new(""));
    other.clock = Clock::mock("2026-01-01T00:00:00Z".parse().unwrap(), 8);
    let opened = start::open(&other.config, other.clock.clone()).await;
    opened.unwrap().close().await;
    let mut config = other.config.clone();
    config.sandbox.bank_database = one.config.bank_database_url();
    let unfit = make(&config, &other.clock, &other.file("two.backup")).await;
    assert!(matches!(unfit, Err(BackupError::OtherBank(_))), "{unfit:?}");
    let checked = start::check(&config).await.unwrap_err();
    assert!(matches!(checked, StartError::BankForeign(_)), "{checked}");
    let opened = start::open(&config, other.clock.clone()).await.err();
    assert!(matches!(opened, Some(StartError::BankForeign(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_fits_its_own_key_file_alone() {
    let (from, other) = (Place::filled("").await, Place::filled("").await);
    let file = from.file("one.backup");
    make(&from.config, &from.clock, &file).await.unwrap();
    let to = Place::new("");
    std::fs::create_dir_all(&to.config.storage.data_dir).unwrap();
    let id = Clock::system().id();
    Secrets::create(&to.config.secrets_file(), id, &Clock::system()).unwrap();
    let foreign = restore(&to.config, &file).await;
    assert!(
        matches!(foreign, Err(BackupError::OtherKeys { .. })),
        "{foreign:?}"
    );
    // Nor is a database backed up beside a key file that is not its own.
    std::fs::copy(to.config.secrets_file(), other.config.secrets_file()).unwrap();
    let unfit = make(&other.config, &other.clock, &other.file("two.backup")).await;
    assert!(
        matches!(unfit, Err(BackupError::OtherKeys { .. })),
        "{unfit:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_moves_from_sqlite_to_postgres_or_nothing() {
    let from = Place::filled("").await;
    let target = postgres().await;
    let (source, to) = (from.config.database_url(), target.url().await);
    let held = Db::open_existing(&source).await.unwrap();
    held.read().await.unwrap().meta("x").await.unwrap();
    let used = move_to_postgres(&from.config, &from.clock, &source, &to).await;
    assert!(matches!(used, Err(BackupError::InUse(_))), "{used:?}");
    held.close().await;

    let mut wrong = target.write().await.unwrap();
    wrong.claim_meta("fact", "x").await.unwrap();
    wrong.commit().await.unwrap();
    let taken = move_to_postgres(&from.config, &from.clock, &source, &to).await;
    assert!(
        matches!(taken, Err(BackupError::Copy(CopyError::NotEmpty(_)))),
        "{taken:?}"
    );
    let mut tx = target.write().await.unwrap();
    crate::storage::run!(tx, |conn| sqlx::query("DELETE FROM meta")
        .execute(&mut *conn)
        .await
        .map(|_| ()))
    .unwrap();
    tx.commit().await.unwrap();

    let before = from.sums().await;
    // The bank's rows came over, and then it was stopped: the same again goes on from there.
    let bank = bank::Db::open(&to).await.unwrap();
    bank.migrate().await.unwrap();
    let mut lone = LoneFile::lock(sqlite_path(&from.config.bank_database_url()).unwrap())
        .await
        .unwrap();
    let mut tx = bank.write().await.unwrap();
    copy_all(&mut lone, &mut tx).await.unwrap();
    tx.commit().await.unwrap();
    lone.close().await.unwrap();
    move_to_postgres(&from.config, &from.clock, &source, &to)
        .await
        .unwrap();
    assert_eq!(
        bank_sums(&to).await,
        bank_sums(&from.config.bank_database_url()).await
    );
    let mut after = {
        let mut tx = target.read().await.unwrap();
        let mut after = sums(&mut tx).await.unwrap();
        after.extend(bank_sums(&to).await);
        after
    };
    let audit = after
        .insert("audit_log".into(), before["audit_log"])
        .unwrap();
    assert_eq!(audit.rows, before["audit_log"].rows + 1, "the move itself");
    assert_eq!(after, before);
    target.close().await;
    // The same keys serve it.
    let mut config = from.config.clone();
    config.storage.database = to;
    start::check(&config).await.unwrap();
}
