//! The command line: what the binary can do, how its settings are given, and with which words and exit code it ends.
//!
//! 0: done. 1: it could not be done; the sentence on standard error says why and what to do. 2: the command line or a
//! setting is wrong; the sentence names it.

mod backup;
#[cfg(feature = "bench")]
mod bench;
mod demo;
mod jobs;
mod operate;
mod schedule;
mod secrets;
mod serve;
mod signing;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError, Overrides};
use crate::start::StartError;
use crate::storage::OpenError;

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
    /// Public URL of the server, used by people and apps.
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
    /// Check everything that `serve` would refuse, and stop.
    CheckConfig,
    /// Make a backup of the whole database while it is served; it opens only with the key file.
    #[command(
        after_help = "Examples:\n  server backup /var/backups/tessera/\n  server backup tessera.backup\n\n\
                      Exit codes: 0 done, 1 it could not be done and nothing is left of it, 2 the command line is wrong. \
                      Of Postgres it is what `pg_dump` writes, sealed."
    )]
    Backup(backup::Backup),
    /// Put a backup into an empty place.
    #[command(
        after_help = "Example:\n  server --data-dir /var/lib/tessera restore tessera.backup\n\n\
                      The key file of the installation must be there first, and the database must not. Everything is checked \
                      before anything is in its place.\n\nExit codes: 0 done, 1 it could not be done, 2 the command line is wrong."
    )]
    Restore(backup::Restore),
    /// Move everything from an SQLite database to an empty Postgres database.
    #[command(
        after_help = "Example:\n  server move --from sqlite:data/tessera.db --to postgres://tessera@db.example.com/tessera\n\n\
                      Stop the server first. All or nothing: what fails leaves the target empty and the source as it is.\n\n\
                      Exit codes: 0 done, 1 it could not be done, 2 the command line is wrong."
    )]
    Move(backup::Move),
    /// Print the settings file with every default.
    ConfigExample,
    /// Print the OpenAPI document.
    Openapi,
    /// Print a generated file.
    Print { what: Printed },
    /// Servicers: the companies registered here.
    #[command(subcommand)]
    Servicer(operate::ServicerCommand),
    /// Operators of this installation.
    #[command(subcommand)]
    Admin(operate::AdminCommand),
    /// Keys that servicers sign requests with.
    #[command(subcommand)]
    SigningKey(signing::SigningKeyCommand),
    /// Tenants: the apps of a servicer.
    #[command(subcommand)]
    Tenant(operate::TenantCommand),
    /// Background jobs: those that wait, and those that were given up.
    #[command(subcommand)]
    Jobs(jobs::JobsCommand),
    /// Everything that runs by the clock: when it ran last, and when it is due.
    #[command(after_help = "Example:\n  server schedule --json")]
    Schedule(schedule::ScheduleCommand),
    /// The keys of the key file: list them, rotate them.
    #[command(subcommand)]
    Secrets(secrets::SecretsCommand),
    /// Database work of `cargo xtask bench`; no command for operators.
    #[command(subcommand, hide = true)]
    #[cfg(feature = "bench")]
    Bench(bench::Bench),
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Printed {
    /// `config.example.toml`
    Config,
    /// `openapi.json`
    Openapi,
}

/// Failure of a command, with the sentence that is printed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The command line or a setting is wrong.
    #[error("{0}")]
    Asked(String),
    #[error("{0}")]
    Start(StartError),
    /// It could not be done.
    #[error("{0}")]
    Done(String),
}

impl From<ConfigError> for CommandError {
    fn from(error: ConfigError) -> Self {
        Self::Asked(error.to_string())
    }
}

impl From<StartError> for CommandError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(error) => error.into(),
            StartError::Mail(error) => Self::Asked(error.to_string()),
            StartError::Open(error @ OpenError::Scheme(_)) => Self::Asked(error.to_string()),
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
                CommandError::Asked(_) => 2,
                CommandError::Start(_) | CommandError::Done(_) => 1,
            })
        }
    }
}

fn command(cli: Cli) -> Result<(), CommandError> {
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
            let runtime = runtime()?;
            if !matches!(command, Command::Serve { .. }) {
                runtime.spawn(end_on_signal());
            }
            let done = runtime.block_on(with_settings(config, command));
            // What blocks its thread is not waited for.
            runtime.shutdown_timeout(std::time::Duration::from_secs(2));
            done
        }
    }
}

async fn with_settings(config: Config, command: Command) -> Result<(), CommandError> {
    match command {
        Command::Serve { demo } => serve::serve(config, demo).await,
        command => {
            crate::telemetry::start_command(&config.log);
            let id = kernel::clock::Clock::system().id();
            crate::security::within(id, operated(config, command)).await
        }
    }
}

/// Ends a command at the first SIGINT or SIGTERM, wherever it stands: what it has not committed did not happen, and no half
/// file is left behind.
async fn end_on_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    kernel::partial_file::remove_all();
    eprintln!(
        "error: stopped by a signal. What was finished stays, and nothing is half done: look at it, then run the command again."
    );
    std::process::exit(1);
}

/// Runs a command of an operator.
async fn operated(config: Config, command: Command) -> Result<(), CommandError> {
    match command {
        Command::Migrate => {
            let (db, bank) = crate::start::open_databases(&config).await?;
            db.close().await;
            if let Some(bank) = bank {
                bank.close().await;
            }
            print_text("The database is up to date.\n")
        }
        Command::CheckConfig => {
            crate::start::check(&config).await?;
            print_text("The settings are fine.\n")
        }
        Command::Backup(command) => backup::make(&config, command).await,
        Command::Restore(command) => backup::restore(&config, command).await,
        Command::Move(command) => backup::move_all(&config, command).await,
        Command::Servicer(command) => operate::servicer(&config, command).await,
        Command::Admin(command) => operate::admin(&config, command).await,
        Command::SigningKey(command) => signing::run(&config, command).await,
        Command::Tenant(command) => operate::tenant(&config, command).await,
        Command::Jobs(command) => jobs::run(&config, command).await,
        Command::Schedule(command) => schedule::run(&config, command).await,
        Command::Secrets(command) => secrets::run(&config, command).await,
        #[cfg(feature = "bench")]
        Command::Bench(command) => bench::run(&config, command).await,
        // Answered without settings, above.
        Command::Serve { .. }
        | Command::ConfigExample
        | Command::Openapi
        | Command::Print { .. } => Ok(()),
    }
}

/// Two workers at least wait for the disk while others serve.
fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.max(4))
        .enable_all()
        .build()
        .map_err(|error| CommandError::Done(format!("cannot start: {error}")))
}

/// Public URL of a server that is started without settings: the `servers` entry of the printed OpenAPI document.
const DEFAULT_URL: &str = "http://127.0.0.1:3000";

/// The OpenAPI document, pretty-printed.
fn openapi() -> Result<String, CommandError> {
    serde_json::to_string_pretty(&crate::api::openapi(DEFAULT_URL))
        .map(|text| text + "\n")
        .map_err(|error| CommandError::Done(error.to_string()))
}

/// Writes to standard output; whoever stopped reading is not an error of ours.
fn print_text(text: &str) -> Result<(), CommandError> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CommandError::Done(format!("cannot write: {error}")))
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
