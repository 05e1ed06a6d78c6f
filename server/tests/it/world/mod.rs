//! A whole Tessera for a test: the server binary with a database of its own, and the people around it.

pub mod browser;
pub mod hostile;
pub mod people;
pub mod race;
mod server;
pub mod sql;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use reqwest::redirect::Policy;
use serde_json::{Value, json};
use tokio::sync::Mutex;

pub use server::Server;
use server::{command, with_place};

pub const SKILL: &str = "xyz_ro_aisp_sbx_#1.0";
pub const RETURN: &str = "myapp://return";

/// Kind of database that a test world runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// Runs each `async fn name(database: Database)` once on SQLite and once on Postgres.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::world::Database::Sqlite).await; })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::world::Database::Postgres).await; })+
        }
    };
}
pub(crate) use on_both;

/// A database and a folder, and the servers that were started on them.
pub struct World {
    folder: PathBuf,
    database_url: String,
    /// Environment of its servers: `TESSERA_<SECTION>__<KEY>` and its value.
    settings: Vec<(&'static str, String)>,
    /// The first server.
    pub server: Server,
}

/// The keys of a tenant, as the operator's command prints them.
#[derive(Clone, Debug)]
pub struct Keys {
    pub client_id: String,
    pub client_secret: String,
    pub client_app_key: String,
}

impl World {
    /// A world of one's own, for tests that break things.
    pub async fn own(database: Database) -> Self {
        Self::with(database, &[]).await
    }

