//! The operator's commands. Each does one act beside the running server, which feels it at the next request, and
//! prints what came of it: for people, or with `--json` for programs.

use app::domain::ids::{ServicerId, TenantId};
use app::domain::person::Email;
use app::domain::servicer::ServicerKind;
use app::domain::tenant::Environment;
use app::portal::PortalError;
use app::portal::tenants::NewTenant;
use chrono::Duration;
use clap::{Args, Subcommand};
use kernel::clock::Clock;
use serde_json::{Value, json};

use super::{CommandError, print_text};
use crate::config::Config;
use crate::services::portal::audit::{AuditActor, ProductionProof};
use crate::services::portal::tenants::erasure;
use crate::services::portal::{export, operators, servicers};
use crate::services::refusal::ServiceError;
use crate::skills::offline;
use crate::start;
use crate::state::AppState;
use crate::storage::{OpenError, sqlite_path};

impl Output {
    /// Returns `true` if the result is printed as JSON.
    pub(super) fn json(&self) -> bool {
        self.json
    }
}

/// Options of how a result is printed.
#[derive(Args)]
pub struct Output {
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Subcommand)]
pub enum ServicerCommand {
    /// Register a servicer; prints its id and a one-time way in for its first developer.
    #[command(
        after_help = "Example:\n  server servicer create --name 'Example Ltd' --kind consumer"
    )]
    Create {
        #[arg(long)]
        name: String,
        /// provider, consumer or both
        #[arg(long)]
        kind: ServicerKind,
        #[command(flatten)]
        output: Output,
    },
    /// Write everything that is stored of a servicer into a new file, as JSON lines, without secrets.
    #[command(
        after_help = "Example:\n  server servicer export ID --out servicer.jsonl\n\n\
                      The first line names what is left out and why, the last has the counts."
    )]
    Export {
        /// Its `servicer_id`.
        id: ServicerId,
        /// A file that is not there yet; only its owner may read it.
        #[arg(long, value_name = "FILE")]
        out: std::path::PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// Open production to a servicer.
    Approve {
        /// Its `servicer_id`.
        id: ServicerId,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Subcommand)]
pub enum AdminCommand {
    /// Make somebody an operator of the portal; prints a one-time password link.
    #[command(after_help = "Example:\n  server admin create --email ana@example.com")]
    Create {
        #[arg(long)]
        email: String,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Subcommand)]
