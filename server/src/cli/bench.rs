//! What `cargo xtask bench` needs of a database: a large table, and the plan of a page. Works on consents of tenants
//! that are named for it and on no others.

use std::time::Instant;

use app::domain::ids::CredentialsId;
use clap::Subcommand;
use kernel::clock::Clock;

use super::{CommandError, print_text};
use crate::config::Config;
use crate::services::consents::filler;
use crate::services::refusal::ApiError;
use crate::start;

#[derive(Subcommand)]
pub enum Bench {
    /// Let the table of transactions grow around one consent.
    Fill {
        /// Its `credentials_id`.
        consent: CredentialsId,
        /// Rows of its own, at least.
        #[arg(long, default_value_t = 10_000)]
        own: i64,
        /// Rows of all consents together, at least.
        #[arg(long)]
        rows: i64,
    },
    /// Print how the database reads a page of 100 of a consent's transactions.
    Plan {
        /// Its `credentials_id`.
        consent: CredentialsId,
        /// The `next_cursor` of the page before.
        #[arg(long)]
        after: Option<String>,
    },
}

pub async fn run(config: &Config, command: Bench) -> Result<(), CommandError> {
    let state = start::open(config, Clock::system()).await?;
    let failed = |failure: ApiError| CommandError::Done(failure.to_string());
    let text = match command {
        Bench::Fill { consent, own, rows } => {
            let begin = Instant::now();
            let progress = |there: i64| {
                let seconds = begin.elapsed().as_secs();
                eprintln!("    {there} of {rows} rows after {seconds} s");
            };
            let there = filler::fill(&state, consent, own, rows, progress).await;
            format!("{}\n", there.map_err(failed)?)
        }
        Bench::Plan { consent, after } => {
            let plan = filler::plan(&state, consent, after.as_deref()).await;
            format!("{}\n", plan.map_err(failed)?)
        }
    };
    state.close().await;
    print_text(&text)
}
