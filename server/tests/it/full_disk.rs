//! A disk that is full to the last byte stops writes alone, and only while it is full: a small file system of its own, on
//! which all of SQLite lies, or the tables of a Postgres.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::world::browser::Browser;
use crate::world::people::see;
use crate::world::{Database, Keys, SKILL, World, client, on_both, skipped};

on_both!(a_full_disk_stops_writes_alone);

const SIZE: usize = 64 << 20;
/// Of each write so many are refused before space is made.
const REFUSED: usize = 20;
/// Steps that are to be taken while it is full.
const STEPS: usize = 12;
const RECOVERY: Duration = Duration::from_secs(5);

/// A file system in memory that holds [`SIZE`] bytes.
struct Small(PathBuf);

impl Small {
    /// Mounts one that belongs to whom that place belongs to; `None`, said aloud, where that cannot be done.
    fn mount(name: &str, owner: &Path) -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("tessera_{name}_{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let owner = std::fs::metadata(owner).unwrap();
        let options = format!(
            "size={SIZE},mode=700,uid={},gid={}",
            owner.uid(),
            owner.gid()
        );
        let mut command = as_root("mount");
        command.args(["-t", "tmpfs", "-o", &options, "tmpfs"]);
        let ended = command.arg(&folder).output().unwrap();
        if ended.status.success() {
            return Some(Self(folder));
        }
        std::fs::remove_dir(&folder).ok();
        let why = String::from_utf8_lossy(&ended.stderr);
        skipped("full disks", &format!("mounting one needs root: {why}"));
        None
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Takes every byte that is left.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.ballast()).unwrap();
        for size in [1 << 20, 4096, 1] {
            let block = vec![0; size];
            while file.write_all(&block).is_ok() {}
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Whoever still has a file open keeps it until then.
        as_root("umount").arg("--lazy").arg(&self.0).status().ok();
        std::fs::remove_dir(&self.0).ok();
    }
}

fn as_root(program: &str) -> Command {
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["--non-interactive", program]);
    command
}

/// The tables of a database on the small file system; the log of Postgres, without which it would stop as a whole, is where
/// it always is.
struct Tablespace {
    admin: String,
    name: String,
}

impl Tablespace {
    /// Answers the URL of a database in it, too.
    async fn make(disk: &Small, admin: &str) -> (Self, String) {
        let name = format!("tessera_it_full_{}", std::process::id());
        let made = Self {
            admin: admin.to_owned(),
            name: name.clone(),
        };
        let place = disk.0.display();
        made.run(&[
            format!("CREATE TABLESPACE {name} LOCATION '{place}'"),
            format!("CREATE DATABASE {name} TABLESPACE {name}"),
            format!("ALTER DATABASE {name} SET synchronous_commit = on"),
        ])
        .await;
        let mut url = url::Url::parse(admin).unwrap();
        url.set_path(&name);
        (made, url.into())
    }

    async fn run(&self, statements: &[String]) {
        let mut conn = PgConnection::connect(&self.admin).await.unwrap();
        for statement in statements {
            let query = sqlx::query(AssertSqlSafe(statement.clone()));
            query.execute(&mut conn).await.unwrap();
        }
    }
}

impl Drop for Tablespace {
    fn drop(&mut self) {
        let statements = [
            format!("DROP DATABASE {} WITH (FORCE)", self.name),
            format!("DROP TABLESPACE {}", self.name),
        ];
        // Dropping cannot wait; another thread can.
        std::thread::scope(|scope| {
            let waits = || {
                let mut runtime = tokio::runtime::Builder::new_current_thread();
                let runtime = runtime.enable_all();
                runtime.build().unwrap().block_on(self.run(&statements));
            };
            scope.spawn(waits).join().ok();
        });
    }
}

/// Where the test's Postgres keeps its files, if that is on this machine.
async fn postgres_folder(url: &str) -> Option<PathBuf> {
    let mut conn = PgConnection::connect(url).await.unwrap();
    let folder: String = sqlx::query_scalar("SHOW data_directory")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    let folder = PathBuf::from(folder);
    folder.is_dir().then_some(folder)
}

async fn a_full_disk_stops_writes_alone(database: Database) {
    match database {
        Database::Sqlite => {
            let Some(disk) = Small::mount("full_sqlite", &std::env::temp_dir()) else {
                return;
            };
            let folder = disk.0.join("data");
            std::fs::create_dir_all(&folder).unwrap();
            let url = format!("sqlite:{}", folder.join("tessera.db").display());
            let mut world = World::at(folder, url, &[]).await;
            tell(&mut world, &disk).await;
        }
        Database::Postgres => {
            let admin = std::env::var("TESSERA_TEST_POSTGRES").unwrap();
            let Some(owner) = postgres_folder(&admin).await else {
                return skipped("full disks of Postgres", "it runs on another machine");
            };
            let Some(disk) = Small::mount("full_postgres", &owner) else {
                return;
            };
            let (_space, url) = Tablespace::make(&disk, &admin).await;
            let name = format!("tessera_it_full_data_{}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&folder).unwrap();
            let mut world = World::at(folder, url, &[]).await;
            tell(&mut world, &disk).await;
        }
    }
}

/// Somebody's calls: what writes, what reads, and what was acknowledged.
struct Caller<'w> {
    world: &'w World,
    keys: Keys,
    pair: (String, String),
    acknowledged: Vec<String>,
    /// Somebody signed in to the portal.
    person: Browser,
}

