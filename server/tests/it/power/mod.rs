//! The power is cut under acknowledged writes: a file system forgets what was not synced, and with it whatever was
//! acknowledged too early.

mod disk;

use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;

use serde_json::json;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::Mutex;

use self::disk::{Contents, Disk, Left};
use crate::durability::write;
use crate::world::{Database, Keys, World};

/// How often the power is cut; `TESSERA_TEST_CUTS=50` makes a long run of it.
const CUTS: usize = 10;
const WRITERS: usize = 8;
/// Between so many and twice as many writes are acknowledged before a cut.
const ACKNOWLEDGED_BEFORE_CUT: usize = 40;

fn cuts() -> usize {
    std::env::var("TESSERA_TEST_CUTS").map_or(CUTS, |text| text.parse().unwrap())
}

/// Nothing and anything by turns.
fn left(cut: usize) -> Left {
    if cut.is_multiple_of(2) {
        Left::Nothing
    } else {
        Left::Anything
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_a_power_cut() {
    let Some(mut disk) = Disk::mount() else {
        return;
    };
    let mut world = World::own(Database::Sqlite).await;
    let url = format!("sqlite:{}", disk.folder().join("tessera.db").display());
    world.on(&url).await;
    let keys = world.tenant().await;
    let mut acknowledged = 0;
    for cut in 0..cuts() {
        let sessions = write_until_cut(&mut world, &mut disk, &keys, left(cut)).await;
        let lost = lost(&world, &keys, &sessions).await;
        assert_eq!(lost, Vec::<String>::new(), "cut {cut}, {:?}", left(cut));
        acknowledged += sessions.len();
    }
    println!(
        "{} cuts, {acknowledged} writes acknowledged, 0 lost",
        cuts()
    );
    // The same on a disk that says that it synced and did not: what is then lost is missed, so this test can fail.
    disk.lie();
    let sessions = write_until_cut(&mut world, &mut disk, &keys, Left::Nothing).await;
    let lost = lost(&world, &keys, &sessions).await;
    println!("of {} on a lying disk {} lost", sessions.len(), lost.len());
    assert!(!lost.is_empty(), "a disk that lies loses something");
}

/// Opens sessions on many connections, cuts the power in the middle of it, and puts it on again; answers what was
/// acknowledged.
async fn write_until_cut(
    world: &mut World,
    disk: &mut Disk,
    keys: &Keys,
    left: Left,
) -> Vec<String> {
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let url = &world.server.url;
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| tokio::spawn(write(url.clone(), keys.clone(), acknowledged.clone())))
        .collect();
    let enough = ACKNOWLEDGED_BEFORE_CUT + rand::random_range(0..ACKNOWLEDGED_BEFORE_CUT);
    while acknowledged.lock().await.len() < enough {
        tokio::task::yield_now().await;
    }
    let contents = disk.cut(left);
    world.kill();
    for writer in writers {
        writer.await.unwrap();
    }
    is_whole(&contents, world.folder()).await;
    disk.on(contents);
    world.serve().await;
    std::mem::take(&mut *acknowledged.lock().await)
}

/// Those of the sessions that are not there.
async fn lost(world: &World, keys: &Keys, sessions: &[String]) -> Vec<String> {
    let proof = json!({"client_id": keys.client_id, "client_secret": keys.client_secret});
    let mut lost = Vec::new();
    for session in sessions {
        let path = format!("/v1/sessions/{session}/get");
        match world.post(&path, &proof).await {
            (200, answer) => assert_eq!(answer["status"], "SESSION_CREATED"),
            (404, _) => lost.push(session.clone()),
            other => panic!("{other:?}"),
        }
    }
    lost
}

/// Asserts that the databases that a power cut left are whole, and that their rows refer to rows that are there.
async fn is_whole(contents: &Contents, beside: &Path) {
    let folder = beside.join("left");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in contents {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let files = ["tessera.db", "bank.db"].map(|name| folder.join(name));
    let left: Vec<_> = files.iter().filter(|file| file.exists()).collect();
    assert!(!left.is_empty(), "a database is left");
    for path in left {
        let options = SqliteConnectOptions::new().filename(path);
        let mut conn = options.connect().await.unwrap();
        let check: String = sqlx::query_scalar("PRAGMA integrity_check")
            .fetch_one(&mut conn)
            .await
            .unwrap();
        assert_eq!(check, "ok", "{}", path.display());
        let dangling: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM pragma_foreign_key_check")
            .fetch_one(&mut conn)
            .await
            .unwrap();
        assert_eq!(dangling, 0, "{}", path.display());
        conn.close().await.unwrap();
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// `synchronous=FULL`, as the product runs SQLite, loses nothing in these cuts, and `NORMAL`, which it refuses, does: the
/// disk is one that tells them apart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_does_not_wait_for_the_disk_is_lost() {
    let Some(disk) = Disk::mount() else {
        return;
    };
    drop(disk);
    assert_eq!(lost_of_commits(SqliteSynchronous::Full).await, 0);
    let lost = lost_of_commits(SqliteSynchronous::Normal).await;
    println!("{} cuts with NORMAL: {lost} lost", cuts());
    assert!(lost > 0, "NORMAL loses what it acknowledged");
}

/// How many committed rows are missing after as many power cuts.
async fn lost_of_commits(synchronous: SqliteSynchronous) -> usize {
    const COMMITS: i64 = 50;
    let mut disk = Disk::mount().unwrap();
    let mut lost = 0;
    for cut in 0..cuts() {
        let mut conn = alone(&disk, synchronous).await;
        // The table and the names of the files are there for good, whatever becomes of the rows.
        for statement in [
            "CREATE TABLE IF NOT EXISTS rows (cut INTEGER, n INTEGER)",
            "PRAGMA wal_checkpoint(TRUNCATE)",
        ] {
            sqlx::query(statement).execute(&mut conn).await.unwrap();
        }
        for n in 0..COMMITS {
            let cut = i64::try_from(cut).unwrap();
            let insert = sqlx::query("INSERT INTO rows (cut, n) VALUES ($1, $2)");
            insert.bind(cut).bind(n).execute(&mut conn).await.unwrap();
        }
        let contents = disk.cut(left(cut));
        // It cannot write its log over any more.
        conn.close().await.ok();
        disk.on(contents);
        let mut conn = alone(&disk, synchronous).await;
        let check: String = sqlx::query_scalar("PRAGMA integrity_check")
            .fetch_one(&mut conn)
            .await
            .unwrap();
        assert_eq!(check, "ok");
        let there: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM rows WHERE cut = $1")
            .bind(i64::try_from(cut).unwrap())
            .fetch_one(&mut conn)
            .await
            .unwrap();
        lost += usize::try_from(COMMITS - there).unwrap();
        conn.close().await.unwrap();
    }
    lost
}

/// The one connection of a database. It shares no memory with others: the disk is served by this same process, which
/// must never wait for itself.
async fn alone(disk: &Disk, synchronous: SqliteSynchronous) -> SqliteConnection {
    let url = format!("sqlite:{}", disk.folder().join("rows.db").display());
    let options = SqliteConnectOptions::from_str(&url).unwrap();
    options
        .create_if_missing(true)
        .locking_mode(SqliteLockingMode::Exclusive)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .connect()
        .await
        .unwrap()
}
