//! `cargo xtask bench`: the release build under load, on SQLite and on a throw-away Postgres, one after the other.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;

use self::http::{Connection, request};
use crate::leash::{self, Leash};
use crate::packages::{self, Needs};
use crate::postgres::{Postgres, free_port};
use crate::project::{Profile, Project};
use crate::report::step;
use crate::{serve, site};

pub mod flow;
mod http;
mod load;

/// Connections that ask at once.
const CONNECTIONS: usize = 32;
/// Rounds that count, of so long each.
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);
const START: Duration = Duration::from_secs(30);

/// What to measure.
#[derive(Args)]
pub struct Options {
    /// Install Postgres if it is missing
    #[arg(long)]
    install: bool,
}

/// A server with a database and a folder of its own; both go with it.
pub struct Subject {
    /// SQLite or `Postgres`, for the table.
    pub database: &'static str,
    profile: Profile,
    port: u16,
    options: Vec<OsString>,
    server: Leash,
}

/// Builds, then measures each database.
pub fn run(project: &Project, options: &Options) -> Result<()> {
    packages::ensure(Needs::default(), packages::may_install(options.install))?;
    site::build_all(project, Profile::Release)?;
    let subject = Subject::start(project, Profile::Release, "SQLite", None)?;
    measure(project, &subject)?;
    drop(subject);
    let postgres = Postgres::start()?;
    let subject = Subject::start(project, Profile::Release, "Postgres", Some(&postgres.url()))?;
    measure(project, &subject)
}

/// Requests of one kind: what the table calls it, and its bytes.
struct Case {
    name: &'static str,
    request: Vec<u8>,
}

/// Rates of reads beside `/livez` in the same run: rounds alternate between the cases, so that a slow minute of the
/// machine slows all of them; the table shows medians with their spread.
fn measure(project: &Project, subject: &Subject) -> Result<()> {
    let address = subject.address();
    let cases = step("taking a user through the bank's consent", || {
        let keys = flow::tenant(&|| subject.command(project))?;
        cases(&address, &flow::onboard(&address, &keys, "family")?)
    })?;
    let mut rates: Vec<Vec<load::Rate>> = cases.iter().map(|_| Vec::new()).collect();
    for round in 0..=ROUNDS {
        for (case, rates) in cases.iter().zip(&mut rates) {
            let rate = load::run(&address, &case.request, CONNECTIONS, ROUND)
                .with_context(|| format!("loading {}", case.name))?;
            // The first round warms caches and connections.
            if round > 0 {
                rates.push(rate);
            }
        }
    }
    print_table(subject.database, &cases, &rates);
    Ok(())
}

fn cases(address: &str, pair: &flow::Pair) -> Result<Vec<Case>> {
    let body = serde_json::json!({
        "client_id": pair.client_id, "client_secret": pair.client_secret,
        "credentials_id": pair.credentials_id, "access_token": pair.access_token,
    })
    .to_string();
    let basic = STANDARD.encode(format!("{}:{}", pair.client_id, pair.client_secret));
    let authorization = format!("Basic {basic}");
    let rest = [
        ("Authorization", authorization.as_str()),
        ("X-Credentials-Id", pair.credentials_id.as_str()),
        ("X-Access-Token", pair.access_token.as_str()),
    ];
    let json = [("Content-Type", "application/json")];
    let cases = vec![
        Case {
            name: "GET /livez",
            request: request("GET", address, "/livez", &[], ""),
        },
        Case {
            name: "POST /v1/accounts/get, 4 accounts",
            request: request("POST", address, "/v1/accounts/get", &json, &body),
        },
        Case {
            name: "GET /v1/accounts, 4 accounts",
            request: request("GET", address, "/v1/accounts", &rest, ""),
        },
        Case {
            name: "GET /v1/transactions, page of 100",
            request: request("GET", address, "/v1/transactions?limit=100", &rest, ""),
        },
    ];
    // The first read may have to wait for the bank; it is not what is measured.
    for case in &cases {
        let answer = Connection::open(address)?.call(&case.request)?;
        if answer.status != 200 {
            bail!(
                "{} answered {}: {}",
                case.name,
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
        }
    }
    Ok(cases)
}

fn print_table(database: &str, cases: &[Case], rates: &[Vec<load::Rate>]) {
    println!(
        "\n{database}, {CONNECTIONS} connections, {ROUNDS} rounds of {} s",
        ROUND.as_secs()
    );
    println!(
        "| request | per second: median (lowest - highest) | of /livez | p50 | p99 |\n|---|---|---|---|---|"
    );
    let mut floor = None;
    for (case, rates) in cases.iter().zip(rates) {
        let (median, lowest, highest) =
            load::spread(rates.iter().map(|rate| rate.per_second).collect());
        let floor = *floor.get_or_insert(median);
        let millis = |pick: fn(&load::Rate) -> Duration| {
            load::spread(
                rates
                    .iter()
                    .map(|rate| pick(rate).as_secs_f64() * 1000.0)
                    .collect(),
            )
            .0
        };
        println!(
            "| {} | {median:.0} ({lowest:.0} - {highest:.0}) | {:.2} | {:.2} ms | {:.2} ms |",
            case.name,
            median / floor,
            millis(|rate| rate.p50),
            millis(|rate| rate.p99),
        );
    }
}

impl Subject {
    /// Starts a server on a free port; `postgres` is the URL of its database, else it has SQLite.
    pub fn start(
        project: &Project,
        profile: Profile,
        database: &'static str,
        postgres: Option<&str>,
    ) -> Result<Self> {
        step(&format!("starting the server on {database}"), || {
            let port = free_port()?;
            let address = format!("127.0.0.1:{port}");
            let folder = data_folder(database)?;
            let mut command = leash::service(project.server(profile), "TERM", Some(&folder));
            let mut options = vec!["--data-dir".into(), folder.into()];
            if let Some(url) = postgres {
                options.extend(["--database".into(), url.into()]);
            }
            let mut arguments: Vec<OsString> = vec!["--listen".into(), address.clone().into()];
            arguments.extend(options.iter().cloned());
            // The limits are for callers, not for the measurement.
            for limit in ["BROWSER", "SERVER"] {
                command.env(
                    format!("TESSERA_LIMITS__{limit}_CALLS_PER_MINUTE"),
                    "100000000",
                );
            }
            serve::configure(&mut command, project, profile, &arguments);
            let server = Leash::start(&mut command)?;
            let mut subject = Self {
                database,
                profile,
                port,
                options,
                server,
            };
            subject.wait_until_ready()?;
            Ok(subject)
        })
    }

    /// Host and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The operator's command line beside this server, on the same database.
    pub fn command(&self, project: &Project) -> Command {
        let mut command = Command::new(project.server(self.profile));
        command.args(&self.options);
        command
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
