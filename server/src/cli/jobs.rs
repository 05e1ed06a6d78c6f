//! `server jobs`: what waits, what was given up, and what becomes of it.

use app::domain::ids::JobId;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::operate::{Output, open_existing, outcome, say};
use super::{CommandError, print_text};
use crate::config::Config;
use crate::services::portal::audit::AuditActor;
use crate::services::portal::operators;
use crate::storage::jobs::{DeadJobs, ListedJob};

#[derive(Subcommand)]
pub enum JobsCommand {
    /// List jobs: what waits and runs, and what was given up after its last try.
    #[command(after_help = "Example:\n  server jobs list --given-up")]
    List {
        /// Only those given up, the latest first.
        #[arg(long)]
        given_up: bool,
        /// At most so many.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
        limit: u16,
        #[command(flatten)]
        output: Output,
    },
    /// Try jobs again that were given up: they are due at once, with all their tries.
    #[command(
        after_help = "Examples:\n  server jobs retry 019b7652-0000-7000-8000-000000000000\n  server jobs retry --kind send_mail\n  \
                      server jobs retry --all\n\nExit codes: 0 done, 1 there is none, 2 the command line is wrong."
    )]
    Retry {
        #[command(flatten)]
        which: JobSelection,
        #[command(flatten)]
        output: Output,
    },
    /// Delete a job for good. One that runs just now is left alone.
    #[command(
        after_help = "Exit codes: 0 done, 1 there is no such job or it runs just now, 2 the command line is wrong."
    )]
    Drop {
        /// The job's id, as `jobs list` prints it.
        id: JobId,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct JobSelection {
    /// The job's id, as `jobs list` prints it.
    id: Option<JobId>,
    /// All of a kind.
    #[arg(long)]
    kind: Option<String>,
    /// All of them.
    #[arg(long)]
    all: bool,
}

pub async fn run(config: &Config, command: JobsCommand) -> Result<(), CommandError> {
    let (state, by) = (open_existing(config).await?, AuditActor::operator());
    match command {
        JobsCommand::List {
            given_up,
            limit,
            output,
        } => {
            let listed = outcome(operators::jobs(&state, given_up, i64::from(limit)).await)?;
            let now = state.clock.now();
            if output.json {
                let list = listed.jobs.iter().map(|job| as_json(job, now));
                let list: Vec<Value> = list.collect();
                let all =
                    json!({ "jobs": list, "total": listed.total, "given_up": listed.given_up });
                return print_text(&format!("{all}\n"));
            }
            let mut text = String::new();
            for job in &listed.jobs {
                text.push_str(&line(job, now));
            }
            text.push_str(&format!(
                "{} jobs, {} of them given up.\n",
                listed.total, listed.given_up
            ));
            print_text(&text)
        }
        JobsCommand::Retry { which, output } => {
            let which = match which {
                JobSelection { id: Some(id), .. } => DeadJobs::One(id),
                JobSelection {
                    kind: Some(kind), ..
                } => DeadJobs::Kind(kind),
                JobSelection { .. } => DeadJobs::All,
            };
            let jobs = outcome(operators::retry_jobs(&state, &by, &which).await)?;
            let done = json!({ "retried": jobs.len() });
            say(
                &output,
                &done,
                "They are due now; the running server takes them within a second.",
            )
        }
        JobsCommand::Drop { id, output } => {
            let kind = outcome(operators::drop_job(&state, &by, id).await)?;
            let done = json!({ "job_id": id, "kind": kind });
            say(&output, &done, "It is gone for good.")
        }
    }
}

fn as_json(job: &ListedJob, now: DateTime<Utc>) -> Value {
    json!({
        "job_id": job.id,
        "kind": job.kind,
        "class": job.class,
        "state": state(job, now),
        "run_at": job.run_at,
        "attempts": job.attempts,
        "last_error": job.last_error,
        "given_up_at": job.failed_at,
    })
}

fn line(job: &ListedJob, now: DateTime<Utc>) -> String {
    let error = job.last_error.as_deref().unwrap_or_default();
    format!(
        "{}  {}  {}  due {}  tries {}  {error}\n",
        job.id,
        job.kind,
        state(job, now),
        job.run_at.format("%Y-%m-%dT%H:%M:%SZ"),
        job.attempts,
    )
}

/// The word for a job's state. One whose lease is over waits for another worker.
fn state(job: &ListedJob, now: DateTime<Utc>) -> &'static str {
    match (job.failed_at, job.lease_until) {
        (Some(_), _) => "given up",
        (None, Some(until)) if until > now => "running",
        (None, _) => "waiting",
    }
}
