//! A Postgres cluster to throw away: made in a temporary folder on a free port, reachable from this machine alone, and
//! gone with its folder when we are, however we end. For tests it trades durability for speed, as nothing in it is meant to
//! last; for measurements it does not.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::files::is_root;
use crate::leash::{self, Leash};
use crate::{files, report};

const SETTINGS: [&str; 5] = [
    "listen_addresses=127.0.0.1",
    "max_connections=400",
    "shared_buffers=128MB",
    "logging_collector=off",
    "log_min_messages=warning",
];
/// Settings that trade durability for speed: only a power cut would show it.
const FORGETFUL: [&str; 2] = ["fsync=off", "full_page_writes=off"];
const PROGRAMS: [&str; 3] = ["initdb", "pg_isready", "postgres"];
const START: Duration = Duration::from_secs(30);

/// A running cluster; dropping it stops the server and removes its folder.
pub struct Postgres {
    server: Leash,
    folder: PathBuf,
    port: u16,
    binaries: PathBuf,
}

/// The folder of Postgres' programs: where `initdb` in `PATH` really is, else the newest of Debian's.
pub fn binaries() -> Result<PathBuf> {
    let initdb = files::program(&["initdb"], &debian_postgres());
    // In `PATH` there may be links to some of the programs only.
    let initdb = initdb.and_then(|link| link.canonicalize().ok());
    let folder = initdb.as_deref().and_then(Path::parent);
    let whole = folder.filter(|folder| PROGRAMS.iter().all(|name| folder.join(name).is_file()));
    whole
        .map(Path::to_owned)
        .context("PostgreSQL's server is neither in PATH nor in /usr/lib/postgresql")
}

impl Postgres {
    /// Makes and starts a cluster that waits for no disk.
    pub fn start() -> Result<Self> {
        Self::start_with(&FORGETFUL)
    }

    /// Makes and starts a cluster as durable as any.
    pub fn start_durable() -> Result<Self> {
        Self::start_with(&[])
    }

    fn start_with(more: &[&str]) -> Result<Self> {
        report::step("starting a throw-away Postgres", || {
            let binaries = binaries()?;
            let folder = make_folder()?;
            let mut postgres = Self::launch(binaries, folder, more)?;
            postgres.wait_until_ready()?;
            eprintln!("    {}", postgres.url());
            Ok(postgres)
        })
    }

    /// Returns the URL by which tests connect to the database `postgres`, as its superuser.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Returns the folder of the cluster's files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn launch(binaries: PathBuf, folder: PathBuf, more: &[&str]) -> Result<Self> {
        let port = free_port()?;
        let data = folder.join("data");
        let script = "\"$1/initdb\" --pgdata \"$2\" --username postgres --auth trust --encoding UTF8 --locale C.UTF-8 \
                      --no-sync >\"$3/log\" 2>&1 && bin=$1 data=$2 log=$3 && shift 3 && \
                      exec \"$bin/postgres\" -D \"$data\" \"$@\" >>\"$log/log\" 2>&1";
        // One leash from the first file on: SIGINT is Postgres' fast shutdown.
        let mut command = as_postgres("INT", &folder);
        command
            .args(["sh", "-c", script, "sh"])
            .arg(&binaries)
            .arg(&data)
            .arg(&folder);
        command
            .args(["-p", &port.to_string(), "-k"])
            .arg(&folder)
            .current_dir(&folder);
        for setting in SETTINGS.iter().chain(more) {
            command.args(["-c", setting]);
        }
        let server = Leash::start(command.stdout(Stdio::null()))?;
        Ok(Self {
            server,
            folder,
            port,
            binaries,
        })
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let begin = Instant::now();
        while !self.answers()? {
            let ended = self.server.ended()?;
            if ended.is_some() || begin.elapsed() > START {
                let why = ended.map_or_else(
                    || format!("no answer within {START:?}"),
                    |status| format!("it ended with {status}"),
                );
                bail!("Postgres did not start ({why}). Its log:\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn answers(&self) -> Result<bool> {
        let mut command = Command::new(self.binaries.join("pg_isready"));
        command.args([
            "--quiet",
            "--host",
            "127.0.0.1",
            "--port",
            &self.port.to_string(),
        ]);
        Ok(command
            .status()
            .context("could not start `pg_isready`")?
            .success())
    }

    /// The last lines of the log.
    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.join("log"));
        let log = log.unwrap_or_else(|error| format!("(no log: {error})"));
        let lines: Vec<&str> = log.lines().collect();
        lines
            .get(lines.len().saturating_sub(20)..)
            .unwrap_or_default()
            .join("\n")
    }
}

/// A service that runs as the user `postgres` if we are root, which Postgres refuses to be.
fn as_postgres(signal: &str, folder: &Path) -> Command {
    if !is_root() {
        return leash::service("env", signal, Some(folder));
    }
    // Unlike `su` and `runuser`, `setpriv` becomes the program, so the leash's signal reaches it.
    let mut command = leash::service("setpriv", signal, Some(folder));
    command.args([
        "--reuid=postgres",
        "--regid=postgres",
        "--init-groups",
        "--",
    ]);
    command
}

fn make_folder() -> Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("tessera-postgres-{}", std::process::id()));
    let mut command = Command::new("install");
    command.args(["-d", "-m", "700"]);
    if is_root() {
        command.args(["-o", "postgres"]);
    }
    leash::run(command.arg(&folder)).context("making a folder for Postgres")?;
    Ok(folder)
}

/// A port that was free a moment ago.
pub fn free_port() -> Result<u16> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    Ok(listener.local_addr()?.port())
}

/// The folders `/usr/lib/postgresql/*/bin`, newest version first.
fn debian_postgres() -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(Path::new("/usr/lib/postgresql"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .collect();
    versions.sort();
    versions
        .into_iter()
        .rev()
        .map(|(_, folder)| folder)
        .collect()
}
