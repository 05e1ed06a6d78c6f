//! The command line: exit codes, JSON, and sentences that say what to do.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// A folder of its own for one test.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tessera-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Registers a servicer.
const SERVICER: [&str; 7] = [
    "servicer",
    "create",
    "--name",
    "Example Ltd",
    "--kind",
    "consumer",
    "--json",
];

fn server(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_server"))
        .args(arguments)
        .arg("--data-dir")
        .arg(folder.join("data"))
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_wrong_setting_is_named_and_ends_with_2() {
    let folder = Folder::new("settings");
    let file = folder.0.join("config.toml");
    std::fs::write(&file, "[http]\nlitsen = \"127.0.0.1:1\"\n").unwrap();
    let file = file.display().to_string();
    for (arguments, named) in [
        (&["--config", &file, "check-config"][..], "litsen"),
        (&["--listen", "nowhere", "check-config"], "http.listen"),
        (
            &["--public-url", "http://portal.example.com", "check-config"],
            "http.public_url",
        ),
        (&["--no-such-option", "check-config"], "--no-such-option"),
        (&["servicer", "create", "--name", "Example Ltd"], "--kind"),
        (
            &["servicer", "create", "--name", " ", "--kind", "both"],
            "--name",
        ),
        (&["admin", "create", "--email", "nobody"], "--email"),
        (
            &[
                "serve",
                "--demo",
                "--listen",
                "0.0.0.0:0",
                "--public-url",
                "https://portal.example.com",
            ],
            "--demo",
        ),
    ] {
        let output = server(&folder.0, arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            said(&output)
        );
        assert!(
            said(&output).contains(named),
            "{arguments:?}: {}",
            said(&output)
        );
    }
    let right = server(&folder.0, &["check-config"]);
    assert_eq!(right.status.code(), Some(0), "{}", said(&right));
}

/// A job that was given up, put into the folder's database.
fn given_up_job(folder: &Path) -> String {
    let url = format!("sqlite:{}", folder.join("data/tessera.db").display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let clock = kernel::clock::Clock::system();
        let db = server::storage::Db::open(&url).await.unwrap();
        let (id, now) = (app::domain::ids::JobId(clock.id()), clock.now());
        let mut tx = db.write().await.unwrap();
        tx.add_job(id, ("send_mail", "mail"), b"sealed", now)
            .await
            .unwrap();
        tx.retry_job(id, 0, None, now, "no route").await.unwrap();
        tx.commit().await.unwrap();
        db.close().await;
        id.to_string()
    })
}