pub enum TenantCommand {
    /// Make a tenant; prints its keys, the secret for the only time.
    #[command(
        after_help = "Example:\n  server tenant create --servicer ID --name 'Budget app' --environment sandbox \\\n      \
                      --skill 'xyz_ro_aisp_sbx_#1.0' --redirect-link myapp://return"
    )]
    Create {
        /// The `servicer_id` it belongs to.
        #[arg(long)]
        servicer: ServicerId,
        #[arg(long)]
        name: String,
        /// sandbox or production
        #[arg(long)]
        environment: Environment,
        /// A skill it may use; give it again for more.
        #[arg(long = "skill", value_name = "NAME")]
        skills: Vec<String>,
        /// A link that its users may be sent back to after the bank; give it again for more.
        #[arg(long = "redirect-link", value_name = "URL")]
        redirect_links: Vec<String>,
        /// A web origin that may call from browsers; give it again for more.
        #[arg(long = "origin", value_name = "URL")]
        origins: Vec<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Make a new `client_secret` beside the old one, which ends after the overlap.
    RotateSecret {
        /// Its `client_id`.
        id: TenantId,
        /// Hours that the old one goes on: 0 to 168.
        #[arg(long, default_value_t = 24)]
        overlap_hours: u16,
        #[command(flatten)]
        output: Output,
    },
    /// Erase a tenant: its data key is destroyed, so that nothing of it can be read again, and its consents end at their banks.
    #[command(after_help = "Example:\n  server tenant erase ID --yes")]
    Erase {
        /// Its `client_id`.
        id: TenantId,
        /// Confirms the erasure, which cannot be undone.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Stop every `client_secret` of a tenant at once.
    RevokeSecret {
        /// Its `client_id`.
        id: TenantId,
        #[command(flatten)]
        output: Output,
    },
}

pub async fn servicer(config: &Config, command: ServicerCommand) -> Result<(), CommandError> {
    // The first command of an installation may be the one that makes its first servicer.
    let state = match &command {
        ServicerCommand::Create { .. } => open(config).await?,
        ServicerCommand::Export { .. } | ServicerCommand::Approve { .. } => {
            open_existing(config).await?
        }
    };
    let by = ProductionProof::command_line();
    match command {
        ServicerCommand::Create { name, kind, output } => {
            let made = outcome(servicers::create(&state, &by, &name, kind).await)?;
            say(
                &output,
                &json!({
                    "servicer_id": made.id,
                    "claim_token": made.claim_token,
                    "claim_expires_at": made.claim_expires_at,
                    "sign_up_url": made.sign_up_url,
                }),
                "The first who signs up with both becomes the owner. The token works once, for 7 days.",
            )
        }
        ServicerCommand::Export { id, out, output } => {
            let done = outcome(export::export(&state, by.by(), id, &out).await)?;
            let done =
                json!({ "servicer_id": id, "path": out, "rows": done.rows, "tables": done.tables });
            say(
                &output,
                &done,
                "It tells who the servicer's people are: hand it over as you would their letters.",
            )
        }
        ServicerCommand::Approve { id, output } => {
            outcome(servicers::approve(&state, &by, id).await)?;
            let done = json!({ "servicer_id": id, "status": "approved" });
            say(&output, &done, "It may create production tenants now.")
        }
    }
}

pub async fn admin(config: &Config, command: AdminCommand) -> Result<(), CommandError> {
    let (state, by) = (open(config).await?, ProductionProof::command_line());
    let AdminCommand::Create { email, output } = command;
    let email =
        Email::parse(&email).map_err(|error| CommandError::Asked(format!("--email: {error}")))?;
    let (person, link) = outcome(servicers::create_admin(&state, &by, &email).await)?;
    say(
        &output,
        &json!({ "person_id": person, "email": email, "password_url": link }),
        "Open the link to choose a password. It works once, for a day.",
    )
}

pub async fn tenant(config: &Config, command: TenantCommand) -> Result<(), CommandError> {
    let (state, by) = (open_existing(config).await?, AuditActor::operator());
    match command {
        TenantCommand::Create {
            servicer,
            name,
            environment,
            skills,
            redirect_links,
            origins,
            output,
        } => {
            let new = NewTenant {
                form: None,
                name,
                environment,
                skills,
                redirect_links,
                origins,
            };
            let made = outcome(operators::create_tenant(&state, &by, servicer, &new).await)?;
            say(
                &output,
                &json!({
                    "client_id": made.id,
                    "client_secret": made.client_secret,
                    "client_app_key": made.client_app_key,
                }),
                "Keep the secret now: it is not shown again.",
            )
        }
        TenantCommand::RotateSecret {
            id,
            overlap_hours,
            output,
        } => {
            let overlap = Duration::hours(i64::from(overlap_hours));
            let made = outcome(operators::rotate_secret(&state, &by, id, overlap).await)?;
            say(
                &output,
                &json!({
                    "client_id": id,
                    "client_secret": made.value,
                    "old_ends_at": made.old_ends_at,
                }),
                "Keep the secret now: it is not shown again. The old one works until its end.",
            )
        }
        TenantCommand::Erase { id, yes, output } => {
            if !yes {
                return Err(CommandError::Asked(
                    "--yes: what is erased cannot be had back; add --yes if this is the tenant."
                        .to_owned(),
                ));
            }
            let consents = outcome(erasure::erase(&state, &by, id).await)?;
            let done = json!({ "client_id": id, "erased": true, "consents_ended": consents });
            say(
                &output,
                &done,
                "Nothing of it opens any more, in this database and in backups of it taken from now on.",
            )
        }
        TenantCommand::RevokeSecret { id, output } => {
            let stopped = outcome(operators::revoke_secrets(&state, &by, id).await)?;
            let done = json!({ "client_id": id, "stopped": stopped });
            say(
                &output,
                &done,
                "They are refused from now on. `tenant rotate-secret` makes a new one.",
            )
        }
    }
}

/// The state of an installation that is there already: a mistyped place is not made into an empty one.
pub(super) async fn open_existing(config: &Config) -> Result<AppState, CommandError> {
    let url = config.database_url();
    match sqlite_path(&url).filter(|path| !path.is_file()) {
        Some(path) => Err(CommandError::Done(
            OpenError::Missing(path.to_owned()).to_string(),
        )),
        None => open(config).await,
    }
}

/// The state, with skills known by name: these commands call no bank.
pub(super) async fn open(config: &Config) -> Result<AppState, CommandError> {
    let state = start::open(config, Clock::system()).await?;
    let skills = if config.sandbox.enabled {
        offline::registry().map_err(|error| CommandError::Done(error.to_string()))?
    } else {
        crate::skills::Registry::default()
    };
    Ok(state.with_skills(skills))
}

/// A service's refusal as a sentence, and as the exit code it means.
pub(super) fn outcome<T>(outcome: Result<T, ServiceError>) -> Result<T, CommandError> {
    outcome.map_err(|stop| match stop {
        ServiceError::Refused(PortalError::Refused(errors)) => {
            let errors = errors
                .into_iter()
                .map(|error| format!("--{}: {}", option(error.name), error.message));
            CommandError::Asked(errors.collect::<Vec<_>>().join("\n"))
        }
        ServiceError::Refused(PortalError::NotFound) => {
            CommandError::Done("There is nothing with this id in this database.".to_owned())
        }
        ServiceError::Refused(PortalError::Conflict(why) | PortalError::Forbidden(why)) => {
            CommandError::Done(why)
        }
        other => CommandError::Done(other.to_string()),
    })
}

/// The option that a form's field comes from.
fn option(field: &str) -> &str {
    match field {
        "skills" => "skill",
        "redirect_links" => "redirect-link",
        "origins" => "origin",
        "overlap" => "overlap-hours",
        "material" => "key",
        other => other,
    }
}

/// Prints a result: one JSON object, or a line per field and what to do with it.
pub(super) fn say(output: &Output, result: &Value, advice: &str) -> Result<(), CommandError> {
    if output.json {
        return print_text(&format!("{result}\n"));
    }
    let mut text = String::new();
    for (name, value) in result.as_object().into_iter().flatten() {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        text.push_str(&format!("{name}: {value}\n"));
    }
    print_text(&format!("{text}{advice}\n"))
}