/// An answer: its status, whether it says when to come back, and its body.
type Answer = (u16, bool, Value);

impl Caller<'_> {
    async fn ask(&self, path: &str, body: &Value) -> Answer {
        let request = client().post(self.world.api(path)).json(body);
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let waits = headers.contains_key("retry-after");
        (status, waits, answer.json().await.unwrap())
    }

    /// Opens a session; whether it was acknowledged. Any other answer than that or a refusal for now fails the test.
    async fn opens(&mut self) -> bool {
        let body = json!({"client_id": self.keys.client_id, "client_app_key": self.keys.client_app_key, "skill": SKILL});
        let answer = self.ask("/v1/sessions", &body).await;
        let (status, _, text) = &answer;
        if *status != 200 {
            assert!(is_refused(&answer), "{answer:?}");
            return false;
        }
        let session = text["session_id"].as_str().unwrap();
        self.acknowledged.push(session.to_owned());
        true
    }

    /// What only reads is answered, and so is whoever asks for its health.
    async fn reads(&mut self) {
        let (status, _, answer) = self
            .ask("/v1/accounts/get", &self.keys.data(&self.pair))
            .await;
        assert_eq!(status, 200, "{answer}");
        let proof =
            json!({"client_id": self.keys.client_id, "client_secret": self.keys.client_secret});
        let path = format!("/v1/sessions/{}/get", self.acknowledged[0]);
        let (status, _, answer) = self.ask(&path, &proof).await;
        assert_eq!(status, 200, "{answer}");
        let page = see(&mut self.person, &self.world.api("/overview")).await;
        assert_eq!(page.status, 200, "{}", page.html);
        for path in ["/livez", "/readyz"] {
            let answer = client().get(self.world.api(path)).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
        }
    }

    async fn all_are_there(&self, world: &World) {
        let proof =
            json!({"client_id": self.keys.client_id, "client_secret": self.keys.client_secret});
        for session in &self.acknowledged {
            let path = format!("/v1/sessions/{session}/get");
            let (status, answer) = world.post(&path, &proof).await;
            assert_eq!(status, 200, "it was acknowledged: {answer}");
        }
    }
}

/// A problem that says that, and when, to come back.
fn is_refused((status, waits, body): &Answer) -> bool {
    *status == 503 && *waits && body["code"] == "service_unavailable"
}

/// The sandbox bank's own refusal: its books lie on the same disk, and it is a bank that is out of service for now.
fn is_the_banks((status, waits, body): &Answer) -> bool {
    *status == 400 && *waits && body["code"] == "external_api_connection_error"
}

async fn tell(world: &mut World, disk: &Small) {
    let keys = world.tenant().await;
    let pair = world.pair(&keys, "family").await;
    let person = world.start("owner@example.com").await;
    let data = keys.data(&pair).to_string();
    world.post_when_ready("/v1/accounts/get", data).await;
    // What is under way when the disk fills up: a token to be exchanged, and a step to be taken.
    let token = world.temp_token(&keys, "family").await;
    let exchange = json!({"client_id": keys.client_id, "client_secret": keys.client_secret, "temp_token": token});
    let mut steps = Vec::new();
    for _ in 0..STEPS {
        let (session, nonce) = world.session(&keys).await;
        let path = format!("/v1/sessions/{session}/steps");
        steps.push((path, World::sca(&keys, &nonce)));
    }
    let (session, _) = world.session(&keys).await;
    let mut caller = Caller {
        world,
        keys,
        pair,
        acknowledged: vec![session],
        person,
    };
    for _ in 0..REFUSED {
        assert!(caller.opens().await);
    }

    disk.fill();
    let mut refused = 0;
    while refused < REFUSED {
        // What finds room in space that is taken already is acknowledged, and counts.
        refused += usize::from(!caller.opens().await);
        assert!(caller.acknowledged.len() < 20_000, "the disk is never full");
    }
    for _ in 0..REFUSED {
        caller.reads().await;
        caller.opens().await;
    }
    let mut waiting = Vec::new();
    for (path, body) in steps
        .into_iter()
        .chain([("/v1/token".to_owned(), exchange)])
    {
        let answer = caller.ask(&path, &body).await;
        if answer.0 != 200 {
            let refused = is_refused(&answer) || is_the_banks(&answer);
            assert!(refused, "{path}: {answer:?}");
            waiting.push((path, body));
        }
    }
    assert!(!waiting.is_empty(), "there was room for every step");
    println!("{} sessions acknowledged", caller.acknowledged.len());

    disk.empty();
    let begun = Instant::now();
    while !caller.opens().await {
        assert!(begun.elapsed() < RECOVERY, "it does not go on");
    }
    println!("goes on {:?} after there is space", begun.elapsed());
    // What was refused can be done now: nothing of it was used up.
    for (path, body) in &waiting {
        loop {
            let answer = caller.ask(path, body).await;
            if answer.0 == 200 {
                break;
            }
            assert!(answer.1 && begun.elapsed() < RECOVERY, "{path}: {answer:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    println!(
        "all that was refused is done {:?} after there is space",
        begun.elapsed()
    );
    caller.reads().await;
    caller.all_are_there(caller.world).await;
    let Caller {
        keys,
        pair,
        acknowledged,
        person,
        ..
    } = caller;
    world.kill_and_restart().await;
    let world = &*world;
    let mut caller = Caller {
        world,
        keys,
        pair,
        acknowledged,
        person,
    };
    caller.all_are_there(world).await;
    caller.reads().await;
}