#[test]
fn jobs_that_were_given_up_are_listed_retried_and_dropped() {
    let folder = Folder::new("jobs");
    assert!(server(&folder.0, &["migrate"]).status.success());
    let none = server(&folder.0, &["jobs", "retry", "--all"]);
    assert_eq!(none.status.code(), Some(1), "{}", said(&none));
    let wrong = server(&folder.0, &["jobs", "retry"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", said(&wrong));
    let both = server(
        &folder.0,
        &["jobs", "retry", "--all", "--kind", "send_mail"],
    );
    assert_eq!(both.status.code(), Some(2), "{}", said(&both));

    let id = given_up_job(&folder.0);
    let list = || {
        json(&server(
            &folder.0,
            &["jobs", "list", "--given-up", "--json"],
        ))
    };
    let listed = list();
    assert_eq!(listed["given_up"], 1);
    assert_eq!(listed["jobs"][0]["job_id"], id.as_str());
    assert_eq!(listed["jobs"][0]["last_error"], "no route");
    let other = server(&folder.0, &["jobs", "retry", "--kind", "fetch_data"]);
    assert_eq!(other.status.code(), Some(1));
    let retried = json(&server(&folder.0, &["jobs", "retry", &id, "--json"]));
    assert_eq!(retried["retried"], 1);
    assert_eq!(list()["given_up"], 0);
    let twice = server(&folder.0, &["jobs", "retry", &id]);
    assert_eq!(twice.status.code(), Some(1));
    let dropped = json(&server(&folder.0, &["jobs", "drop", &id, "--json"]));
    assert_eq!(dropped["kind"], "send_mail");
    let gone = server(&folder.0, &["jobs", "drop", &id]);
    assert_eq!(gone.status.code(), Some(1), "{}", said(&gone));
    let unreadable = server(&folder.0, &["jobs", "drop", "x"]);
    assert_eq!(unreadable.status.code(), Some(2));
}

#[test]
fn what_cannot_be_done_ends_with_1_and_says_why() {
    let folder = Folder::new("refused");
    let made = json(&server(&folder.0, &SERVICER));
    let id = made["servicer_id"].as_str().unwrap();
    let claim = made["claim_token"].as_str().unwrap();
    let url = made["sign_up_url"].as_str().unwrap();
    assert!(url.contains(id) && url.contains(claim), "{url}");
    let production = [
        "tenant",
        "create",
        "--servicer",
        id,
        "--name",
        "App",
        "--environment",
        "production",
    ];
    let early = server(&folder.0, &production);
    assert_eq!(early.status.code(), Some(1));
    assert!(
        said(&early).contains("servicer approve"),
        "{}",
        said(&early)
    );
    json(&server(&folder.0, &["servicer", "approve", id, "--json"]));
    let twice = server(&folder.0, &["servicer", "approve", id]);
    assert_eq!(twice.status.code(), Some(1));
    let unknown = "00000000-0000-7000-8000-000000000000";
    let missing = server(&folder.0, &["tenant", "revoke-secret", unknown]);
    assert_eq!(missing.status.code(), Some(1));

    std::fs::remove_file(folder.0.join("data/secrets.key")).unwrap();
    let lost = server(&folder.0, &["servicer", "approve", id]);
    assert_eq!(lost.status.code(), Some(1));
    assert!(said(&lost).contains("secrets.key"), "{}", said(&lost));
}

#[test]
fn a_tenants_keys_are_printed_once_and_rotated() {
    let folder = Folder::new("tenant");
    let made = json(&server(&folder.0, &SERVICER));
    let create = |skill: &str| {
        let id = made["servicer_id"].as_str().unwrap();
        server(
            &folder.0,
            &[
                "tenant",
                "create",
                "--servicer",
                id,
                "--name",
                "Budget app",
                "--environment",
                "sandbox",
                "--skill",
                skill,
                "--redirect-link",
                "myapp://return",
                "--json",
            ],
        )
    };
    let unknown = create("abc_#1.0");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(said(&unknown).contains("--skill"), "{}", said(&unknown));
    let keys = json(&create("xyz_ro_aisp_sbx_#1.0"));
    let secret = keys["client_secret"].as_str().unwrap();
    assert!(secret.starts_with("tsr_sbx_cs_"));
    assert!(
        keys["client_app_key"]
            .as_str()
            .unwrap()
            .starts_with("tsr_sbx_ak_")
    );
    let id = keys["client_id"].as_str().unwrap();
    let rotated = json(&server(
        &folder.0,
        &["tenant", "rotate-secret", id, "--json"],
    ));
    assert_ne!(rotated["client_secret"].as_str().unwrap(), secret);
    let third = server(&folder.0, &["tenant", "rotate-secret", id]);
    assert_eq!(third.status.code(), Some(1), "at most two live");
    let stopped = json(&server(
        &folder.0,
        &["tenant", "revoke-secret", id, "--json"],
    ));
    assert_eq!(stopped["stopped"], 2);
    let link = json(&server(
        &folder.0,
        &["admin", "create", "--email", "ana@example.com", "--json"],
    ));
    assert!(link["password_url"].as_str().unwrap().contains("/reset/"));
}

#[test]
fn the_schedule_is_listed_with_last_and_next_turns() {
    let folder = Folder::new("schedule");
    assert!(server(&folder.0, &["migrate"]).status.success());
    let listed = json(&server(&folder.0, &["schedule", "--json"]));
    let entries = listed["schedule"].as_array().unwrap();
    let entry = |name: &str| entries.iter().find(|entry| entry["name"] == name).unwrap();
    let daily = entry("remind_owners");
    assert_eq!(daily["runs"], "once");
    assert_eq!(daily["period"], "daily at 06:00 UTC");
    assert!(daily["next_at"].is_null(), "no server has looked yet");
    assert_eq!(entry("key file")["runs"], "each process");
    let text = server(&folder.0, &["schedule"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert_eq!(text.lines().count(), entries.len(), "{text}");
    assert!(text.contains("erase_data  every 600 s  last never  next never"));
}

#[test]
fn a_place_without_an_installation_is_not_made_into_one() {
    let folder = Folder::new("nowhere");
    let id = "00000000-0000-7000-8000-000000000000";
    for arguments in [
        &["jobs", "list"][..],
        &["jobs", "retry", "--all"],
        &["schedule"],
        &["secrets", "list"],
        &["servicer", "approve", id],
        &["servicer", "export", id, "--out", "servicer.jsonl"],
        &["signing-key", "stop", "--servicer", id, id],
        &["tenant", "revoke-secret", id],
        &["tenant", "erase", id, "--yes"],
    ] {
        let output = server(&folder.0, arguments);
        let words = said(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {words}");
        assert!(
            words.contains("there is no database at") && words.contains("--data-dir"),
            "{arguments:?}: {words}"
        );
        assert!(!folder.0.join("data").exists(), "{arguments:?}");
    }
}

#[test]
fn a_database_that_cannot_be_opened_says_why_and_what_to_do() {
    let folder = Folder::new("unopened");
    let at = |name: &str| folder.0.join(name).display().to_string();
    std::fs::write(
        at("junk.db"),
        "no database, but long enough to look like one",
    )
    .unwrap();
    let sqlite = |name: &str| format!("sqlite:{}", at(name));
    for (url, code, words) in [
        ("sqlite:".to_owned(), 2, "storage.database"),
        ("sqlite::memory:".to_owned(), 2, "in memory"),
        (sqlite("x.db?mode=ro"), 2, "no options"),
        ("mysql://db.example.com/x".to_owned(), 2, "postgres://"),
        (sqlite("no/folder/x.db"), 1, "Make its folder"),
        (sqlite("junk.db"), 1, "Put a backup in its place"),
        (
            "postgres://tessera@127.0.0.1:1/tessera".to_owned(),
            1,
            "Check that it is running",
        ),
    ] {
        let output = server(&folder.0, &["--database", &url, "migrate"]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{url}: {said}");
        assert!(said.contains(words), "{url}: {said}");
        assert!(!said.contains("pool timed out"), "{said}");
    }
    assert!(!folder.0.join("x.db?mode=ro").exists());
    let missing = server(&folder.0, &["--config", &at("none.toml"), "migrate"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(
        said(&missing).contains("config-example"),
        "{}",
        said(&missing)
    );
}

#[test]
fn a_database_of_a_newer_release_is_left_alone_and_says_so() {
    let folder = Folder::new("newer");
    assert!(server(&folder.0, &["migrate"]).status.success());
    let url = format!("sqlite:{}", folder.0.join("data/tessera.db").display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        use sqlx::Connection as _;
        let mut conn = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let sql =
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                   VALUES (9999, 'of later', TRUE, x'00', 1)";
        sqlx::query(sql).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    });
    for arguments in [
        &["migrate"][..],
        &["jobs", "list"],
        &["check-config"],
        &["serve"],
    ] {
        let output = server(&folder.0, arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let said = said(&output);
        assert!(
            said.contains("newer release") && said.contains("9999"),
            "{said}"
        );
    }
}

#[test]
fn commands_that_make_a_database_at_once_all_succeed() {
    let folder = Folder::new("at-once");
    let start = || {
        Command::new(env!("CARGO_BIN_EXE_server"))
            .args(["migrate", "--data-dir"])
            .arg(folder.0.join("data"))
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let all: Vec<_> = (0..6).map(|_| start()).collect();
    for one in all {
        let output = one.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
}

/// Waits until something holds.
fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed().as_secs() < 60, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_command_that_is_stopped_leaves_no_half_file() {
    let folder = Folder::new("stopped");
    // A backup needs the key file, which comes with whatever is kept first.
    assert!(server(&folder.0, &SERVICER).status.success());
    let to = folder.0.join("copies");
    std::fs::create_dir_all(&to).unwrap();
    let names = || {
        let files = std::fs::read_dir(&to).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.collect::<Vec<_>>()
    };
    // Rows enough that a backup takes a while.
    let url = format!("sqlite:{}", folder.0.join("data/tessera.db").display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        use sqlx::Connection as _;
        let mut conn = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
                   INSERT INTO meta (key, value) SELECT 'filler ' || i, hex(randomblob(200000)) FROM n";
        sqlx::query(sql).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    });
    for signal in ["-TERM", "-INT"] {
        let command = Command::new(env!("CARGO_BIN_EXE_server"))
            .arg("backup")
            .arg(to.join("tessera.backup"))
            .arg("--data-dir")
            .arg(folder.0.join("data"))
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        wait_for("the backup begins", || {
            names().iter().any(|name| name.contains(".plain-"))
        });
        let id = command.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
        let output = command.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(
            said(&output).contains("stopped by a signal"),
            "{}",
            said(&output)
        );
        assert_eq!(names(), [""; 0], "{signal}");
    }
    let whole = server(&folder.0, &["backup", &to.display().to_string()]);
    assert!(whole.status.success(), "{}", said(&whole));
}
