//! One process of the server's binary: how it is started, waited for, heard and killed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// One running server process; it is killed when dropped.
pub struct Server {
    pub(super) child: Child,
    pub url: String,
    /// Every line that it wrote, standard output and standard error alike.
    said: Arc<Mutex<String>>,
    /// They hear it to the end.
    listeners: Vec<std::thread::JoinHandle<()>>,
}

impl Server {
    pub(super) async fn start(
        folder: &Path,
        database_url: &str,
        settings: &[(&'static str, String)],
    ) -> Self {
        Self::start_with(command(folder, database_url), settings).await
    }

    pub(super) async fn start_with(
        mut command: Command,
        settings: &[(&'static str, String)],
    ) -> Self {
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0"])
            // The limits have tests of their own; here they would only stop the races.
            .env("TESSERA_LIMITS__BROWSER_CALLS_PER_MINUTE", "10000000")
            .env("TESSERA_LIMITS__SERVER_CALLS_PER_MINUTE", "10000000")
            // All of the tests' clients come from one address.
            .env("TESSERA_HTTP__CONNECTIONS_PER_SOURCE", "4096")
            // Nobody waits twenty seconds for a bank in a test.
            .env("TESSERA_SANDBOX__VERIFICATION_SECONDS", "1")
            .envs(settings.iter().map(|(name, value)| (*name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let all = Arc::new(Mutex::new(String::new()));
        let note = {
            let all = all.clone();
            move |line: std::io::Result<String>| {
                let line = line.unwrap_or_default();
                let mut all = all.lock().unwrap();
                all.push_str(&line);
                all.push('\n');
            }
        };
        let errors = BufReader::new(child.stderr.take().unwrap()).lines();
        let note_errors = note.clone();
        let hears_errors = std::thread::spawn(move || {
            errors.for_each(|line| {
                if let Ok(line) = &line {
                    eprintln!("{line}");
                }
                note_errors(line);
            });
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (said, heard) = tokio::sync::oneshot::channel();
        // Reads to the end, or the server would block on a full pipe.
        let listens = std::thread::spawn(move || {
            let url = lines.by_ref().find_map(|line| {
                let line = line.unwrap();
                let at = line.find("http://127.0.0.1:")?;
                Some(
                    line[at..]
                        .split_whitespace()
                        .next()?
                        .trim_end_matches(['/', '.', ','])
                        .to_owned(),
                )
            });
            said.send(url).ok();
            lines.for_each(note);
        });
        let url = heard
            .await
            .unwrap()
            .expect("the server ended before it said its URL");
        let server = Self {
            child,
            url,
            said: all,
            listeners: vec![hears_errors, listens],
        };
        server.ready().await;
        server
    }

    /// A server that has ended already: the place of one that is yet to be started.
    pub(super) fn ended() -> Self {
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        Self {
            child,
            url: String::new(),
            said: Arc::default(),
            listeners: Vec::new(),
        }
    }

    async fn ready(&self) {
        let begin = Instant::now();
        let ready = format!("{}/readyz", self.url);
        while !reqwest::get(&ready)
            .await
            .is_ok_and(|answer| answer.status() == 200)
        {
            assert!(
                begin.elapsed() < Duration::from_secs(30),
                "the server does not get ready"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Server {
    /// All that it wrote so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// All that it wrote, once it has ended.
    pub fn said_to_the_end(&mut self) -> String {
        for listener in self.listeners.drain(..) {
            listener.join().unwrap();
        }
        self.said()
    }

    /// The process's id.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process with SIGKILL, which it cannot handle, as a power cut would.
    pub(super) fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns the binary's command for a place, without arguments of its own.
pub(super) fn command(folder: &Path, database_url: &str) -> Command {
    let command = Command::new(env!("CARGO_BIN_EXE_server"));
    with_place(command, folder, database_url)
}

/// Adds the arguments that say where a server's folder and database are.
pub(super) fn with_place(mut command: Command, folder: &Path, database_url: &str) -> Command {
    command
        .arg("--data-dir")
        .arg(folder)
        .args(["--database", database_url]);
    command
}
