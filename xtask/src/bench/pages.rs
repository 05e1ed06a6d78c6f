//! A page of one consent's transactions while the table around it grows: what it costs, and how the database reads it.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::flow::Pair;
use super::http::Connection;
use super::reads::{self, livez};
use super::subject::Subject;
use super::table::{Case, Figures, measure, print};
use super::{Extent, load, process};
use crate::leash;
use crate::project::output;

/// Rows of the consent whose pages are read.
const OWN: u64 = 10_000;
/// One reader, so that a page's time is its own and no waiting for others.
const READERS: usize = 1;

/// A page: what the table calls it, and its cursor.
struct Page {
    name: &'static str,
    after: Option<String>,
}

/// Lets the table grow to each of these sizes and measures the same pages in it.
pub fn run(subject: &Subject<'_>, pair: &Pair, sizes: &[u64], extent: Extent) -> Result<()> {
    let address = &subject.address();
    let first = reads::rest(address, pair, "/v1/transactions?limit=100");
    // Fetches the data, of which the table is made.
    Connection::open(address)?.call(&first)?.expect_success()?;
    let mut pages = Vec::new();
    let mut measured: Vec<(u64, Vec<Figures>)> = Vec::new();
    for size in sizes {
        let rows = fill(subject, pair, *size)?;
        process::rest(subject);
        if pages.is_empty() {
            pages = choose(address, pair)?;
        }
        eprintln!(
            "==> reading pages of a table of {rows} rows on {}",
            subject.database
        );
        let figures = measure(&cases(address, pair, &pages, extent), extent.rounds)?;
        measured.push((rows, figures));
        for page in &pages {
            print_plan(subject, pair, rows, page)?;
        }
    }
    print_growth(subject.database, &measured, extent);
    Ok(())
}

/// Lets the table grow; how many rows it holds then.
fn fill(subject: &Subject<'_>, pair: &Pair, rows: u64) -> Result<u64> {
    eprintln!(
        "==> filling the table up to {rows} rows on {}",
        subject.database
    );
    let mut command = subject.command();
    command.args(["bench", "fill", &pair.credentials_id]);
    command.args(["--own", &OWN.to_string(), "--rows", &rows.to_string()]);
    command.stderr(std::process::Stdio::inherit());
    let line = leash::line(&command);
    let done = command
        .output()
        .with_context(|| format!("could not start `{line}`"))?;
    if !done.status.success() {
        bail!("`{line}` ended with {}; what it said is above", done.status);
    }
    let said = String::from_utf8_lossy(&done.stdout);
    said.trim()
        .parse()
        .with_context(|| format!("`{line}` printed {said:?}"))
}

/// The first page, one in the middle and the last whole one, by the cursors that lead there.
fn choose(address: &str, pair: &Pair) -> Result<Vec<Page>> {
    let mut api = Connection::open(address)?;
    let mut cursors = Vec::new();
    let mut next = None;
    loop {
        let list = api.call(&page(address, pair, next.as_deref()))?.json()?;
        match list.get("next_cursor").and_then(Value::as_str) {
            Some(cursor) => cursors.push(cursor.to_owned()),
            None => break,
        }
        next = cursors.last().cloned();
    }
    let at = |place: usize| cursors.get(place).cloned();
    let middle = at(cursors.len() / 2).context("the consent has too few transactions")?;
    Ok(vec![
        Page {
            name: "first page",
            after: None,
        },
        Page {
            name: "middle page",
            after: Some(middle),
        },
        Page {
            name: "last whole page",
            after: at(cursors.len().saturating_sub(2)),
        },
    ])
}

fn page(address: &str, pair: &Pair, after: Option<&str>) -> Vec<u8> {
    let after = after.map_or(String::new(), |after| format!("&after={after}"));
    reads::rest(address, pair, &format!("/v1/transactions?limit=100{after}"))
}

fn cases<'a>(address: &'a str, pair: &Pair, pages: &[Page], extent: Extent) -> Vec<Case<'a>> {
    let (name, floor) = livez(address);
    let asked = pages
        .iter()
        .map(|one| (one.name, page(address, pair, one.after.as_deref())));
    let last = (
        "POST /v1/transactions/get, limit 100",
        reads::hundred(address, pair),
    );
    std::iter::once((name, floor))
        .chain(asked)
        .chain([last])
        .map(|(name, request)| {
            Case::new(name, move || {
                load::run(
                    address,
                    std::slice::from_ref(&request),
                    READERS,
                    extent.round,
                )
            })
        })
        .collect()
}

fn print_plan(subject: &Subject<'_>, pair: &Pair, rows: u64, page: &Page) -> Result<()> {
    let mut command = subject.command();
    command.args(["bench", "plan", &pair.credentials_id]);
    if let Some(after) = &page.after {
        command.args(["--after", after]);
    }
    let plan = output(&mut command)?;
    println!(
        "\n{}, {rows} rows, plan of the {}:\n\n```\n{}\n```",
        subject.database,
        page.name,
        plan.trim_end()
    );
    Ok(())
}

/// Each page's time at each size, and by how much it grew since the first size: by itself, and beside `/livez`.
fn print_growth(database: &str, measured: &[(u64, Vec<Figures>)], extent: Extent) {
    let mut lines = Vec::new();
    for (rows, figures) in measured {
        for (at, of) in figures.iter().enumerate() {
            let smallest = measured.first().and_then(|(_, figures)| figures.get(at));
            let grew = smallest.map_or(1.0, |smallest| median(of) / median(smallest));
            lines.push(vec![
                rows.to_string(),
                of.name.clone(),
                of.millis(|rate| rate.p50).to_string(),
                of.millis(|rate| rate.p99).to_string(),
                format!("{:.1}x", median(of) / figures.first().map_or(1.0, median)),
                format!("{grew:.2}x"),
            ]);
        }
    }
    print(
        &format!("{database}: a page of 100 as the table grows, {READERS} reader, {extent}"),
        &[
            "rows",
            "request",
            "p50 ms",
            "p99 ms",
            "of /livez",
            "of the smallest table",
        ],
        &lines,
    );
}

fn median(of: &Figures) -> f64 {
    of.millis(|rate| rate.p50).median
}
