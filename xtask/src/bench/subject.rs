//! A server to measure, with a database and a folder of its own; all of it goes when we do.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::leash::{self, Leash};
use crate::postgres::free_port;
use crate::project::{Profile, Project};
use crate::report::step;
use crate::serve;

const START: Duration = Duration::from_secs(30);
/// The filter under which the server says that it committed, and how it says it.
const COMMITS: &str = "info,kernel::db=trace";
const COMMITTED: &str = " TRACE committed";
/// Longest part of a line that is passed on, in characters: a statement can be very long.
const LINE: usize = 240;

/// A running server.
pub struct Subject<'a> {
    /// SQLite or `Postgres`, for the tables.
    pub database: &'static str,
    pub project: &'a Project,
    profile: Profile,
    port: u16,
    options: Vec<OsString>,
    /// The server is gone before its folder is: dropped in this order.
    server: Option<Leash>,
    said: Arc<Said>,
    pub folder: PathBuf,
    _keeper: Leash,
}

/// Facts read from the server's output so far.
#[derive(Default)]
struct Said {
    commits: AtomicU64,
    /// E-mail and password of the demo.
    login: Mutex<Option<(String, String)>>,
}

/// Options with which a server is started.
#[derive(Clone, Copy, Default)]
pub struct Start {
    /// With somebody who can sign in.
    pub demo: bool,
    /// So that commits can be counted.
    pub counting: bool,
    /// With its ordinary limits of calls; else there are none, which is for measuring.
    pub limited: bool,
}

impl Start {
    /// With the demo, whose owner can sign in.
    pub const DEMO: Self = Self {
        demo: true,
        counting: false,
        limited: false,
    };
}

impl<'a> Subject<'a> {
    /// Starts a server on a free port; `postgres` is the URL of its database, else it has SQLite.
    pub fn start(
        project: &'a Project,
        profile: Profile,
        database: &'static str,
        postgres: Option<&str>,
        start: Start,
    ) -> Result<Self> {
        step(&format!("starting the server on {database}"), || {
            let folder = data_folder(database)?;
            // Its leash removes the folder, however we end.
            let mut keeper = leash::service("sleep", "TERM", Some(&folder));
            let keeper = Leash::start(keeper.arg("1000000"))?;
            let mut options = vec!["--data-dir".into(), folder.clone().into()];
            if let Some(url) = postgres {
                options.extend(["--database".into(), url.into()]);
            }
            let mut subject = Self {
                database,
                project,
                profile,
                port: free_port()?,
                options,
                server: None,
                said: Arc::default(),
                folder,
                _keeper: keeper,
            };
            subject.restart(start)?;
            Ok(subject)
        })
    }

    /// Ends the server, starts it again on the same database, and says how long it took until it was ready.
    pub fn restart(&mut self, start: Start) -> Result<Duration> {
        self.server = None;
        self.said = Arc::default();
        let mut command = leash::service(self.project.server(self.profile), "TERM", None);
        self.configure(&mut command, start);
        let begin = Instant::now();
        let mut server = Leash::start(&mut command)?;
        self.listen_to(&mut server);
        self.server = Some(server);
        self.wait_until_ready(begin)?;
        Ok(begin.elapsed())
    }

    fn configure(&self, command: &mut Command, start: Start) {
        let mut arguments: Vec<OsString> = vec!["--listen".into(), self.address().into()];
        arguments.extend(self.options.iter().cloned());
        if start.demo {
            serve::configure(command, self.project, self.profile, &arguments);
        } else {
            command.arg("serve").args(arguments);
            serve::site_for(command, &self.project.site(self.profile));
        }
        if !start.limited {
            for limit in ["BROWSER", "SERVER"] {
                command.env(
                    format!("TESSERA_LIMITS__{limit}_CALLS_PER_MINUTE"),
                    "100000000",
                );
            }
            // All of the load comes from one address.
            command.env("TESSERA_HTTP__CONNECTIONS_PER_SOURCE", "100000");
        }
        if start.counting {
            command.env("TESSERA_LOG__FILTER", COMMITS);
        }
        command.env("NO_COLOR", "1");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    }

