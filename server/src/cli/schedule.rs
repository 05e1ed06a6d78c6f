//! `server schedule`: everything that runs by the clock, when it ran last and when it is due.

use chrono::{DateTime, SubsecRound as _, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::operate::{Output, open_existing, outcome};
use super::{CommandError, print_text};
use crate::config::Config;
use crate::services::refusal::ServiceError;
use crate::worker::schedule::{self, Period, Runs, SCHEDULE, ScheduleEntry, ScheduledTurn};

/// Arguments of `server schedule`.
#[derive(Args)]
pub struct ScheduleCommand {
    #[command(flatten)]
    output: Output,
}

pub async fn run(config: &Config, command: ScheduleCommand) -> Result<(), CommandError> {
    let state = open_existing(config).await?;
    let turns = schedule::turns(&state).await.map_err(ServiceError::from);
    let turns = outcome(turns)?;
    let of = |entry: &ScheduleEntry| turns.iter().find(|turn| turn.entry == entry.name);
    if command.output.json {
        let entries = SCHEDULE.iter().map(|entry| as_json(entry, of(entry)));
        let all = json!({ "schedule": entries.collect::<Vec<_>>() });
        return print_text(&format!("{all}\n"));
    }
    let lines = SCHEDULE.iter().map(|entry| line(entry, of(entry)));
    print_text(&lines.collect::<String>())
}

fn as_json(entry: &ScheduleEntry, turn: Option<&ScheduledTurn>) -> Value {
    let time = |time: Option<DateTime<Utc>>| time.map(|time| time.trunc_subsecs(0));
    json!({
        "name": entry.name,
        "runs": if entry.is_once() { "once" } else { "each process" },
        "period": period(entry),
        "does": entry.does,
        "last_at": time(turn.and_then(|turn| turn.last_at)),
        "next_at": time(turn.and_then(|turn| turn.next_at)),
    })
}

fn line(entry: &ScheduleEntry, turn: Option<&ScheduledTurn>) -> String {
    let time = |time: Option<DateTime<Utc>>| {
        time.map_or_else(
            || "never".to_owned(),
            |time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        )
    };
    let runs = match turn {
        Some(turn) => format!("last {}  next {}", time(turn.last_at), time(turn.next_at)),
        None => "in each process".to_owned(),
    };
    let (name, every, does) = (entry.name, period(entry), entry.does);
    format!("{name}  {every}  {runs}  {does}\n")
}

/// Words for the time between two turns.
fn period(entry: &ScheduleEntry) -> String {
    match entry.runs {
        Runs::Each { every, .. } => format!("every {} s", every.as_secs_f64()),
        Runs::Once {
            period: Period::Every(time),
            ..
        } => format!("every {} s", time.num_seconds()),
        Runs::Once {
            period: Period::DailyAt(hour),
            ..
        } => format!("daily at {} UTC", hour.format("%H:%M")),
    }
}
