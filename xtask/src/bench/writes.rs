//! What changes something, beside what the disk allows: every answer to these waits until all it means is on disk.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value;

use super::flow::{self, Errand};
use super::http::Connection;
use super::load::{self, Rate, Took};
use super::process;
use super::reads::livez;
use super::subject::{Start, Subject};
use super::table::{Case, Figures, measure, print};
use super::{CONNECTIONS, Extent, disk, reads};

/// Users who are taken through the bank at once.
const USERS: usize = 8;
/// A user with one account: what is measured is the way, not how much a bank has to tell.
const USER: &str = "student";
/// Sessions that are made before a round, which uses them up; likewise `TOKENS`.
const STEPS: usize = 256;
const TOKENS: usize = 64;

/// Measures writes and prints their table; `folder` is where the database's files are.
pub fn run(subject: &Subject<'_>, keys: &Value, folder: &Path, extent: Extent) -> Result<Written> {
    let address = &subject.address();
    let (name, floor) = livez(address);
    let cases = [
        Case::new("one page appended and fsynced", move || {
            process::rest(subject);
            disk::syncs(folder, extent.round)
        }),
        Case::new(name, move || {
            load::run(
                address,
                std::slice::from_ref(&floor),
                CONNECTIONS,
                extent.round,
            )
        }),
        Case::new("POST /v1/sessions", || {
            let open = [flow::session(address, keys, &Errand::accounts())?];
            load::run(address, &open, CONNECTIONS, extent.round)
        }),
        Case::new("POST /v1/sessions/{id}/steps, to the bank and back", || {
            let steps = steps(address, keys)?;
            process::rest(subject);
            load::each(address, &steps, CONNECTIONS)
        }),
        Case::new("POST /v1/token", || {
            let exchanges = exchanges(address, keys)?;
            process::rest(subject);
            load::each(address, &exchanges, CONNECTIONS)
        }),
        Case::new(format!("a whole onboarding, {USERS} users at once"), || {
            process::rest(subject);
            onboardings(address, keys, extent.round)
        }),
    ];
    let figures = measure(&cases, extent.rounds)?;
    let written = Written::of(&figures);
    let rows: Vec<Vec<String>> = figures.iter().map(|of| written.row(of)).collect();
    print(
        &format!(
            "{}: writes, {CONNECTIONS} connections, {extent}",
            subject.database
        ),
        &[
            "what",
            "per second",
            "of fsyncs",
            "of /livez",
            "p50 ms",
            "p99 ms",
        ],
        &rows,
    );
    Ok(written)
}

/// Medians per second that others are compared with.
pub struct Written {
    syncs: f64,
    livez: f64,
    onboardings: f64,
}

impl Written {
    fn of(figures: &[Figures]) -> Self {
        let median = |at: usize| figures.get(at).map_or(0.0, |of| of.per_second().median);
        Self {
            syncs: median(0),
            livez: median(1),
            onboardings: median(figures.len().saturating_sub(1)),
        }
    }

    fn row(&self, of: &Figures) -> Vec<String> {
        let rate = of.per_second();
        vec![
            of.name.clone(),
            rate.to_string(),
            format!("{:.3}", rate.median / self.syncs),
            format!("{:.3}", rate.median / self.livez),
            of.millis(|rate| rate.p50).to_string(),
            of.millis(|rate| rate.p99).to_string(),
        ]
    }

    /// Counts the commits of an onboarding and prints how many of them the disk allows. Starts the server anew.
    pub fn against_the_disk(
        &self,
        subject: &mut Subject<'_>,
        keys: &Value,
        extent: Extent,
    ) -> Result<()> {
        let counting = Start {
            counting: true,
            ..Start::default()
        };
        subject.restart(counting)?;
        process::rest(subject);
        let before = subject.commits();
        let done = onboardings(&subject.address(), keys, extent.round)?.count;
        process::rest(subject);
        let commits = u32::try_from(subject.commits() - before).unwrap_or(u32::MAX);
        let each = f64::from(commits) / f64::from(done);
        let allowed = self.syncs / each;
        println!(
            "\n{}: an onboarding is {each:.1} commits (the request log's among them). One after the other, the disk \
             allows {allowed:.1} onboardings a second; {:.1} were done: {:.2} of that.",
            subject.database,
            self.onboardings,
            self.onboardings / allowed
        );
        Ok(())
    }
}

/// Submissions of the first step of as many new sessions.
fn steps(address: &str, keys: &Value) -> Result<Vec<Vec<u8>>> {
    let accounts = Errand::accounts();
    load::gather(USERS, |_| {
        let mut api = Connection::open(address)?;
        let open = flow::session(address, keys, &accounts)?;
        (0..STEPS / USERS)
            .map(|_| flow::step(address, keys, &accounts, &api.call(&open)?.json()?))
            .collect()
    })
}

/// Exchanges of the tokens of as many users who came back from the bank.
fn exchanges(address: &str, keys: &Value) -> Result<Vec<Vec<u8>>> {
    let accounts = Errand::accounts();
    load::gather(USERS, |_| {
        (0..TOKENS / USERS)
            .map(|_| {
                let token = flow::grant(address, keys, USER, &accounts)?;
                flow::exchange(address, keys, &token)
            })
            .collect()
    })
}

/// Session, step, the bank's forms, token and first read, for one user after the other on each thread.
fn onboardings(address: &str, keys: &Value, time: Duration) -> Result<Rate> {
    let accounts = Errand::accounts();
    let end = Instant::now() + time;
    load::workers(USERS, |_| {
        let mut took = Vec::new();
        while Instant::now() < end {
            let begin = Instant::now();
            let pair = flow::onboard(address, keys, USER, &accounts)?;
            let first = begin.elapsed();
            let read = reads::accounts(address, &pair);
            Connection::open(address)?.call(&read)?.expect_success()?;
            let whole = begin.elapsed();
            took.push(Took { first, whole });
        }
        Ok(took)
    })
}