    /// A world of one's own whose servers have other settings: `TESSERA_<SECTION>__<KEY>` and its value.
    pub async fn with(database: Database, settings: &[(&'static str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "tessera_it_{}_{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let folder = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(&folder).unwrap();
        let database_url = match database {
            Database::Sqlite => format!("sqlite:{}", folder.join("tessera.db").display()),
            Database::Postgres => postgres(&name).await,
        };
        Self::at(folder, database_url, settings).await
    }

    /// A world in this folder and on this database.
    pub async fn at(
        folder: PathBuf,
        database_url: String,
        settings: &[(&'static str, &str)],
    ) -> Self {
        let settings: Vec<_> = settings
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        let server = Server::start(&folder, &database_url, &settings).await;
        Self {
            folder,
            database_url,
            settings,
            server,
        }
    }

    /// The world that tests share while any of them runs: each makes its own servicer and tenants in it.
    pub async fn shared(database: Database) -> Arc<Self> {
        static SHARED: [Mutex<Weak<World>>; 2] =
            [Mutex::const_new(Weak::new()), Mutex::const_new(Weak::new())];
        let mut slot = SHARED[usize::from(database == Database::Postgres)]
            .lock()
            .await;
        if let Some(world) = slot.upgrade() {
            return world;
        }
        let world = Arc::new(Self::own(database).await);
        *slot = Arc::downgrade(&world);
        world
    }

    /// Starts another server on the same database and keys.
    pub async fn another_server(&self) -> Server {
        Server::start(&self.folder, &self.database_url, &self.settings).await
    }

    /// Kills the server and starts it again under `strace`, which writes such calls of its to the file that is answered.
    pub async fn restart_traced(&mut self, calls: &str) -> PathBuf {
        self.server.kill();
        let trace = self.folder.join("trace");
        let mut traced = Command::new("strace");
        traced
            // The tracer runs beside: what is killed is the server.
            .args(["-D", "-f", "-qq", "-y", "-s", "16", "-e"])
            .arg(format!("trace={calls}"))
            .arg("-o")
            .arg(&trace)
            .arg(env!("CARGO_BIN_EXE_server"));
        let command = with_place(traced, &self.folder, &self.database_url);
        self.server = Server::start_with(command, &self.settings).await;
        trace
    }

    /// Another world, with the same key file and a backup put into an empty place; nothing serves it yet.
    pub async fn restored(&self, backup: &Path, name: &str) -> Self {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::copy(self.folder.join("secrets.key"), folder.join("secrets.key")).unwrap();
        let database_url = if self.database_url.starts_with("sqlite:") {
            format!("sqlite:{}", folder.join("tessera.db").display())
        } else {
            empty_postgres(name).await
        };
        let mut restore = command(&folder, &database_url);
        restore.arg("restore").arg(backup);
        let output = tokio::task::spawn_blocking(move || restore.output());
        let output = output.await.unwrap().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Self {
            folder,
            database_url,
            settings: self.settings.clone(),
            server: Server::ended(),
        }
    }

    /// Starts the server of a world that has none.
    pub async fn serve(&mut self) {
        self.server = self.another_server().await;
    }

    /// Goes on with the same keys and another database.
    pub async fn on(&mut self, database_url: &str) {
        self.database_url = database_url.to_owned();
        self.serve().await;
    }

    /// The folder of the data, and the settings that a command needs to find it.
    pub fn place(&self) -> (&Path, &str) {
        (&self.folder, &self.database_url)
    }

    /// Stops the server in order, and waits for its end.
    pub async fn stop(&mut self) {
        let status = Command::new("kill")
            .args(["-TERM", &self.server.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
        let begun = Instant::now();
        while self.server.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(30), "it does not end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Kills the server, which hears nothing of it.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Kills the server as a power cut would, and starts it again.
    pub async fn kill_and_restart(&mut self) {
        self.server.kill();
        self.server = self.another_server().await;
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs an operator's command beside the server: whether it ended well, and all it said.
    pub async fn attempt(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = command(&self.folder, &self.database_url);
        command.args(arguments);
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    /// Starts an operator's command beside the server, to be killed or waited for.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = command(&self.folder, &self.database_url);
        command.args(arguments).stdout(Stdio::null());
        command.spawn().unwrap()
    }

    /// Runs an operator's command beside the server and reads its JSON.
    pub async fn operator(&self, arguments: &[&str]) -> Value {
        let mut command = command(&self.folder, &self.database_url);
        command.args(arguments).arg("--json");
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{arguments:?}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{arguments:?} printed no JSON ({error}): {text}"))
    }

    /// A sandbox tenant of a new servicer, allowed both skills.
    pub async fn tenant(&self) -> Keys {
        self.tenant_with(&[SKILL, "xyz_aisp_sbx_#1.0"]).await
    }

    /// A sandbox tenant of a new servicer, allowed these skills.
    pub async fn tenant_with(&self, skills: &[&str]) -> Keys {
        let create = [
            "servicer",
            "create",
            "--name",
            "Example Ltd",
            "--kind",
            "consumer",
        ];
        let servicer = self.operator(&create).await;
        let mut options = vec!["--redirect-link", "https://app.example.com/return"];
        options.extend(["--origin", "https://app.example.com"]);
        options.extend(skills.iter().flat_map(|skill| ["--skill", skill]));
        self.tenant_of(servicer["servicer_id"].as_str().unwrap(), &options)
            .await
    }

    /// A sandbox tenant of this servicer, made with these further options.
    pub async fn tenant_of(&self, servicer: &str, options: &[&str]) -> Keys {
        let mut arguments = vec![
            "tenant",
            "create",
            "--servicer",
            servicer,
            "--name",
            "Budget app",
        ];
        if !options.contains(&"--environment") {
            arguments.extend(["--environment", "sandbox", "--redirect-link", RETURN]);
        }
        arguments.extend(options);
        let made = self.operator(&arguments).await;
        let text = |key: &str| {
            made[key]
                .as_str()
                .unwrap_or_else(|| panic!("no {key} in {made}"))
                .to_owned()
        };
        Keys {
            client_id: text("client_id"),
            client_secret: text("client_secret"),
            client_app_key: text("client_app_key"),
        }
    }

    /// The first server's URL of an API path.
    pub fn api(&self, path: &str) -> String {
        format!("{}{path}", self.server.url)
    }

    /// Sends a JSON body; answers status and JSON.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        post(&self.api(path), body).await
    }

    /// Sends a body as it is written and answers the JSON of a success. A first read may come before everything is
    /// fetched from the bank: it is told when to ask again, and does.
    pub async fn post_when_ready(&self, path: &str, body: String) -> Value {
        // Fifty thousand rows take a dev build a while, and others are tested beside it.
        const PATIENCE: Duration = Duration::from_mins(3);
        let client = reqwest::Client::new();
        let begun = Instant::now();
        loop {
            let request = client
                .post(self.api(path))
                .header(reqwest::header::CONTENT_TYPE, "application/json");
            let answer = request.body(body.clone()).send().await.unwrap();
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let answer: Value = answer.json().await.unwrap();
            if is_being_fetched(status, &answer) && begun.elapsed() < PATIENCE {
                let wait = headers["retry-after"].to_str().unwrap();
                tokio::time::sleep(Duration::from_secs(wait.parse().unwrap())).await;
                continue;
            }
            assert_eq!(status, 200, "{path}: {answer}");
            return answer;
        }
    }

    /// Opens a session; answers its id and first nonce.
    pub async fn session(&self, keys: &Keys) -> (String, String) {
        self.session_for(keys, None).await
    }

    async fn session_for(&self, keys: &Keys, named: Option<&str>) -> (String, String) {
        let mut body = json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": SKILL});
        if let Some(named) = named {
            body["tenant_user_id"] = json!(named);
        }
        let (status, answer) = self.post("/v1/sessions", &body).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["status"], "SESSION_CREATED");
        (
            answer["session_id"].as_str().unwrap().to_owned(),
            answer["nonce"].as_str().unwrap().to_owned(),
        )
    }

    /// The body of step `sca`.
    pub fn sca(keys: &Keys, nonce: &str) -> Value {
        json!({"client_id": keys.client_id, "nonce": nonce, "skill": SKILL, "step": "sca", "data": {"psu_redirect_link": RETURN}})
    }

    /// Opens a session and submits its step; answers the session, the nonce that was used, and the step's answer, which
    /// leads to the bank.
    pub async fn at_bank(&self, keys: &Keys) -> (String, String, Value) {
        self.at_bank_for(keys, None).await
    }

    async fn at_bank_for(&self, keys: &Keys, named: Option<&str>) -> (String, String, Value) {
        let (session, nonce) = self.session_for(keys, named).await;
        let path = format!("/v1/sessions/{session}/steps");
        let (status, step) = self.post(&path, &Self::sca(keys, &nonce)).await;
        assert_eq!(status, 200, "{step}");
        (session, nonce, step)
    }

    /// Opens a session, takes a user of the bank through consent, and answers the `temp_token`.
    pub async fn temp_token(&self, keys: &Keys, user: &str) -> String {
        self.temp_token_for(keys, user, None).await
    }

    async fn temp_token_for(&self, keys: &Keys, user: &str, named: Option<&str>) -> String {
        let (_, _, step) = self.at_bank_for(keys, named).await;
        let end = browser::consent(
            step["data"]["url"].as_str().unwrap(),
            user,
            browser::Decision::Approve,
        )
        .await;
        browser::query(&end, "temp_token").unwrap_or_else(|| panic!("no temp_token in {end}"))
    }

    /// The whole way: the pair a tenant's backend keeps.
    pub async fn pair(&self, keys: &Keys, user: &str) -> (String, String) {
        self.pair_named(keys, user, None).await
    }

    /// The pair of a session that was opened for an end-user, whom the tenant knows as `named`.
    pub async fn pair_for(&self, keys: &Keys, user: &str, named: &str) -> (String, String) {
        self.pair_named(keys, user, Some(named)).await
    }

    async fn pair_named(&self, keys: &Keys, user: &str, named: Option<&str>) -> (String, String) {
        let token = self.temp_token_for(keys, user, named).await;
        let mut body = json!({"client_id": keys.client_id, "client_secret": keys.client_secret, "temp_token": token});
        if let Some(named) = named {
            body["tenant_user_id"] = json!(named);
        }
        let (status, answer) = self.post("/v1/token", &body).await;
        assert_eq!(status, 200, "{answer}");
        (
            answer["credentials_id"].as_str().unwrap().to_owned(),
            answer["access_token"].as_str().unwrap().to_owned(),
        )
    }
}

impl Keys {
    /// The body of a data call.
    pub fn data(&self, pair: &(String, String)) -> Value {
        json!({"client_id": self.client_id, "client_secret": self.client_secret, "credentials_id": pair.0, "access_token": pair.1})
    }
}

impl Drop for World {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// Whether an answer says that the bank is still being asked for what was asked for, and nothing else that a 503 may say.
pub fn is_being_fetched(status: u16, answer: &Value) -> bool {
    status == 503 && answer["message"] == "The data is still being fetched from the bank."
}

/// Says aloud, past whoever keeps what tests print, that a test shows nothing on this machine. Where `CI` is set it fails:
/// there everything must be shown.
pub fn skipped(what: &str, why: &str) {
    use std::io::Write as _;
    assert!(
        std::env::var_os("CI").is_none(),
        "{what} cannot be tested: {why}"
    );
    writeln!(std::io::stderr(), "SKIPPED: {what} are not tested: {why}").ok();
}

/// A database of its own on the test server, without tables.
pub async fn empty_postgres(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    postgres(&format!("tessera_it_{name}_{}_{count}", std::process::id())).await
}

async fn postgres(name: &str) -> String {
    let url = std::env::var("TESSERA_TEST_POSTGRES")
        .expect("TESSERA_TEST_POSTGRES is not set: run `cargo xtask test`, or name a Postgres server whose user may create databases");
    let admin = sqlx::PgPool::connect(&url).await.unwrap();
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::query(create).execute(&admin).await.unwrap();
    // The test server may be one that waits for no disk; commits are ordinary ones all the same.
    let alter = format!("ALTER DATABASE {name} SET synchronous_commit = on");
    sqlx::query(sqlx::AssertSqlSafe(alter))
        .execute(&admin)
        .await
        .unwrap();
    admin.close().await;
    let mut own = url::Url::parse(&url).unwrap();
    own.set_path(name);
    own.into()
}

/// A client that any test may use: making one costs more than many calls. It keeps no connection, for a connection
/// would end with the test that opened it.
pub fn client() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        let client = reqwest::Client::builder().pool_max_idle_per_host(0);
        client.redirect(Policy::none()).build().unwrap()
    })
}

/// Sends a JSON body to a URL; answers status and JSON.
pub async fn post(url: &str, body: &Value) -> (u16, Value) {
    let answer = client().post(url).json(body).send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (
        status,
        serde_json::from_str(&text)
            .unwrap_or_else(|_| panic!("{url} answered {status} without JSON: {text}")),
    )
}
