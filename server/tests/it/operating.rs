//! What docs/OPERATING.md says: units, settings that are refused by both, backups of a server under load, and moving.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use server::storage::Db;
use server::storage::copy::{TableChecksum, sums};
use tokio::sync::Mutex;

use crate::world::{Database, Keys, SKILL, World, on_both};

on_both!(a_backup_under_load_is_restored_and_served);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

/// A folder of its own for one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("tessera-operating-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn ran(mut command: Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// `systemd-analyze verify` on every unit, with programs that are there. `cargo xtask test` makes sure of it.
#[test]
fn the_units_are_right() {
    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        println!("not run: there is no systemd-analyze here");
        return;
    }
    let folder = Folder::new("units");
    let mut units = Vec::new();
    for entry in std::fs::read_dir(root().join("deploy")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let kind = path.extension().and_then(|kind| kind.to_str());
        if !matches!(kind, Some("service" | "timer")) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text
            .replace(
                "/usr/local/lib/tessera/server",
                env!("CARGO_BIN_EXE_server"),
            )
            .replace("User=tessera", "User=root")
            .replace("Group=tessera", "Group=root");
        let unit = folder.0.join(&name);
        std::fs::write(&unit, text).unwrap();
        units.push(unit);
    }
    assert_eq!(units.len(), 3);
    let mut verify = Command::new("systemd-analyze");
    verify.arg("verify").args(&units);
    let output = ran(verify);
    let ours: Vec<_> = said(&output)
        .lines()
        .filter(|line| line.contains("tessera"))
        .map(str::to_owned)
        .collect();
    assert!(
        output.status.success() && ours.is_empty(),
        "{ours:?}\n{}",
        said(&output)
    );
}

/// The commands that the guide prints are commands that there are.
#[test]
fn the_guide_names_commands_that_there_are() {
    let guide = std::fs::read_to_string(root().join("docs/OPERATING.md")).unwrap();
    for command in [
        "backup",
        "restore",
        "move",
        "check-config",
        "migrate",
        "admin",
        "jobs",
    ] {
        assert!(guide.contains(command), "{command}");
        let mut help = Command::new(env!("CARGO_BIN_EXE_server"));
        help.args([command, "--help"]);
        assert!(ran(help).status.success(), "{command}");
    }
    for file in ["tessera.service", "nginx.conf", "Containerfile"] {
        assert!(guide.contains(&format!("deploy/{file}")), "{file}");
        assert!(root().join("deploy").join(file).is_file(), "{file}");
    }
    let containerfile = std::fs::read_to_string(root().join("deploy/Containerfile")).unwrap();
    assert!(containerfile.starts_with("# THIS FILE WAS NOT BUILT"));
}

