//! The command line: what the binary can do, how its settings are given, and with which words and exit code it ends.
//!
//! 0: done. 1: it could not be done; the sentence on standard error says why and what to do. 2: the command line or a
//! setting is wrong; the sentence names it.

mod bench;
mod demo;
mod jobs;
mod operate;
mod secrets;
mod serve;
mod signing;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError, Overrides};
use crate::start::StartError;

/// Open-banking middleware with a developer portal.
#[derive(Parser)]
#[command(
    name = "server",
    version,
    about,
    after_help = "Examples:\n  server serve --demo\n  server --database postgres://tessera@db.example.com/tessera migrate\n  \
                  server servicer create --name 'Example Ltd' --kind consumer\n\n\
                  Settings come from --config FILE, then TESSERA_<SECTION>__<KEY> variables, then these options. \
                  `server print config` shows them all."
)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

/// Settings that every command takes.
#[derive(Args)]
struct Settings {
    /// The settings file (TOML).
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder for the database, `secrets.key` and mail files.
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// `sqlite:PATH` or `postgres://user@host/database`.
    #[arg(long, global = true, value_name = "URL")]
    database: Option<String>,
    /// Address and port to listen on; port 0 is any free one.
    #[arg(long, global = true, value_name = "ADDR")]
    listen: Option<String>,
    /// The URL people and apps use.
    #[arg(long, global = true, value_name = "URL")]
    public_url: Option<String>,
    /// Folder with the built portal files.
    #[arg(long, global = true, value_name = "DIR")]
    site: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API, the portal and the sandbox.
    Serve {
        /// Make a demo servicer and print its login; on this machine only.
        #[arg(long)]
        demo: bool,
    },
    /// Bring the database up to date and stop.
    Migrate,
    /// Check the settings and stop.
    CheckConfig,
    /// Print the settings file with every default.
    ConfigExample,
    /// Print the OpenAPI document.
    Openapi,
    /// Print a generated file.
    Print { what: Printed },
    /// Servicers: the companies registered here.
    #[command(subcommand)]
    Servicer(operate::Servicer),
    /// Operators of this installation.
    #[command(subcommand)]
    Admin(operate::Admin),
    /// Keys that servicers sign requests with.
    #[command(subcommand)]
    SigningKey(signing::SigningKey),
    /// Tenants: the apps of a servicer.
    #[command(subcommand)]
    Tenant(operate::Tenant),
    /// Later work: what waits, what was given up.
    #[command(subcommand)]
    Jobs(jobs::Jobs),
    /// The keys of the key file: list them, rotate them.
    #[command(subcommand)]
    Secrets(secrets::Secrets),
    /// What `cargo xtask bench` needs of a database; nothing that an operator does.
    #[command(subcommand, hide = true)]
    Bench(bench::Bench),
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Printed {
    /// `config.example.toml`
    Config,
    /// `openapi.json`
    Openapi,
}

/// Why a command ended badly.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The command line or a setting is wrong.
    #[error("{0}")]
    Asked(String),
    #[error("{0}")]
    Start(StartError),
    /// It could not be done.
    #[error("{0}")]
    Done(String),
}

impl From<ConfigError> for Failed {
    fn from(error: ConfigError) -> Self {
        Self::Asked(error.to_string())
    }
}

impl From<StartError> for Failed {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(error) => error.into(),
            StartError::Mail(error) => Self::Asked(error.to_string()),
            other => Self::Start(other),
        }
    }
}

/// Runs the command of this process.
pub fn run() -> ExitCode {
    // A wrong command line ends here with exit code 2 and what clap says about it.
    let cli = Cli::parse();
    match command(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("error: {failed}");
            ExitCode::from(match failed {
                Failed::Asked(_) => 2,
                Failed::Start(_) | Failed::Done(_) => 1,
            })
        }
    }
}

fn command(cli: Cli) -> Result<(), Failed> {
    match cli.command {
        Command::ConfigExample
        | Command::Print {
            what: Printed::Config,
        } => print_text(&Config::example()),
        Command::Openapi
        | Command::Print {
            what: Printed::Openapi,
        } => print_text(&openapi()?),
        command => {
            let config = Config::load(&cli.settings.into())?;
            runtime()?.block_on(with_settings(config, command))
        }
    }
}

async fn with_settings(config: Config, command: Command) -> Result<(), Failed> {
    match command {
        Command::Serve { demo } => serve::serve(config, demo).await,
        Command::Migrate => {
            crate::start::open_database(&config).await?.close().await;
            print_text("The database is up to date.\n")
        }
        Command::CheckConfig => {
            crate::start::check_secrets(&config)?;
            print_text("The settings are fine.\n")
        }
        Command::Servicer(command) => operate::servicer(&config, command).await,
        Command::Admin(command) => operate::admin(&config, command).await,
        Command::SigningKey(command) => signing::run(&config, command).await,
        Command::Tenant(command) => operate::tenant(&config, command).await,
        Command::Jobs(command) => jobs::run(&config, command).await,
        Command::Secrets(command) => secrets::run(&config, command).await,
        Command::Bench(command) => bench::run(&config, command).await,
        // Answered without settings, above.
        Command::ConfigExample | Command::Openapi | Command::Print { .. } => Ok(()),
    }
}

/// Two workers at least wait for the disk while others serve.
fn runtime() -> Result<tokio::runtime::Runtime, Failed> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.max(4))
        .enable_all()
        .build()
        .map_err(|error| Failed::Done(format!("cannot start: {error}")))
}

/// Where a server is that was started without settings: the server of the printed OpenAPI document.
const DEFAULT_URL: &str = "http://127.0.0.1:3000";

/// The OpenAPI document, pretty-printed.
fn openapi() -> Result<String, Failed> {
    serde_json::to_string_pretty(&crate::api::openapi(DEFAULT_URL))
        .map(|text| text + "\n")
        .map_err(|error| Failed::Done(error.to_string()))
}

/// Writes to standard output; whoever stopped reading is not an error of ours.
fn print_text(text: &str) -> Result<(), Failed> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failed::Done(format!("cannot write: {error}")))
        }
        _ => Ok(()),
    }
}

impl From<Settings> for Overrides {
    fn from(given: Settings) -> Self {
        Self {
            config: given.config,
            data_dir: given.data_dir,
            database: given.database,
            listen: given.listen,
            public_url: given.public_url,
            site_dir: given.site,
        }
    }
}
