//! `server jobs`: what waits, what was given up, and what becomes of it.

use app::domain::ids::JobId;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::operate::{Output, open, say, told};
use super::{Failed, print_text};
use crate::config::Config;
use crate::services::acts::By;
use crate::services::operators;
use crate::storage::jobs::{GivenUp, ListedJob};

#[derive(Subcommand)]
pub enum Jobs {
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
        which: Which,
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
pub struct Which {
    /// The job's id, as `jobs list` prints it.
    id: Option<JobId>,
    /// All of a kind.
    #[arg(long)]
    kind: Option<String>,
    /// All of them.
    #[arg(long)]
    all: bool,
}

pub async fn run(config: &Config, command: Jobs) -> Result<(), Failed> {
    let (state, by) = (open(config).await?, By::operator());
    match command {
        Jobs::List {
            given_up,
            limit,
            output,
        } => {
            let listed = told(operators::jobs(&state, given_up, i64::from(limit)).await)?;
            if output.json {
                let list: Vec<Value> = listed.jobs.iter().map(as_json).collect();
                let all =
                    json!({ "jobs": list, "total": listed.total, "given_up": listed.given_up });
                return print_text(&format!("{all}\n"));
            }
            let mut text = String::new();
            for job in &listed.jobs {
                text.push_str(&line(job));
            }
            text.push_str(&format!(
                "{} jobs, {} of them given up.\n",
                listed.total, listed.given_up
            ));
            print_text(&text)
        }
        Jobs::Retry { which, output } => {
            let which = match which {
                Which { id: Some(id), .. } => GivenUp::One(id),
                Which {
                    kind: Some(kind), ..
                } => GivenUp::Kind(kind),
                Which { .. } => GivenUp::All,
            };
            let jobs = told(operators::retry_jobs(&state, &by, &which).await)?;
            let done = json!({ "retried": jobs.len() });
            say(
                &output,
                &done,
                "They are due now; the running server takes them within a second.",
            )
        }
        Jobs::Drop { id, output } => {
            let kind = told(operators::drop_job(&state, &by, id).await)?;
            let done = json!({ "job_id": id, "kind": kind });
            say(&output, &done, "It is gone for good.")
        }
    }
}

fn as_json(job: &ListedJob) -> Value {
    json!({
        "job_id": job.id,
        "kind": job.kind,
        "class": job.class,
        "state": state(job),
        "run_at": job.run_at,
        "attempts": job.attempts,
        "last_error": job.last_error,
        "given_up_at": job.failed_at,
    })
}

fn line(job: &ListedJob) -> String {
    let error = job.last_error.as_deref().unwrap_or_default();
    format!(
        "{}  {}  {}  due {}  tries {}  {error}\n",
        job.id,
        job.kind,
        state(job),
        job.run_at.format("%Y-%m-%dT%H:%M:%SZ"),
        job.attempts,
    )
}

fn state(job: &ListedJob) -> &'static str {
    match (job.failed_at, job.lease_until) {
        (Some(_), _) => "given up",
        (None, Some(_)) => "running",
        (None, None) => "waiting",
    }
}