/// Runs a command that must end by itself.
fn ends(folder: &Path, arguments: &[String], name: &str) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    command
        .args(["--listen", "127.0.0.1:0"])
        .args(arguments)
        .arg(name)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(30) {
            child.kill().unwrap();
            child.wait().unwrap();
            return (None, format!("{name} {arguments:?} went on"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let error = error.lines().find(|line| line.starts_with("error: "));
    (output.status.code(), error.unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_serve_refuses_check_config_refuses() {
    let folder = Folder::new("configs");
    let at = |name: &str| folder.0.join(name).display().to_string();
    let text = |parts: &[&str]| -> Vec<String> { parts.iter().map(ToString::to_string).collect() };
    // An installation, and others in which something is wrong.
    for name in ["whole", "lost", "damaged", "foreign", "newer"] {
        let mut migrate = Command::new(env!("CARGO_BIN_EXE_server"));
        migrate.args([
            "--data-dir",
            &at(name),
            "servicer",
            "create",
            "--name",
            "Example Ltd",
            "--kind",
            "both",
        ]);
        assert!(ran(migrate).status.success());
    }
    std::fs::remove_file(at("lost/secrets.key")).unwrap();
    std::fs::write(at("damaged/secrets.key"), "tessera-secrets-1\n").unwrap();
    std::fs::copy(at("whole/secrets.key"), at("foreign/secrets.key")).unwrap();
    let newer = sqlx::SqlitePool::connect(&format!("sqlite:{}", at("newer/tessera.db")))
        .await
        .unwrap();
    sqlx::query("UPDATE _sqlx_migrations SET version = 9999 WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)")
        .execute(&newer)
        .await
        .unwrap();
    newer.close().await;
    std::fs::create_dir_all(at("garbage")).unwrap();
    std::fs::write(at("garbage/tessera.db"), "no database ".repeat(1000)).unwrap();
    std::fs::write(at("file"), "").unwrap();
    let settings = [
        ("mail", "[mail]\nfrom = \"nobody\"\n"),
        ("smtp", "[mail]\nsmtp_url = \"http://mail.example.com\"\n"),
        ("unknown", "[mail]\nform = \"x\"\n"),
        ("proxies", "[http]\ntrusted_proxies = [\"10.0.0.0/33\"]\n"),
        ("bank", "[sandbox]\nbank_listen = \"nowhere\"\n"),
        ("audit", "[data]\naudit_days = 0\n"),
        ("toml", "[http\n"),
    ];
    let mut broken: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, settings) in settings {
        std::fs::write(at(&format!("{name}.toml")), settings).unwrap();
        broken.insert(
            name,
            text(&[
                "--config",
                &at(&format!("{name}.toml")),
                "--data-dir",
                &at("new"),
            ]),
        );
    }
    for name in [
        "lost",
        "damaged",
        "foreign",
        "newer",
        "garbage",
        "file",
        "file/below",
    ] {
        broken.insert(name, text(&["--data-dir", &at(name)]));
    }
    broken.insert(
        "scheme",
        text(&[
            "--data-dir",
            &at("new"),
            "--database",
            "mysql://localhost/x",
        ]),
    );
    broken.insert(
        "nobody there",
        text(&[
            "--data-dir",
            &at("new"),
            "--database",
            "postgres://127.0.0.1:1/x",
        ]),
    );
    broken.insert(
        "public url",
        text(&[
            "--data-dir",
            &at("new"),
            "--public-url",
            "http://portal.example.com",
        ]),
    );
    broken.insert(
        "missing file",
        text(&["--data-dir", &at("new"), "--config", &at("none.toml")]),
    );
    for (name, arguments) in &broken {
        let (checked, why) = ends(&folder.0, arguments, "check-config");
        assert!(matches!(checked, Some(1 | 2)), "{name}: {checked:?} {why}");
        assert!(!why.is_empty(), "{name}");
        let (served, same) = ends(&folder.0, arguments, "serve");
        assert_eq!((served, same), (checked, why), "{name}");
    }
    assert!(!folder.0.join("new").exists(), "nothing was made");
    let (whole, why) = ends(
        &folder.0,
        &text(&["--data-dir", &at("whole")]),
        "check-config",
    );
    assert_eq!(whole, Some(0), "{why}");
    let (fresh, why) = ends(
        &folder.0,
        &text(&["--data-dir", &at("fresh")]),
        "check-config",
    );
    assert_eq!(fresh, Some(0), "{why}");
    assert!(!folder.0.join("fresh").exists(), "nothing was made");
}

/// Opens sessions until told to stop; keeps those that were acknowledged.
async fn load(
    world: Arc<World>,
    keys: Keys,
    acknowledged: Arc<Mutex<Vec<String>>>,
    go_on: Arc<std::sync::atomic::AtomicBool>,
) {
    let body =
        json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": SKILL});
    while go_on.load(std::sync::atomic::Ordering::Relaxed) {
        let (status, answer) = world.post("/v1/sessions", &body).await;
        assert_eq!(status, 200, "{answer}");
        let session = answer["session_id"].as_str().unwrap().to_owned();
        acknowledged.lock().await.push(session);
    }
}

async fn sums_of(url: &str) -> BTreeMap<String, TableChecksum> {
    let db = Db::open_existing(url).await.unwrap();
    let mut tx = db.read().await.unwrap();
    let sums = sums(&mut tx).await.unwrap();
    drop(tx);
    db.close().await;
    sums
}

async fn a_backup_under_load_is_restored_and_served(database: Database) {
    let world = Arc::new(World::own(database).await);
    let keys = world.tenant().await;
    world.pair(&keys, "family").await;
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let go_on = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let writers: Vec<_> = (0..4)
        .map(|_| {
            tokio::spawn(load(
                world.clone(),
                keys.clone(),
                acknowledged.clone(),
                go_on.clone(),
            ))
        })
        .collect();
    while acknowledged.lock().await.len() < 40 {
        tokio::task::yield_now().await;
    }
    let before = acknowledged.lock().await.clone();
    let backups = world.place().0.join("backups");
    std::fs::create_dir_all(&backups).unwrap();
    let place = backups.display().to_string();
    let during: Value = world.operator(&["backup", &place]).await;
    go_on.store(false, std::sync::atomic::Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let mut world = Arc::into_inner(world).unwrap();
    world.stop().await;
    let still = backups.join("still.backup");
    world
        .operator(&["backup", &still.display().to_string()])
        .await;
    let held = sums_of(world.place().1).await;

    // Of the server that stood still, the copy is the same to the last row.
    let copy = world.restored(&still, "copy").await;
    assert_eq!(sums_of(copy.place().1).await, held);
    // Of the server under load, all that was acknowledged before is there, and it is served.
    let path = PathBuf::from(during["path"].as_str().unwrap());
    let mut mid = world.restored(&path, "mid").await;
    mid.serve().await;
    for session in before {
        let proof = json!({"client_id": keys.client_id, "client_secret": keys.client_secret});
        let (status, answer) = mid
            .post(&format!("/v1/sessions/{session}/get"), &proof)
            .await;
        assert_eq!(status, 200, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_served_world_moves_from_sqlite_to_postgres() {
    let mut world = World::own(Database::Sqlite).await;
    let keys = world.tenant().await;
    let pair = world.pair(&keys, "family").await;
    let read = serde_json::to_string(&keys.data(&pair)).unwrap();
    let accounts = world
        .post_when_ready("/v1/accounts/get", read.clone())
        .await;
    let (folder, from) = world.place();
    let (folder, from) = (folder.to_owned(), from.to_owned());
    let to = crate::world::empty_postgres("moved").await;
    let moving = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
        command
            .arg("--data-dir")
            .arg(&folder)
            .args(["move", "--from", &from, "--to", &to, "--json"]);
        ran(command)
    };
    let used = moving();
    assert_eq!(used.status.code(), Some(1));
    assert!(said(&used).contains("in use"), "{}", said(&used));
    world.stop().await;
    let moved = moving();
    assert!(moved.status.success(), "{}", said(&moved));
    let told: Value = serde_json::from_slice(&moved.stdout).unwrap();
    assert!(told["rows"].as_u64().unwrap() > 1_000, "{told}");
    let again = moving();
    assert!(
        said(&again).contains("has rows already"),
        "{}",
        said(&again)
    );
    world.on(&to).await;
    let same = world.post_when_ready("/v1/accounts/get", read).await;
    let known = |accounts: &Value| {
        let accounts = accounts.as_array().unwrap().iter();
        accounts
            .map(|account| {
                (
                    account["id"].clone(),
                    account["data"]["account_schemes"].clone(),
                )
            })
            .collect::<Vec<_>>()
    };
    assert!(!known(&accounts).is_empty(), "{accounts}");
    assert_eq!(known(&same), known(&accounts), "sealed data is readable");
    // A second session with the old keys goes its whole way on Postgres.
    world.pair(&keys, "family").await;
}