    /// Reads what the server says, as whoever keeps its log would: a line for each call is part of what a call costs.
    fn listen_to(&self, server: &mut Leash) {
        let (out, err) = server.output();
        let (one, other) = (self.said.clone(), self.said.clone());
        std::thread::spawn(move || each_line(out, |line| one.hear_login(line)));
        std::thread::spawn(move || each_line(err, |line| other.hear_log(line)));
    }

    /// Host and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The operator's command line beside this server, on the same database.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.project.server(self.profile));
        command.args(&self.options);
        command
    }

    /// Returns e-mail and password of the demo, or an error if the server printed none.
    pub fn login(&self) -> Result<(String, String)> {
        let login = self.said.login.lock();
        let login = login.unwrap_or_else(PoisonError::into_inner).clone();
        login.context("the server printed no demo login")
    }

    /// Returns the number of commits since the server started; 0 unless it was started so that they are counted.
    pub fn commits(&self) -> u64 {
        self.said.commits.load(Ordering::Relaxed)
    }

    /// The process that is the server's parent.
    pub fn parent(&self) -> Option<u32> {
        self.server.as_ref().map(Leash::id)
    }

    /// The server's binary.
    pub fn program(&self) -> PathBuf {
        self.project.server(self.profile)
    }

    fn wait_until_ready(&mut self, begin: Instant) -> Result<()> {
        while !self.is_ready() {
            let ended = self
                .server
                .as_mut()
                .map(Leash::ended)
                .transpose()?
                .flatten();
            if let Some(status) = ended {
                bail!(
                    "the server on {} ended with {status}; what it said is above",
                    self.database
                );
            }
            if begin.elapsed() > START {
                bail!(
                    "the server on {} is not ready after {START:?}",
                    self.database
                );
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    fn is_ready(&self) -> bool {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            let request = format!(
                "GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
                self.port
            );
            stream.write_all(request.as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 "))
    }
}

impl Said {
    fn hear_login(&self, line: &str) {
        if let Some(login) = login_in(line) {
            *self.login.lock().unwrap_or_else(PoisonError::into_inner) = Some(login);
        }
    }

    /// Counts commits, and passes on what a person should see.
    fn hear_log(&self, line: &str) {
        if line.contains(COMMITTED) {
            self.commits.fetch_add(1, Ordering::Relaxed);
        } else if !is_routine(line) {
            let short: String = line.trim_end().chars().take(LINE).collect();
            eprintln!("    server: {short}");
        }
    }
}

/// Returns `true` if a line of the log is about an ordinary call.
fn is_routine(line: &str) -> bool {
    [" INFO ", " DEBUG ", " TRACE "]
        .iter()
        .any(|level| line.contains(level))
}

/// E-mail and password of the line that tells them.
fn login_in(line: &str) -> Option<(String, String)> {
    let rest = line.trim().strip_prefix("Demo login: ")?;
    let (email, password) = rest.split_once(" with password ")?;
    Some((email.to_owned(), password.to_owned()))
}

/// Hands every line on until there are no more.
fn each_line(from: Option<impl Read>, hear: impl Fn(&str)) {
    let Some(from) = from else { return };
    let mut from = BufReader::with_capacity(1 << 16, from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|got| got > 0) {
        hear(&String::from_utf8_lossy(&line));
        line.clear();
    }
}

fn data_folder(database: &str) -> Result<PathBuf> {
    let folder =
        std::env::temp_dir().join(format!("tessera-bench-{}-{database}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_login_and_the_levels_of_lines_are_read() {
        let line = "Demo login: demo@example.com with password x y\n";
        assert_eq!(
            login_in(line),
            Some(("demo@example.com".into(), "x y".into()))
        );
        assert_eq!(login_in("Tessera is at http://127.0.0.1:1\n"), None);
        assert!(is_routine("2026-01-01T00:00:00Z  INFO request ms=1"));
        assert!(!is_routine(
            "2026-01-01T00:00:00Z  WARN the request log could not keep up"
        ));
    }

    #[test]
    fn commits_are_counted_line_by_line() {
        let said = Said::default();
        let log = b"t TRACE committed\nt  INFO request\nt TRACE committed\n";
        each_line(Some(&log[..]), |line| said.hear_log(line));
        assert_eq!(said.commits.load(Ordering::Relaxed), 2);
    }
}
