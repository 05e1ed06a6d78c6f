//! `cargo xtask bench`: the release build under load, on SQLite and on a throw-away Postgres, one after the other.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::leash::{self, Leash};
use crate::postgres::{Postgres, free_port};
use crate::project::{Profile, Project};
use crate::report::step;
use crate::{packages, serve, site};

const START: Duration = Duration::from_secs(30);

/// What to measure.
#[derive(Args)]
pub struct Options {
    /// Install Postgres if it is missing
    #[arg(long)]
    install: bool,
}

/// A server in release build with a database and a folder of its own; both go with it.
pub struct Subject {
    /// SQLite or `Postgres`, for the table.
    pub database: &'static str,
    /// The base URL, without a slash at the end.
    pub url: String,
    port: u16,
    server: Leash,
}

/// Builds, then measures each database.
pub fn run(project: &Project, options: &Options) -> Result<()> {
    packages::ensure(false, packages::may_install(options.install))?;
    site::build_all(project, Profile::Release)?;
    let subject = Subject::start(project, "SQLite", None)?;
    measure(&subject)?;
    drop(subject);
    let postgres = Postgres::start()?;
    let subject = Subject::start(project, "Postgres", Some(&postgres.url()))?;
    measure(&subject)
}

/// The load goes here: rates of reads beside `/livez` in the same run, as medians with their spread.
fn measure(subject: &Subject) -> Result<()> {
    bail!(
        "the server with {} answers at {}, but there is no load generator yet",
        subject.database,
        subject.url
    )
}

impl Subject {
    /// Starts a server on a free port; `postgres` is the URL of its database, else it has SQLite.
    fn start(project: &Project, database: &'static str, postgres: Option<&str>) -> Result<Self> {
        step(&format!("starting the server on {database}"), || {
            let port = free_port()?;
            let address = format!("127.0.0.1:{port}");
            let folder = data_folder(database)?;
            let mut command =
                leash::service(project.server(Profile::Release), "TERM", Some(&folder));
            let mut arguments = vec![
                "--listen".into(),
                address.clone().into(),
                "--data-dir".into(),
                folder.into(),
            ];
            if let Some(url) = postgres {
                arguments.extend(["--database".into(), url.into()]);
            }
            serve::configure(&mut command, project, Profile::Release, &arguments);
            let server = Leash::start(&mut command)?;
            let mut subject = Self {
                database,
                url: format!("http://{address}"),
                port,
                server,
            };
            subject.wait_until_ready()?;
            Ok(subject)
        })
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let begin = Instant::now();
        while !self.is_ready() {
            if let Some(status) = self.server.ended()? {
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
            std::thread::sleep(Duration::from_millis(20));
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

fn data_folder(database: &str) -> Result<PathBuf> {
    let folder =
        std::env::temp_dir().join(format!("tessera-bench-{}-{database}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    Ok(folder)
}
